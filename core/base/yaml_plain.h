/* SPDX-License-Identifier: MIT */
/*
 * The short way through plain YAML: block maps and lists, flow collections on one line, scalars without escapes, ASCII.
 * That is how nearly all configuration is written, and all that kvrel writes; libyaml's events cost five times as much.
 *
 * It knows no mistakes. Whatever it does not know for certain it leaves to libyaml, which either reads it or says what
 * is wrong. What it does read is exactly what libyaml would give, places included; a test compares the two.
 */
#ifndef BASE_YAML_PLAIN_H
#define BASE_YAML_PLAIN_H

#include "base/value.h"

/* NULL: not for here. The text holds nothing but printing ASCII and newlines. `file` lives in the arena. */
struct value *yaml_plain_parse(struct arena *arena, struct slice text, const char *file, unsigned depth,
			       size_t values_max);

#endif
