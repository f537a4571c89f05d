/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <assert.h>
#include <string.h>

const struct command_spec command_table[COMMAND_COUNT] = {
	[COMMAND_CREATE] = { "CREATE", "kv.create", 1 },
	[COMMAND_PUT] = { "PUT", "kv.put", 3 },
	[COMMAND_GET] = { "GET", "kv.get", 2 },
	[COMMAND_DELETE] = { "DELETE", "kv.delete", 2 },
	[COMMAND_SUBSCRIBE] = { "SUBSCRIBE", "kv.watch", 1 },
};

/* White space of the C locale, whatever locale the node runs in. */
static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Splits into at most `max` words; returns how many there are, max + 1 for more. */
static uint32_t split(const char *at, const char *end, struct kvrel_slice *words, uint32_t max)
{
	uint32_t count = 0;
	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return count;
		const char *start = at;
		while (at < end && !is_blank(*at))
			at++;
		if (count == max)
			return max + 1;
		words[count++] = (struct kvrel_slice){ start, (size_t)(at - start) };
	}
}

static bool find(struct kvrel_slice name, uint32_t args, enum command *out)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		const struct command_spec *spec = &command_table[i];
		if (spec->args == args && strlen(spec->name) == name.size &&
		    memcmp(spec->name, name.data, name.size) == 0) {
			*out = (enum command)i;
			return true;
		}
	}
	return false;
}

/* Without an end yet. A last CR may belong to the end. */
static bool is_too_long(struct kvrel_slice start, size_t max_line)
{
	if (start.size <= max_line)
		return false;
	return start.size > max_line + 1 || start.data[start.size - 1] != '\r';
}

struct line line_parse(struct kvrel_slice input, size_t max_line)
{
	const char *end = input.size ? memchr(input.data, '\n', input.size) : NULL;
	if (!end)
		return (struct line){ .kind = is_too_long(input, max_line) ? LINE_TOO_LONG : LINE_INCOMPLETE };
	size_t content = (size_t)(end - input.data);
	if (is_too_long((struct kvrel_slice){ input.data, content }, max_line))
		return (struct line){ .kind = LINE_TOO_LONG };
	struct line line = { .kind = LINE_UNKNOWN, .size = content + 1 };
	struct kvrel_slice words[LINE_ARGS_MAX + 1];
	uint32_t count = split(input.data, end, words, LINE_ARGS_MAX + 1);
	if (count == 0 || count > LINE_ARGS_MAX + 1 || !find(words[0], count - 1, &line.command))
		return line;
	line.kind = LINE_COMMAND;
	memcpy(line.args, words + 1, (count - 1) * sizeof(words[0]));
	return line;
}
