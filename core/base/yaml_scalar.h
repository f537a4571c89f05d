/* SPDX-License-Identifier: MIT */
/* What a plain YAML scalar means (core schema of YAML 1.2): shared by the reader and the writer, not by others. */
#ifndef BASE_YAML_SCALAR_H
#define BASE_YAML_SCALAR_H

#include "base/value.h"

/* Sets type and content of `out` but for strings, which are left to the caller. NULL, or what is wrong with it. */
const char *yaml_scalar_resolve(struct slice text, struct value *out);
/* Whether every reader of YAML, 1.1 ones included, takes the unquoted text for this very string. */
bool yaml_scalar_is_plain_string(struct slice text);

#endif
