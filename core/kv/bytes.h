/* SPDX-License-Identifier: MIT */
/* Comparing names and keys, which are mostly short, without a call: words that may overlap. */
#ifndef KV_BYTES_H
#define KV_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SAME_BYTES_SHORT = 64 };

static inline bool same_words8(const char *a, const char *b)
{
	uint64_t word_a, word_b;

	memcpy(&word_a, a, sizeof(word_a));
	memcpy(&word_b, b, sizeof(word_b));
	return word_a == word_b;
}

static inline bool same_words4(const char *a, const char *b)
{
	uint32_t word_a, word_b;

	memcpy(&word_a, a, sizeof(word_a));
	memcpy(&word_b, b, sizeof(word_b));
	return word_a == word_b;
}

static inline bool same_bytes(const char *a, const char *b, size_t size)
{
	if (size >= 8 && size <= SAME_BYTES_SHORT) {
		for (size_t i = 0; i + 8 < size; i += 8)
			if (!same_words8(a + i, b + i))
				return false;
		return same_words8(a + size - 8, b + size - 8);
	}
	if (size >= 4 && size < 8)
		return same_words4(a, b) && same_words4(a + size - 4, b + size - 4);
	return size == 0 || memcmp(a, b, size) == 0;
}

#endif
