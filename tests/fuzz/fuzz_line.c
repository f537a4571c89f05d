/* SPDX-License-Identifier: MIT */
/* The line protocol: words lie within their line, and a request is the same however its bytes were cut on the way. */
#include "fuzz.h"
#include "kv_server/line.h"

#include <string.h>

enum { MAX_LINE = 100 };

static void check_line(struct kvrel_slice input, const struct line *line)
{
	FUZZ_CHECK(line->size > 0 && line->size <= input.size && line->size <= MAX_LINE + 2);
	FUZZ_CHECK(input.data[line->size - 1] == '\n');
	FUZZ_CHECK(memchr(input.data, '\n', line->size - 1) == NULL);
	if (line->kind != LINE_COMMAND)
		return;
	FUZZ_CHECK(line->command < COMMAND_COUNT);
	for (uint32_t i = 0; i < command_table[line->command].args; i++) {
		const struct kvrel_slice *word = &line->args[i];
		FUZZ_CHECK(word->size > 0 && word->data >= input.data);
		FUZZ_CHECK(word->data + word->size <= input.data + line->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kvrel_slice rest = { (const char *)data, size };

	for (;;) {
		struct line line = line_parse(rest, MAX_LINE);
		if (line.kind == LINE_INCOMPLETE || line.kind == LINE_TOO_LONG)
			return 0;
		check_line(rest, &line);
		/* one byte less is no line yet, and more behind it changes nothing */
		struct kvrel_slice cut = { rest.data, line.size - 1 }, exact = { rest.data, line.size };
		FUZZ_CHECK(line_parse(cut, MAX_LINE).kind != LINE_COMMAND);
		FUZZ_CHECK(line_parse(exact, MAX_LINE).kind == line.kind);
		rest.data += line.size;
		rest.size -= line.size;
	}
}
