/* SPDX-License-Identifier: MIT */
/*
 * Replies that are known while a request is read: text in the form of RESP2 or RESP3, collected in memory that grows. A
 * zeroed struct is an empty text; without memory, or at TEXT_MAX_BYTES, it stays as it is and `failed` says so.
 */
#ifndef KV_RESP_TEXT_H
#define KV_RESP_TEXT_H

#include "kvrel/component.h"

/* More than a line for each of a hundred thousand connections; what is asked for may be named any number of times. */
enum { TEXT_MAX_BYTES = 64 << 20 };

enum text_failure { TEXT_WHOLE, TEXT_NO_MEMORY, TEXT_TOO_LONG };

struct text {
	char *data;
	size_t size;
	size_t capacity;
	bool resp3;
	enum text_failure failed;
};

void text_done(struct text *text);
void text_bytes(struct text *text, const void *data, size_t size);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_simple(struct text *text, const char *word);
/* "ERR …" or another error word first; line breaks become blanks, as they do in Redis. */
void text_error(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_integer(struct text *text, int64_t number);
void text_bulk(struct text *text, struct kvrel_slice bytes);
void text_string(struct text *text, const char *string);
void text_nil(struct text *text);
void text_array(struct text *text, size_t count);
void text_set(struct text *text, size_t count);
/* Text for people. */
void text_verbatim(struct text *text, struct kvrel_slice bytes);
/* `pairs` keys with their values follow. */
void text_map(struct text *text, size_t pairs);

#endif
