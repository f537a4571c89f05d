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

/* An unsigned number of 64 bits; signs and blanks, which Redis lets pass, are no part of any cursor it gave. */
static bool is_cursor(struct kvrel_slice word)
{
	uint64_t value = 0;
	for (size_t i = 0; i < word.size; i++) {
		unsigned digit = (unsigned char)word.data[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	return word.size > 0;
}

/* NULL, or the error. */
static const char *read_options(const struct request *request, uint32_t first, struct scan_options *out)
{
	bool with_type = first == 2;
	*out = (struct scan_options){ .match = { "*", 1 }, .count = { "10", 2 } };
	for (uint32_t i = first; i < request->count; i += 2) {
		struct kvrel_slice name = request->args[i];
		int64_t count;
		if (i + 1 == request->count)
			return "ERR syntax error";
		struct kvrel_slice value = request->args[i + 1];
		if (word_is(name, "match")) {
			out->match = value;
		} else if (word_is(name, "count")) {
			if (!word_is_integer(value, &count))
				return "ERR value is not an integer or out of range";
			if (count < 1)
				return "ERR syntax error";
			out->count = value;
		} else if (with_type && word_is(name, "type")) {
			out->other_type = !word_is(value, "hash");
		} else {
			return "ERR syntax error";
		}
	}
	return NULL;
}

static bool answer_empty_scan(const struct request *request)
{
	struct text text = { 0 };
	text_array(&text, 2);
	text_string(&text, "0");
	text_array(&text, 0);
	return request_answer(request, &text);
}

/* The cursor is the word before `first`; what comes before it goes to the operation as it is. */
static bool scan(struct request *request, uint32_t first)
{
	struct scan_options options;
	if (!is_cursor(request->args[first - 1]))
		return request_error(request, "ERR invalid cursor");
	const char *mistake = read_options(request, first, &options);
	if (mistake)
		return request_error(request, "%s", mistake);
	if (options.other_type)
		return answer_empty_scan(request);
	struct kvrel_slice args[4];
	uint32_t count = 0;
	for (uint32_t i = 1; i < first; i++)
		args[count++] = request->args[i];
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
