/* SPDX-License-Identifier: MIT */
/* A line of vm.args is words or a mistake with a column; words that are quoted again are the same words. */
#include "base/buf.h"
#include "base/scope.h"
#include "base/text.h"
#include "fuzz.h"

static void quote(struct buf *line, const char *word)
{
	buf_append_string(line, line->size ? " \"" : "\"");
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			buf_append_char(line, '\\');
		buf_append_char(line, *word);
	}
	buf_append_char(line, '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf line = { 0 };
	struct slice input = { (const char *)data, size };
	const char **words = NULL, **again = NULL;
	size_t count = 0, again_count = 0;
	struct error err = { 0 };
	unsigned column = 0;

	if (text_words(&arena, input, &words, &count, &column, &err) != 0) {
		FUZZ_CHECK(words == NULL);
		FUZZ_CHECK(err.message[0] != '\0');
		FUZZ_CHECK(column >= 1 && column <= size);
		return 0;
	}
	FUZZ_CHECK(words[count] == NULL);
	for (size_t i = 0; i < count; i++)
		quote(&line, words[i]);
	FUZZ_CHECK(text_words(&arena, buf_slice(&line), &again, &again_count, &column, NULL) == 0);
	FUZZ_CHECK(again_count == count);
	for (size_t i = 0; i < count; i++)
		FUZZ_CHECK(strcmp(words[i], again[i]) == 0);
	return 0;
}
