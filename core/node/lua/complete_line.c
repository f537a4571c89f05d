/* SPDX-License-Identifier: MIT */
#include "node/lua/complete_line.h"

#include <string.h>

bool complete_is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct slice complete_path_at_end(struct slice text)
{
	size_t start = text.size;
	while (start > 0 && (complete_is_name_char(text.data[start - 1]) || text.data[start - 1] == '.' ||
			     text.data[start - 1] == ':'))
		start--;
	return (struct slice){ text.data + start, text.size - start };
}

static void open_bracket(struct completion *completion, struct slice before, char bracket)
{
	if (completion->depth == CALLS_MAX) /* nobody types that; what is outside is forgotten */
		memmove(completion->calls, completion->calls + 1, --completion->depth * sizeof(struct call));
	struct call *call = &completion->calls[completion->depth++];
	*call = (struct call){ .path = bracket == '(' ? complete_path_at_end(slice_trim(before)) : SLICE("") };
}

/* The position behind the string that begins at `at`; past the end when it is open there. */
static size_t skip_string(struct completion *completion, struct slice line, size_t at)
{
	char quote = line.data[at];
	size_t end = at + 1;
	while (end < line.size && line.data[end] != quote)
		end += line.data[end] == '\\' ? 2 : 1;
	struct slice content = { line.data + at + 1, (end < line.size ? end : line.size) - at - 1 };
	if (end >= line.size) {
		completion->quote = quote;
		completion->prefix = content;
	} else if (completion->depth > 0) {
		struct call *call = &completion->calls[completion->depth - 1];
		if (call->argument < LITERALS_MAX)
			call->literals[call->argument] = content;
	}
	return end + 1;
}

bool complete_read_line(struct completion *completion, struct slice line)
{
	for (size_t at = 0; at < line.size;) {
		char c = line.data[at];
		if (c == '"' || c == '\'') {
			at = skip_string(completion, line, at);
			continue;
		}
		if (c == '-' && at + 1 < line.size && line.data[at + 1] == '-')
			return false;
		if (c == '(' || c == '[' || c == '{')
			open_bracket(completion, (struct slice){ line.data, at }, c);
		else if ((c == ')' || c == ']' || c == '}') && completion->depth > 0)
			completion->depth--;
		else if (c == ',' && completion->depth > 0)
			completion->calls[completion->depth - 1].argument++;
		at++;
	}
	return true;
}
