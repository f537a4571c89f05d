/* SPDX-License-Identifier: MIT */
/* JSON into values and back (jansson reads; duplicate keys and trailing text are errors). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/value.h"

int json_parse(struct arena *arena, struct slice text, const char *name, struct value **out, struct error *err);
/* Reads the value at the front of `text` and leaves what follows it: a long list can be read item by item. */
int json_parse_next(struct arena *arena, struct slice *text, const char *name, struct value **out, struct error *err);
/* `indent` 0: one line. No trailing newline. Bytes that are no UTF-8 are written as \ufffd. */
void json_write(struct buf *out, const struct value *value, unsigned indent);
/*
 * A list too long to be held as values: `add` puts the items that stand at `index`, none or several, into `list`. They
 * are made in `arena`, which is emptied after they were written.
 */
struct json_list {
	const char *key;
	size_t count;
	void (*add)(void *context, struct arena *arena, struct value *list, size_t index);
	void *context;
};
/* Writes `map` with `lists` as its last members to the descriptor, with a newline at the end, in little memory. */
int json_write_lists(int fd, const struct value *map, const struct json_list *lists, size_t count, unsigned indent,
		     struct error *err);
/* One quoted string, for callers that stream. */
void json_write_string(struct buf *out, struct slice string);

#endif
