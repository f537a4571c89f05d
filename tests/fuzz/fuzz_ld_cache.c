/* SPDX-License-Identifier: MIT */
/* The host's ld.so.cache, whatever happened to it. */
#include "base/scope.h"
#include "closure/ld_cache.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct ld_cache cache = { 0 };
	struct error err = { 0 };

	if (ld_cache_read(&arena, fuzz_file(data, size), &cache, &err) == 0)
		for (size_t i = 0; i < cache.count; i++)
			FUZZ_CHECK(cache.entries[i].soname && cache.entries[i].path);
	return 0;
}
