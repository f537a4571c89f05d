/* SPDX-License-Identifier: MIT */
/* JSON into values and back (jansson reads; duplicate keys and trailing text are errors). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/value.h"

int json_parse(struct arena *arena, struct slice text, const char *name, struct value **out, struct error *err);
/* `indent` 0: one line. No trailing newline. Bytes that are no UTF-8 are written as \ufffd. */
void json_write(struct buf *out, const struct value *value, unsigned indent);
/* One quoted string, for callers that stream. */
void json_write_string(struct buf *out, struct slice string);

#endif
