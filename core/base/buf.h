/* SPDX-License-Identifier: MIT */
/*
 * Owned, growing bytes with a cap. A zeroed struct is an empty buffer without a cap.
 *
 * Appending past the cap or without memory sets `failed` and appends nothing more, so that a writer checks
 * once at the end. The bytes are always followed by a NUL that is not counted once anything was appended;
 * buf_string() guarantees it.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>

struct buf {
	char *data;
	size_t size;
	size_t capacity;
	size_t cap; /* most bytes allowed; 0: no limit */
	bool failed;
};

void buf_init(struct buf *buf, size_t cap);
void buf_done(struct buf *buf);  /* frees; no-op on a zeroed one; leaves it empty */
void buf_clear(struct buf *buf); /* keeps the memory, resets size and failed */
/* Makes room for `extra` more bytes; returns where they go (data + size), NULL when that fails. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_slice(struct buf *buf, struct slice s);
void buf_append_string(struct buf *buf, const char *string);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Drops the first `size` bytes, moving the rest to the front. */
void buf_consume(struct buf *buf, size_t size);
/* The text, NUL-terminated, owned by the buffer; "" when empty. */
const char *buf_string(const struct buf *buf);
/* Hands the memory to the caller (free() it); the buffer is empty afterwards. NULL when failed. */
char *buf_take(struct buf *buf);
static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){ buf->data, buf->size };
}

#endif
