/* SPDX-License-Identifier: MIT */
/* The text that a YAML reader reads, the places in it and the complaints about them: for yaml.c, not for others. */
#ifndef BASE_YAML_INPUT_H
#define BASE_YAML_INPUT_H

#include "base/yaml.h"

#include <yaml.h>

/* A place in the text, counted both ways. */
struct yaml_cursor {
	size_t line;    /* from 0 */
	size_t line_at; /* offset of its first byte */
	size_t column;  /* from 0, in characters */
	size_t at;      /* offset */
};

struct yaml_input {
	struct slice text;
	const char *name;
	const char *file; /* the name, in the arena */
	struct yaml_limits limits;
	bool ascii;
	bool plain; /* printing ASCII and newlines alone */
	struct yaml_cursor cursor;
	struct error *err;
};

/* Sets ascii and plain; refuses what is no text. */
int yaml_input_check(struct yaml_input *in);
/* Moves the cursor to a mark. */
void yaml_input_move_to(struct yaml_input *in, const yaml_mark_t *mark);
struct origin yaml_input_place_of(struct yaml_input *in, const yaml_mark_t *mark);
struct origin yaml_input_place_of_offset(const struct yaml_input *in, size_t offset);

/* The mistake that ends the reading. */
int yaml_input_refuse(const struct yaml_input *in, struct origin at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A mistake after which the rest can still be understood: 0 where the caller wants to hear of them all. */
int yaml_input_object(const struct yaml_input *in, struct origin at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
