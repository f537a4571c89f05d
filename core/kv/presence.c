/* SPDX-License-Identifier: MIT */
#include "presence.h"

#include "mapped.h"

enum { LINE_BYTES = PRESENCE_WAYS * sizeof(uint64_t), MOVES = 6 };

void presence_init(struct presence *presence, uint64_t bytes)
{
	size_t count = 1;

	*presence = (struct presence){ .lines = NULL };
	if (bytes < LINE_BYTES)
		return;
	while (count * 2 * LINE_BYTES <= bytes)
		count *= 2;
	presence->lines = mapped_new(count * LINE_BYTES, MAPPED_AS_USED);
	presence->mask = count - 1;
}

void presence_done(struct presence *presence)
{
	mapped_free((void *)presence->lines, (presence->mask + 1) * LINE_BYTES);
	presence->lines = NULL;
}

/* What was noted last comes first in a line; returns what falls out, 0: nothing. Two that push at once may lose one. */
static uint64_t push(struct presence *presence, size_t line, uint64_t mark)
{
	for (unsigned way = 0; mark != 0 && way < PRESENCE_WAYS; way++) {
		_Atomic uint64_t *place = &presence->lines[line][way];
		uint64_t before = atomic_load_explicit(place, memory_order_relaxed);

		atomic_store_explicit(place, mark, memory_order_relaxed);
		mark = before;
	}
	return mark;
}

void presence_note(struct presence *presence, uint64_t generation, uint64_t hash)
{
	uint64_t mark = presence_mark(generation, hash);
	size_t line;

	if (presence->lines == NULL)
		return;
	line = presence_first(presence, hash);
	mark = push(presence, line, mark);
	for (unsigned moves = 0; mark != 0 && moves < MOVES; moves++) {
		size_t first, other;

		hash = presence_mark(generation, mark); /* its own inverse */
		first = presence_first(presence, hash);
		other = presence_other(presence, hash);
		if (first == other || (line != first && line != other))
			return; /* it belongs nowhere else; of another generation, nowhere at all */
		line = line == first ? other : first;
		mark = push(presence, line, mark);
	}
}
