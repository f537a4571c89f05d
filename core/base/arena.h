/* SPDX-License-Identifier: MIT */
/*
 * Memory that is freed all at once. Trees of values, parsed specifications and plans live in one.
 * A zeroed struct is an empty arena. Allocations are zeroed and aligned for any type, and never NULL:
 * a tool or a boot that cannot get memory has nothing better to do than stop, so the arena aborts with a
 * message. Not for data paths, and not for sizes that an input controls without a limit. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdarg.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out */
};

void *arena_alloc(struct arena *arena, size_t size);
/* count * size, checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies, NUL-terminated. */
char *arena_copy(struct arena *arena, struct slice s);
char *arena_string(struct arena *arena, const char *string);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
