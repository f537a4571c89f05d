/* SPDX-License-Identifier: MIT */
/*
 * Borrowed bytes. A slice owns nothing, may hold NUL bytes and is not terminated. Functions that take
 * one never keep it past the call unless they say so.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t size;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
/* for printf("%.*s") */
#define SLICE_FMT(s) (int)(s).size, (s).data

static inline struct slice slice_of(const char *string)
{
	return (struct slice){ string, string ? strlen(string) : 0 };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *string)
{
	return slice_equal(a, slice_of(string));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
	return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

bool slice_ends(struct slice a, struct slice suffix);
/* Bytewise order, a shorter prefix first; as memcmp's result. */
int slice_compare(struct slice a, struct slice b);
/* Without the byte order mark that editors of other systems put at the start of a file. */
struct slice slice_skip_bom(struct slice s);
/* Without ASCII white space at both ends. */
struct slice slice_trim(struct slice a);
/* Splits at the first `separator`: head gets what is before it (or all), rest what is after it.
 * Returns false when there is none (rest is then empty). */
bool slice_split(struct slice a, char separator, struct slice *head, struct slice *rest);
/* Whole slice as a decimal integer, optional leading '-'. False on anything else or overflow. */
bool slice_to_int64(struct slice a, int64_t *out);
/* Length of the valid UTF-8 prefix; a.size if all of it is valid. Rejects surrogates and overlong forms. */
size_t slice_utf8_prefix(struct slice a);

#endif
