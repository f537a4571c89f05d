/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_BYTES = 64 };

void buf_init(struct buf *buf, size_t cap)
{
	*buf = (struct buf){ .cap = cap };
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ .cap = buf->cap };
}

void buf_clear(struct buf *buf)
{
	buf->size = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

static bool grow(struct buf *buf, size_t needed)
{
	size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_BYTES;
	char *data;

	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	/* no more than can ever be used: the cap and the final NUL */
	if (buf->cap && buf->cap < SIZE_MAX && capacity > buf->cap + 1)
		capacity = buf->cap + 1;
	data = realloc(buf->data, capacity);
	if (!data)
		return false;
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

char *buf_reserve(struct buf *buf, size_t extra)
{
	size_t needed;

	if (buf->failed)
		return NULL;
	if (__builtin_add_overflow(buf->size, extra, &needed) || (buf->cap && needed > buf->cap) ||
	    needed == SIZE_MAX || (needed + 1 > buf->capacity && !grow(buf, needed + 1))) {
		buf->failed = true;
		return NULL;
	}
	return buf->data + buf->size;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
	char *to = buf_reserve(buf, size);

	if (!to)
		return;
	if (size)
		memcpy(to, data, size);
	to[size] = '\0';
	buf->size += size;
}

void buf_append_slice(struct buf *buf, struct slice s)
{
	buf_append(buf, s.data, s.size);
}

void buf_append_string(struct buf *buf, const char *string)
{
	buf_append(buf, string, strlen(string));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	char *to = buf_reserve(buf, 0);
	va_list again;
	int size;

	if (!to)
		return;
	va_copy(again, args);
	size = vsnprintf(to, buf->capacity - buf->size, format, args);
	if (size < 0) {
		buf->failed = true;
	} else if ((size_t)size >= buf->capacity - buf->size) {
		*to = '\0';
		to = buf_reserve(buf, (size_t)size);
		if (to)
			vsnprintf(to, (size_t)size + 1, format, again);
	}
	va_end(again);
	if (!buf->failed)
		buf->size += (size_t)size;
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size > buf->size)
		size = buf->size;
	if (size == 0)
		return;
	memmove(buf->data, buf->data + size, buf->size - size);
	buf->size -= size;
	buf->data[buf->size] = '\0';
}

const char *buf_string(const struct buf *buf)
{
	if (buf->size == 0)
		return "";
	/* bytes written behind buf_reserve() have no terminator yet; the capacity always has room for one */
	buf->data[buf->size] = '\0';
	return buf->data;
}

char *buf_take(struct buf *buf)
{
	char *data = NULL;

	if (buf_reserve(buf, 0)) {
		data = buf->data;
		data[buf->size] = '\0';
		buf->data = NULL;
	}
	buf_done(buf);
	return data;
}
