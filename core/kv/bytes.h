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

/* memcpy() of what is mostly short, as above. */
static inline void copy_short(char *to, const char *from, size_t size)
{
	uint64_t first, last;

	if (size >= 8 && size <= 16) {
		memcpy(&first, from, 8);
		memcpy(&last, from + size - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + size - 8, &last, 8);
	} else if (size > 16 && size <= 32) {
		struct {
			uint64_t words[2];
		} head, tail;

		memcpy(&head, from, 16);
		memcpy(&tail, from + size - 16, 16);
		memcpy(to, &head, 16);
		memcpy(to + size - 16, &tail, 16);
	} else if (size >= 4 && size < 8) {
		uint32_t head, tail;

		memcpy(&head, from, 4);
		memcpy(&tail, from + size - 4, 4);
		memcpy(to, &head, 4);
		memcpy(to + size - 4, &tail, 4);
	} else if (size > 0 && size < 4) {
		to[0] = from[0];
		to[size / 2] = from[size / 2];
		to[size - 1] = from[size - 1];
	} else if (size > 0) {
		memcpy(to, from, size);
	}
}

#endif
