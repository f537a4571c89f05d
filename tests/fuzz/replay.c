/* SPDX-License-Identifier: MIT */
/* replay FOLDER: runs a fuzz target over every file of its corpus, where libFuzzer's own main is not there to do it. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void run_file(const char *folder, const char *name)
{
	static uint8_t data[1 << 20];
	char path[4096];
	FILE *file;

	FUZZ_CHECK(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
	file = fopen(path, "rb");
	FUZZ_CHECK(file != NULL);
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	printf("%s: %zu bytes\n", name, size);
	fflush(stdout);
	/* a copy of the exact size, so that a read past its end is seen */
	uint8_t *copy = malloc(size ? size : 1);
	FUZZ_CHECK(copy != NULL);
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	unsigned count = 0;

	if (!folder) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.') {
			run_file(argv[1], entry->d_name);
			count++;
		}
	closedir(folder);
	return count ? 0 : 1;
}
