/* SPDX-License-Identifier: MIT */
/*
 * Large memory straight from the kernel: zeroed, taken page by page as it is used, and given back as a whole, so that
 * it leaves no hole in the heap.
 */
#ifndef KV_MAPPED_H
#define KV_MAPPED_H

#include <stddef.h>
#include <sys/mman.h>

/* Where the kernel keeps count of what it has promised, it counts all of it at once, or only what is in use: of what
 * may be far larger than is ever needed. */
enum mapped_kind { MAPPED_WHOLE, MAPPED_AS_USED };

/* NULL without memory. */
static inline void *mapped_new(size_t size, enum mapped_kind kind)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind == MAPPED_AS_USED ? MAP_NORESERVE : 0);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

static inline void mapped_free(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}

#endif
