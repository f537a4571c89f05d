/* SPDX-License-Identifier: MIT */
/*
 * Parsing, by the short way where it can be: nearly all requests are few words, whole, without a mistake. Here, since
 * every request takes it; whatever it does not understand is resp_parse_any()'s, from its start.
 */
#ifndef KV_RESP_PLAIN_H
#define KV_RESP_PLAIN_H

#include "resp.h"

#include <string.h>

static inline uint32_t resp_word4(const char *bytes)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*
 * "$N\r\n", or with another sign, of one or two digits: the number, with *at moved behind it; RESP_NOT_SHORT for
 * anything else, which somebody else has to look at. 5 bytes can be read.
 */
enum { RESP_NOT_SHORT = 100 };

static inline unsigned resp_short_number(const char **at, char sign)
{
	const char *c = *at;
	const char one[] = { sign, 0, '\r', '\n' }, two[] = { sign, 0, 0, '\r' };
	uint32_t word = resp_word4(c);
	unsigned first = (unsigned char)c[1] - (unsigned)'0';
	if ((word & resp_word4("\xff\0\xff\xff")) == resp_word4(one)) {
		*at = c + 4;
		return first <= 9 ? first : RESP_NOT_SHORT;
	}
	*at = c + 5;
	unsigned second = (unsigned char)c[2] - (unsigned)'0';
	if ((word & resp_word4("\xff\0\0\xff")) != resp_word4(two) || c[4] != '\n' || first - 1 > 8 || second > 9)
		return RESP_NOT_SHORT;
	return first * 10 + second;
}

static inline bool resp_is_line_end(const char *at)
{
	return memcmp(at, "\r\n", 2) == 0;
}

/*
 * A word of less than a hundred bytes ends, with its head, within so many: where they are there, the end of the input
 * is no matter.
 */
enum { RESP_LEAST_WORD = sizeof("$0\r\n\r\n") - 1, RESP_NEAR_WORD = sizeof("$99\r\n") - 1 + 99 + 2 };

/* Both: the word at c; what follows it, or NULL for what has to be looked at more closely. */
const char *resp_read_word(const char *c, const char *end, struct kvrel_slice *word);

static inline const char *resp_read_near_word(const char *c, struct kvrel_slice *word)
{
	size_t size = resp_short_number(&c, '$');
	if (size == RESP_NOT_SHORT || !resp_is_line_end(c + size))
		return NULL;
	*word = (struct kvrel_slice){ c, size };
	return c + size + 2;
}

static inline bool resp_plain(struct resp_request *request, struct kvrel_slice input, const struct resp_limits *limits)
{
	struct kvrel_slice *args = request->args;
	const char *c = input.data, *end = c + input.size;
	unsigned count = input.size >= RESP_LEAST_WORD ? resp_short_number(&c, '*') : RESP_NOT_SHORT;
	if (count > RESP_ARGS_INLINE)
		return false;
	for (unsigned i = 0; i < count; i++) {
		const char *next = end - c >= RESP_NEAR_WORD ? resp_read_near_word(c, &args[i]) : NULL;
		c = next ? next : resp_read_word(c, end, &args[i]);
		if (!c)
			return false;
	}
	request->count = count;
	request->size = (size_t)(c - input.data);
	return request->size <= limits->request_max;
}

/* As resp_parse_any(). */
static inline enum resp_status resp_parse(struct resp_request *request, struct kvrel_slice input,
					  const struct resp_limits *limits, struct resp_words **words)
{
	if (!limits->guest && resp_plain(request, input, limits))
		return RESP_REQUEST;
	return resp_parse_any(request, input, limits, words);
}

#endif
