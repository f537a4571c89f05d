/* SPDX-License-Identifier: MIT */
#include "front_fuzz.h"

#include "front_end.h"

#include <stdlib.h>
#include <string.h>

enum { MANGLED = 20000, CHANGES_MAX = 8, PIECE_MAX = 16 };

static char *outcome(struct t_front *front, const uint8_t *data, size_t size, size_t piece, size_t *out_size)
{
	t_front_connect(front, "127.0.0.1:1");
	for (size_t at = 0; at < size; at += piece)
		t_front_feed(front, data + at, size - at < piece ? size - at : piece);
	const char *output = t_front_output(front, out_size);
	char *copy = malloc(*out_size + 1);
	if (!copy)
		return NULL;
	memcpy(copy, output, *out_size + 1);
	if (front_fuzzed.blank)
		*out_size = front_fuzzed.blank(copy, *out_size);
	return copy;
}

int front_fuzz(const uint8_t *data, size_t size)
{
	static struct t_front *front;
	if (!front)
		front = front_fuzzed.start();
	if (size == 0)
		return 0;
	size_t whole_size = 0, cut_size = 0;
	char *whole = outcome(front, data + 1, size - 1, size, &whole_size);
	char *cut = outcome(front, data + 1, size - 1, data[0] % PIECE_MAX + 1u, &cut_size);
	if (!whole || !cut || whole_size != cut_size || memcmp(whole, cut, cut_size) != 0)
		abort();
	free(whole);
	free(cut);
	return 0;
}

/* Small and the same everywhere, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

void front_fuzz_mangled(const char *session, size_t size)
{
	uint8_t *bytes = malloc(1 + size);
	uint32_t random = 1;
	if (!bytes)
		abort();
	for (unsigned round = 0; round < MANGLED; round++) {
		bytes[0] = (uint8_t)next_random(&random);
		memcpy(bytes + 1, session, size);
		unsigned changes = next_random(&random) % CHANGES_MAX;
		for (unsigned i = 0; i < changes; i++)
			bytes[1 + next_random(&random) % size] = (uint8_t)next_random(&random);
		size_t start = next_random(&random) % 2 ? 0 : next_random(&random) % size;
		bytes[start] = bytes[0];
		front_fuzz(bytes + start, 1 + size - start);
	}
	free(bytes);
}
