/* SPDX-License-Identifier: MIT */
/* A library may be damaged or hostile: reading what it says of itself never reads beyond it. */
#include "base/scope.h"
#include "closure/elf_file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct elf_info *info = NULL;
	struct error err = { 0 };
	const char *path = fuzz_file(data, size);
	int result = elf_inspect(&arena, path, &info, &err);

	FUZZ_CHECK((result == 0) == (info != NULL));
	if (info)
		for (size_t i = 0; i < info->needed_count; i++)
			FUZZ_CHECK(info->needed[i] != NULL);
	return 0;
}
