/* SPDX-License-Identifier: MIT */
/*
 * Requests of the Redis protocol out of bytes: arrays of bulk strings, or inline commands as people type them. Pure,
 * and indifferent to how the bytes were cut on the way.
 *
 * A request is parsed from its start each time, so no half-parsed state outlives a call. What keeps a long one from
 * being parsed over and over is `need`: the least size that the input must have before another attempt can get further.
 */
#ifndef KV_RESP_RESP_H
#define KV_RESP_RESP_H

#include "kvrel/component.h"

enum {
	RESP_INLINE_MAX = 64 * 1024, /* bytes of an inline command, or of a line with a length */
	RESP_ARGS_MAX = INT32_MAX,   /* words of a request, as far as its bytes allow */
	RESP_GUEST_ARGS_MAX = 10,    /* … before AUTH, where one is asked for */
	RESP_GUEST_BULK_MAX = 16 * 1024,
	RESP_ARGS_INLINE = 64, /* words that need no heap */
};

/* Words of inline commands that were quoted, decoded. Views of requests point here until the batch has run. */
struct resp_words {
	struct resp_words *next;
	char bytes[];
};

struct resp_limits {
	size_t request_max;
	bool guest; /* has to authenticate first */
};

enum resp_status {
	RESP_INCOMPLETE, /* `need` says when to try again */
	RESP_REQUEST,    /* `size` bytes, `count` words in args; none for an empty line */
	RESP_MISTAKE,    /* `mistake`; the stream cannot be understood from here on */
};

struct resp_request {
	size_t size;
	size_t need;
	const char *mistake; /* without "ERR Protocol error: " */
	char mistake_text[64];
	struct kvrel_slice *args;
	uint32_t count;
	uint32_t capacity;
	struct kvrel_slice few[RESP_ARGS_INLINE];
};

void resp_request_init(struct resp_request *request);
void resp_request_done(struct resp_request *request);
/*
 * resp_parse() of plain.h does the same, and sooner. `words` takes what an inline command had to decode; the caller
 * frees the list when the batch has run.
 */
enum resp_status resp_parse_any(struct resp_request *request, struct kvrel_slice input,
				const struct resp_limits *limits, struct resp_words **words);
void resp_words_free(struct resp_words *words);

/* For resp.c and inline.c: appends a word; false after it set `mistake`. */
bool resp_push(struct resp_request *request, const char *data, size_t size);
enum resp_status resp_parse_inline(struct resp_request *request, struct kvrel_slice input, struct resp_words **words);

#endif
