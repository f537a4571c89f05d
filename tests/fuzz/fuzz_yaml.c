/* SPDX-License-Identifier: MIT */
/* Any bytes are a tree or a mistake with a position; what is written from a tree reads back as the same tree. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf text;
	struct slice input = { (const char *)data, size };
	struct value *value = NULL, *again = NULL;
	struct error err = { 0 };

	buf_init(&text, 64u << 20);
	if (yaml_parse(&arena, input, "input.yaml", &YAML_LIMITS_DEFAULT, &value, &err) != 0) {
		FUZZ_CHECK(value == NULL);
		FUZZ_CHECK(err.message[0] != '\0');
		return 0;
	}
	FUZZ_CHECK(value != NULL);
	yaml_write(&text, value);
	FUZZ_CHECK(yaml_parse(&arena, buf_slice(&text), "again.yaml", &YAML_LIMITS_DEFAULT, &again, NULL) == 0);
	FUZZ_CHECK(value_equal(value, again));
	return 0;
}
