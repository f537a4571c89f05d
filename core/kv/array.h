/* SPDX-License-Identifier: MIT */
/* Arrays that grow as they are filled. */
#ifndef KV_ARRAY_H
#define KV_ARRAY_H

#include <stdlib.h>

enum { ARRAY_FIRST = 16 };

/* The array, with room for one item more than `count`; NULL without memory: then the old one is as it was. */
static inline void *array_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
	size_t wanted = *capacity > 0 ? *capacity * 2 : ARRAY_FIRST;
	void *grown;

	if (count < *capacity)
		return items;
	grown = realloc(items, wanted * item_size);
	if (grown != NULL)
		*capacity = wanted;
	return grown;
}

#endif
