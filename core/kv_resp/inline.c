/* SPDX-License-Identifier: MIT */
/*
 * Inline commands: one line of words, for people with nc or telnet. "…" takes \n \r \t \a \b \xHH and \ before anything
 * else, '…' takes \' alone, as Redis' do. A line without quotes is split in place; another one is decoded into memory
 * of its own.
 */
#include "resp.h"

#include <stdlib.h>
#include <string.h>

/* What a word ends with. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What comes before a word, or behind a closing quote. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char escaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'a':
		return '\a';
	case 'b':
		return '\b';
	default:
		return c;
	}
}

/* Behind the opening quote at *at; decoded bytes go to *to. False: no closing quote, or text right behind it. */
static bool read_double(const char **at, const char *end, char **to)
{
	const char *c = *at;
	while (c < end && *c != '"') {
		if (*c == '\\' && end - c >= 4 && c[1] == 'x' && hex(c[2]) >= 0 && hex(c[3]) >= 0) {
			*(*to)++ = (char)(hex(c[2]) * 16 + hex(c[3]));
			c += 4;
		} else if (*c == '\\' && end - c >= 2) {
			*(*to)++ = escaped(c[1]);
			c += 2;
		} else {
			*(*to)++ = *c++;
		}
	}
	*at = c + 1;
	return c < end && (c + 1 == end || is_space(c[1]));
}

static bool read_single(const char **at, const char *end, char **to)
{
	const char *c = *at;
	while (c < end && *c != '\'') {
		if (*c == '\\' && end - c >= 2 && c[1] == '\'')
			c++;
		*(*to)++ = *c++;
	}
	*at = c + 1;
	return c < end && (c + 1 == end || is_space(c[1]));
}

/* One word at *at, decoded to *to. */
static bool read_word(const char **at, const char *end, char **to)
{
	while (*at < end && !is_blank(**at)) {
		char c = *(*at)++;
		if (c == '"')
			return read_double(at, end, to);
		if (c == '\'')
			return read_single(at, end, to);
		*(*to)++ = c;
	}
	return true;
}

static enum resp_status decode(struct resp_request *request, const char *at, const char *end, struct resp_words **words)
{
	struct resp_words *decoded = malloc(sizeof(*decoded) + (size_t)(end - at));
	if (!decoded) {
		request->mistake = "out of memory";
		return RESP_MISTAKE;
	}
	decoded->next = *words;
	*words = decoded;
	char *to = decoded->bytes;
	for (;;) {
		while (at < end && is_space(*at))
			at++;
		if (at == end)
			return RESP_REQUEST;
		char *start = to;
		if (!read_word(&at, end, &to)) {
			request->mistake = "unbalanced quotes in request";
			return RESP_MISTAKE;
		}
		if (!resp_push(request, start, (size_t)(to - start)))
			return RESP_MISTAKE;
	}
}

static enum resp_status split(struct resp_request *request, const char *at, const char *end)
{
	for (;;) {
		while (at < end && is_space(*at))
			at++;
		if (at == end)
			return RESP_REQUEST;
		const char *start = at;
		while (at < end && !is_blank(*at))
			at++;
		if (!resp_push(request, start, (size_t)(at - start)))
			return RESP_MISTAKE;
	}
}

enum resp_status resp_parse_inline(struct resp_request *request, struct kvrel_slice input, struct resp_words **words)
{
	size_t look = input.size < RESP_INLINE_MAX ? input.size : RESP_INLINE_MAX;
	const char *end = memchr(input.data, '\n', look);
	if (!end && input.size >= RESP_INLINE_MAX) {
		request->mistake = "too big inline request";
		return RESP_MISTAKE;
	}
	if (!end) {
		request->need = input.size + 1;
		return RESP_INCOMPLETE;
	}
	size_t size = (size_t)(end - input.data);
	request->size = size + 1;
	if (memchr(input.data, '"', size) || memchr(input.data, '\'', size))
		return decode(request, input.data, end, words);
	return split(request, input.data, end);
}
