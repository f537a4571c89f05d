/* SPDX-License-Identifier: MIT */
#include "resp.h"

#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_DIGITS_MAX = 10 };

void resp_request_init(struct resp_request *request)
{
	request->args = request->few;
	request->capacity = RESP_ARGS_INLINE;
	request->count = 0;
}

void resp_request_done(struct resp_request *request)
{
	if (request->args != request->few)
		free(request->args);
}

void resp_words_free(struct resp_words *words)
{
	for (struct resp_words *next; words; words = next) {
		next = words->next;
		free(words);
	}
}

static enum resp_status incomplete(struct resp_request *request, size_t need)
{
	request->need = need;
	return RESP_INCOMPLETE;
}

static enum resp_status wrong(struct resp_request *request, const char *mistake)
{
	request->mistake = mistake;
	return RESP_MISTAKE;
}

static bool grow(struct resp_request *request)
{
	uint32_t capacity = request->capacity * 2;
	bool first = request->args == request->few;
	struct kvrel_slice *args = realloc(first ? NULL : request->args, capacity * sizeof(*args));
	if (!args) {
		request->mistake = "out of memory";
		return false;
	}
	if (first)
		memcpy(args, request->few, sizeof(request->few));
	request->args = args;
	request->capacity = capacity;
	return true;
}

bool resp_push(struct resp_request *request, const char *data, size_t size)
{
	if (request->count == request->capacity && !grow(request))
		return false;
	request->args[request->count++] = (struct kvrel_slice){ data, size };
	return true;
}

enum number { NUMBER_OK, NUMBER_CUT, NUMBER_WRONG };

/* "0\r\n" or "-?[1-9][0-9]*\r\n" at *at, which moves behind it. */
static enum number read_number(const char **at, const char *end, int64_t *out)
{
	const char *c = *at;
	bool negative = c < end && *c == '-';
	c += negative;
	const char *digits = c;
	int64_t value = 0;
	while (c < end && *c >= '0' && *c <= '9') {
		if (c - digits == LENGTH_DIGITS_MAX)
			return NUMBER_WRONG;
		value = value * 10 + (*c++ - '0');
	}
	if (c > digits && *digits == '0' && (negative || c > digits + 1))
		return NUMBER_WRONG;
	if (c < end && (c == digits || *c != '\r'))
		return NUMBER_WRONG;
	if (end - c < 2)
		return NUMBER_CUT;
	if (c[1] != '\n')
		return NUMBER_WRONG;
	*at = c + 2;
	*out = negative ? -value : value;
	return NUMBER_OK;
}

static enum resp_status unexpected(struct resp_request *request, char got)
{
	snprintf(request->mistake_text, sizeof(request->mistake_text), "expected '$', got '%c'", got);
	return wrong(request, request->mistake_text);
}

/* One "$N\r\n…\r\n" at *at; `left` more follow. */
static enum resp_status read_bulk(struct resp_request *request, struct kvrel_slice input, const char **at, size_t left,
				  const struct resp_limits *limits)
{
	const char *end = input.data + input.size;
	size_t done = (size_t)(*at - input.data);
	size_t more = left * RESP_LEAST_WORD;
	if (*at == end)
		return incomplete(request, done + RESP_LEAST_WORD + more);
	if (**at != '$')
		return unexpected(request, **at);
	const char *data = *at + 1;
	int64_t size = 0;
	enum number number = read_number(&data, end, &size);
	if (number == NUMBER_CUT)
		return incomplete(request, input.size + 1 + more);
	if (number == NUMBER_WRONG || size < 0 || (size_t)size > limits->request_max)
		return wrong(request, "invalid bulk length");
	if (limits->guest && size > RESP_GUEST_BULK_MAX)
		return wrong(request, "unauthenticated bulk length");
	size_t need = (size_t)(data - input.data) + (size_t)size + 2 + more;
	if (need > limits->request_max)
		return wrong(request, "too big request");
	if ((size_t)(end - data) < (size_t)size + 2)
		return incomplete(request, need);
	if (data[size] != '\r' || data[size + 1] != '\n')
		return wrong(request, "bulk string without its end");
	if (!resp_push(request, data, (size_t)size))
		return RESP_MISTAKE;
	*at = data + size + 2;
	return RESP_REQUEST;
}

static enum resp_status read_array(struct resp_request *request, struct kvrel_slice input,
				   const struct resp_limits *limits)
{
	const char *at = input.data + 1;
	int64_t count = 0;
	enum number number = read_number(&at, input.data + input.size, &count);
	if (number == NUMBER_CUT)
		return incomplete(request, input.size + 1);
	if (number == NUMBER_WRONG || count > RESP_ARGS_MAX)
		return wrong(request, "invalid multibulk length");
	if (limits->guest && count > RESP_GUEST_ARGS_MAX)
		return wrong(request, "unauthenticated multibulk length");
	if (count > 0 && (size_t)count * RESP_LEAST_WORD > limits->request_max)
		return wrong(request, "too big request");
	for (int64_t i = 0; i < count; i++) {
		enum resp_status status = read_bulk(request, input, &at, (size_t)(count - i - 1), limits);
		if (status != RESP_REQUEST)
			return status;
	}
	request->size = (size_t)(at - input.data);
	return RESP_REQUEST;
}

enum resp_status resp_parse_any(struct resp_request *request, struct kvrel_slice input,
				const struct resp_limits *limits, struct resp_words **words)
{
	request->count = 0;
	if (input.size == 0)
		return incomplete(request, 1);
	if (input.data[0] == '*')
		return read_array(request, input, limits);
	return resp_parse_inline(request, input, words);
}

/* ---- plain.h's ---- */

static bool is_digit(char c)
{
	return (unsigned char)c - (unsigned)'0' <= 9;
}

/* The same of up to five digits, as the length of a larger value has. 8 bytes can be read. */
static bool read_length(const char *c, char sign, const char **data, size_t *size)
{
	size_t digits = 0;
	*size = 0;
	for (; digits < 5 && is_digit(c[1 + digits]); digits++)
		*size = *size * 10 + (size_t)(c[1 + digits] - '0');
	*data = c + digits + 3;
	return *c == sign && digits > 0 && (digits == 1 || c[1] != '0') && resp_is_line_end(c + 1 + digits);
}

const char *resp_read_word(const char *c, const char *end, struct kvrel_slice *word)
{
	const char *data = c;
	size_t size = end - c >= RESP_LEAST_WORD ? resp_short_number(&data, '$') : RESP_NOT_SHORT;
	if (size == RESP_NOT_SHORT && !(end - c >= 8 && read_length(c, '$', &data, &size)))
		return NULL;
	if ((size_t)(end - data) < size + 2 || !resp_is_line_end(data + size))
		return NULL;
	*word = (struct kvrel_slice){ data, size };
	return data + size + 2;
}
