/* SPDX-License-Identifier: MIT */
/* Any bytes are a tree or a mistake; what is written from a tree reads back as the same tree. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/scope.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf text;
	struct slice input = { (const char *)data, size };
	struct value *value = NULL, *again = NULL;
	struct error err = { 0 };

	buf_init(&text, 64u << 20);
	if (json_parse(&arena, input, "input.json", &value, &err) != 0) {
		FUZZ_CHECK(value == NULL);
		FUZZ_CHECK(err.message[0] != '\0');
		return 0;
	}
	json_write(&text, value, 0);
	FUZZ_CHECK(json_parse(&arena, buf_slice(&text), "again.json", &again, NULL) == 0);
	FUZZ_CHECK(value_equal(value, again));
	return 0;
}
