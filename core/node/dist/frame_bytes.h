/* SPDX-License-Identifier: MIT */
/*
 * Numbers and bytes of frames: read with every length checked, written where room was made. For the files that write
 * and read frames, nothing else.
 */
#ifndef NODE_DIST_FRAME_BYTES_H
#define NODE_DIST_FRAME_BYTES_H

#include "node/dist/frame.h"

#include <endian.h>
#include <string.h>

enum { SIZE_IN_FOUR = 0xff }; /* a size: one byte below it; or it and four bytes, which are no less than it */

struct reader {
	const unsigned char *at;
	size_t left;
	bool failed;
};

static inline struct reader reader_of(struct slice s)
{
	return (struct reader){ (const unsigned char *)s.data, s.size, false };
}

static inline bool has(struct reader *r, size_t size)
{
	if (r->left < size)
		r->failed = true;
	return !r->failed;
}

/* 1, 2, 4 or 8 bytes; `bytes` is a constant wherever it is called. */
static inline __attribute__((always_inline)) uint64_t get_number(struct reader *r, size_t bytes)
{
	uint64_t number = 0;
	if (!has(r, bytes))
		return 0;
	memcpy((char *)&number + sizeof(number) - bytes, r->at, bytes);
	number = be64toh(number);
	r->at += bytes;
	r->left -= bytes;
	return number;
}

static inline size_t get_size(struct reader *r)
{
	size_t size = get_number(r, 1);
	if (size != SIZE_IN_FOUR)
		return size;
	size = get_number(r, 4);
	if (size < SIZE_IN_FOUR)
		r->failed = true;
	return size;
}

static inline struct slice get_bytes(struct reader *r, size_t size)
{
	if (!has(r, size))
		return (struct slice){ 0 };
	struct slice out = { (const char *)r->at, size };
	r->at += size;
	r->left -= size;
	return out;
}

static inline __attribute__((always_inline)) char *put_number(char *to, uint64_t number, size_t bytes)
{
	number = htobe64(number);
	memcpy(to, (const char *)&number + sizeof(number) - bytes, bytes);
	return to + bytes;
}

static inline size_t size_bytes(size_t size)
{
	return size < SIZE_IN_FOUR ? 1 : 1 + 4;
}

static inline char *put_size(char *to, size_t size)
{
	if (size < SIZE_IN_FOUR)
		return put_number(to, size, 1);
	return put_number(put_number(to, SIZE_IN_FOUR, 1), size, 4);
}

static inline char *put_bytes(char *to, const char *data, size_t size)
{
	if (size > 0)
		memcpy(to, data, size);
	return to + size;
}

static inline char *put_header(char *to, enum frame_type type, size_t payload)
{
	to = put_number(to, payload + 1, 4);
	*to = (char)type;
	return to + 1;
}

/* Room for a whole frame; NULL when there is none. */
static inline char *begin_frame(struct buf *out, enum frame_type type, size_t payload)
{
	char *to = buf_reserve(out, FRAME_HEADER_BYTES + payload);
	if (to == NULL)
		return NULL;
	out->size += FRAME_HEADER_BYTES + payload;
	return put_header(to, type, payload);
}

#endif
