/* SPDX-License-Identifier: MIT */
/*
 * YAML into values and back. The reader takes the safe part of YAML 1.2 (core schema: null, true/false, integers,
 * floats, strings) and refuses the rest with a position: duplicate keys, tags, aliases and anchors, several documents,
 * non-UTF-8, NUL bytes, more than limits->depth levels, more than limits->size_bytes bytes, non-string keys
 * (a scalar key is taken as written). `yes`, `no`, `on`, `off` stay strings.
 * An error message begins with "FILE:LINE:COLUMN: error: ".
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/value.h"

struct yaml_limits {
	size_t size_bytes;
	unsigned depth;
	/* Given, it hears of duplicate keys, tags, anchors and merge keys, and the reading goes on as if they were not
	 * there; of aliases and numbers that do not fit, which become null. So one run finds more than one mistake: the
	 * caller then refuses the file. NULL: they end it as all others do. */
	void (*mistake)(void *context, const struct origin *at, const char *message);
	void *context;
};
#define YAML_LIMITS_DEFAULT ((struct yaml_limits){ .size_bytes = 64u << 20, .depth = 64 })

/* `name` is what messages and origins call the file. An empty document is a null value. */
int yaml_parse(struct arena *arena, struct slice text, const char *name, const struct yaml_limits *limits,
	       struct value **out, struct error *err);
/* Reads `path`; messages call it `name` (NULL: the path). */
int yaml_read(struct arena *arena, const char *path, const char *name, const struct yaml_limits *limits,
	      struct value **out, struct error *err);
/* Block style, deterministic, strings quoted wherever a reader could take them for something else. */
void yaml_write(struct buf *out, const struct value *value);

#endif
