/* SPDX-License-Identifier: MIT */
#include "presence.h"

#include <sys/mman.h>

enum { LINE_BYTES = PRESENCE_WAYS * sizeof(uint64_t) };

void presence_init(struct presence *presence, uint64_t bytes)
{
	size_t count = 1;
	void *lines;

	*presence = (struct presence){ .lines = NULL };
	if (bytes < LINE_BYTES)
		return;
	while (count * 2 * LINE_BYTES <= bytes)
		count *= 2;
	lines = mmap(NULL, count * LINE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);
	if (lines == MAP_FAILED)
		return;
	presence->lines = lines;
	presence->mask = count - 1;
}

void presence_done(struct presence *presence)
{
	if (presence->lines != NULL)
		munmap((void *)presence->lines, (presence->mask + 1) * LINE_BYTES);
	presence->lines = NULL;
}
