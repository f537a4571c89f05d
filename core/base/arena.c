/* SPDX-License-Identifier: MIT */
/*
 * Blocks grow by doubling, so that a small tree costs one small block and a large one few calls. A request that
 * is large beside the block size gets a block of its own, put behind the current one, which stays in use.
 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BLOCK_BYTES = 4096, LAST_BLOCK_BYTES = 1 << 20, ALIGNMENT = _Alignof(max_align_t) };

struct arena_block {
	struct arena_block *next;
	size_t size; /* of memory[] */
	size_t used;
	_Alignas(max_align_t) char memory[];
};

static _Noreturn void out_of_memory(size_t size)
{
	fprintf(stderr, "out of memory: no %zu bytes to be had\n", size);
	abort();
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		out_of_memory(size);
	block = calloc(1, sizeof(*block) + size);
	if (!block)
		out_of_memory(size);
	block->size = size;
	return block;
}

static void *own_block(struct arena *arena, size_t size)
{
	struct arena_block *block = block_new(size);

	block->used = size;
	if (arena->head) {
		block->next = arena->head->next;
		arena->head->next = block;
	} else {
		arena->head = block;
	}
	return block->memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct arena_block *block = arena->head;
	void *memory;

	if (rounded < size)
		out_of_memory(size);
	arena->used += rounded;
	if (!block || block->size - block->used < rounded) {
		size_t next = block ? block->size * 2 : FIRST_BLOCK_BYTES;

		if (next > LAST_BLOCK_BYTES || next < FIRST_BLOCK_BYTES)
			next = LAST_BLOCK_BYTES;
		if (rounded > next / 4)
			return own_block(arena, rounded);
		block = block_new(next);
		block->next = arena->head;
		arena->head = block;
	}
	memory = block->memory + block->used;
	block->used += rounded;
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return arena_alloc(arena, bytes);
}

char *arena_copy(struct arena *arena, struct slice s)
{
	char *copy = arena_alloc(arena, s.size + 1);

	if (s.size)
		memcpy(copy, s.data, s.size);
	return copy;
}

char *arena_string(struct arena *arena, const char *string)
{
	return arena_copy(arena, slice_of(string));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	int size;
	char *text;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory(0);
	text = arena_alloc(arena, (size_t)size + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return text;
}

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->head;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	*arena = (struct arena){ 0 };
}
