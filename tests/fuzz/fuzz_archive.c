/* SPDX-License-Identifier: MIT */
/* An archive may come from anywhere: it is read whole or refused, and never more than its size allows. */
#include "base/scope.h"
#include "bundle/content.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct content content = { 0 };
	struct error err = { 0 };
	int result = content_read(&arena, fuzz_file(data, size), CONTENT_DIGESTS | CONTENT_ELF, &content, &err);

	FUZZ_CHECK((result == 0) == (content.current != NULL));
	FUZZ_CHECK((result == 0) == (err.message[0] == '\0'));
	for (size_t i = 0; i < content.count; i++) {
		FUZZ_CHECK(content.items[i].path[0] != '/');
		FUZZ_CHECK(i == 0 || strcmp(content.items[i - 1].path, content.items[i].path) < 0);
		FUZZ_CHECK(content_find(&content, content.items[i].path) == &content.items[i]);
	}
	return 0;
}
