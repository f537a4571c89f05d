/* SPDX-License-Identifier: MIT */
/* Commands over kv whose words are not simply the operation's arguments. */
#include "request.h"

#include <string.h>

static bool ask_own_op(const struct request *request, const struct kvrel_slice *args, uint32_t count)
{
	size_t index = (size_t)(request->command - command_table);
	return request_ask(request, request->server->ops[index], args, count, request->command->shape);
}

bool run_hset(struct request *request)
{
	if (request->count % 2 != 0)
		return request_wrong_arity(request);
	return ask_own_op(request, request->args + 1, request->count - 1);
}

bool run_hincrby(struct request *request)
{
	int64_t delta;
	if (!word_is_integer(request->args[3], &delta))
		return request_error(request, "ERR value is not an integer or out of range");
	return ask_own_op(request, request->args + 1, 3);
}

/* ---- SCAN and HSCAN ---- */

struct scan_options {
	struct kvrel_slice match, count;
	bool other_type; /* TYPE of something that a bucket is not */
};

/*
 * As strtoul() takes it for Redis: a sign, digits, up to a NUL byte, and no digits for 0. *out has it in the form that
 * kv takes. kv gives no cursor for which a sign matters: a negative one becomes a number that it has not given.
 */
static bool read_cursor(struct kvrel_slice word, struct kvrel_slice *out)
{
	const char *nul = word.size ? memchr(word.data, '\0', word.size) : NULL;
	size_t size = nul ? (size_t)(nul - word.data) : word.size;
	bool negative = size > 0 && word.data[0] == '-', sign = negative || (size > 0 && word.data[0] == '+');
	uint64_t value = 0;
	for (size_t i = sign; i < size; i++) {
		unsigned digit = (unsigned char)word.data[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	size_t first = sign;
	while (first + 1 < size && word.data[first] == '0')
		first++;
	*out = value == 0 ? (struct kvrel_slice){ "0", 1 }
	       : negative ? (struct kvrel_slice){ "18446744073709551615", 20 }
			  : (struct kvrel_slice){ word.data + first, size - first };
	return !sign || size > 1;
}

/* SHAPE_SCAN, or how a mistake in them is answered. */
static enum shape read_options(const struct request *request, uint32_t first, struct scan_options *out)
{
	bool with_type = first == 2;
	*out = (struct scan_options){ .match = { "*", 1 }, .count = { "10", 2 } };
	for (uint32_t i = first; i < request->count; i += 2) {
		struct kvrel_slice name = request->args[i];
		int64_t count;
		if (i + 1 == request->count)
			return SHAPE_SCAN_SYNTAX;
		struct kvrel_slice value = request->args[i + 1];
		if (word_is(name, "match")) {
			out->match = value;
		} else if (word_is(name, "count")) {
			if (!word_is_integer(value, &count))
				return SHAPE_SCAN_NUMBER;
			if (count < 1)
				return SHAPE_SCAN_SYNTAX;
			out->count = value;
		} else if (with_type && word_is(name, "type")) {
			out->other_type = !word_is(value, "hash");
		} else {
			return SHAPE_SCAN_SYNTAX;
		}
	}
	return SHAPE_SCAN;
}

static bool answer_empty_scan(const struct request *request)
{
	struct text text = { 0 };
	text_bytes(&text, EMPTY_SCAN, sizeof(EMPTY_SCAN) - 1);
	return request_answer(request, &text);
}

/* Options are none of Redis' business where there is no hash to look through. */
static bool refuse_options(const struct request *request, uint32_t first, enum shape mistake)
{
	if (first == 2)
		return request_error(request, "%s", scan_mistake(mistake));
	return request_ask(request, request->server->exists_op, request->args + 1, 1, mistake);
}

/* The cursor is the word before `first`; what comes before it goes to the operation as it is. */
static bool scan(struct request *request, uint32_t first)
{
	struct scan_options options;
	struct kvrel_slice cursor;
	if (!read_cursor(request->args[first - 1], &cursor))
		return request_error(request, "ERR invalid cursor");
	enum shape shape = read_options(request, first, &options);
	if (shape != SHAPE_SCAN)
		return refuse_options(request, first, shape);
	if (options.other_type)
		return answer_empty_scan(request);
	struct kvrel_slice args[4];
	uint32_t count = 0;
	for (uint32_t i = 1; i + 1 < first; i++)
		args[count++] = request->args[i];
	args[count++] = cursor;
	args[count++] = options.match;
	args[count++] = options.count;
	return ask_own_op(request, args, count);
}

bool run_scan(struct request *request)
{
	return scan(request, 2);
}

bool run_hscan(struct request *request)
{
	return scan(request, 3);
}
