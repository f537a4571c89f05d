/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { CURSOR_COUNT = 1 << 16, CURSOR_BYTES = 8 << 20 };

/*
 * A number is slot + CURSOR_COUNT * turn: it tells its slot, and whether the slot still holds it. Turns begin at
 * random, so that a number of another process is not taken for one of ours; numbers stay below 2^53, as what some
 * clients keep them in does.
 */
struct cursors {
	pthread_mutex_t lock;
	uint64_t next, oldest; /* from the oldest on they may be remembered */
	size_t bytes;
	struct {
		uint64_t number;
		char *key;
		size_t size;
	} slots[CURSOR_COUNT];
};

struct cursors *cursors_new(void)
{
	struct cursors *cursors = calloc(1, sizeof(*cursors));
	uint32_t turn;

	if (cursors == NULL)
		return NULL;
	pthread_mutex_init(&cursors->lock, NULL);
	if (getrandom(&turn, sizeof(turn), 0) != sizeof(turn))
		turn = (uint32_t)time(NULL);
	cursors->next = cursors->oldest = ((uint64_t)turn + 1) * CURSOR_COUNT;
	return cursors;
}

static void forget_oldest(struct cursors *cursors)
{
	size_t slot = cursors->oldest++ % CURSOR_COUNT;

	cursors->bytes -= cursors->slots[slot].size;
	free(cursors->slots[slot].key);
	cursors->slots[slot].key = NULL;
	cursors->slots[slot].number = 0;
}

void cursors_free(struct cursors *cursors)
{
	if (cursors == NULL)
		return;
	while (cursors->oldest < cursors->next)
		forget_oldest(cursors);
	pthread_mutex_destroy(&cursors->lock);
	free(cursors);
}

uint64_t cursors_save(struct cursors *cursors, struct kvrel_slice key)
{
	char *copy = malloc(key.size + 1);
	uint64_t number;
	size_t slot;

	if (copy == NULL)
		return 0;
	memcpy(copy, key.data, key.size);
	pthread_mutex_lock(&cursors->lock);
	while (cursors->oldest < cursors->next &&
	       (cursors->next - cursors->oldest == CURSOR_COUNT || cursors->bytes + key.size > CURSOR_BYTES))
		forget_oldest(cursors);
	number = cursors->next++;
	slot = number % CURSOR_COUNT;
	cursors->bytes += key.size;
	cursors->slots[slot].number = number;
	cursors->slots[slot].key = copy;
	cursors->slots[slot].size = key.size;
	pthread_mutex_unlock(&cursors->lock);
	return number;
}

struct kvrel_slice cursors_find(struct cursors *cursors, uint64_t number)
{
	size_t slot = number % CURSOR_COUNT;
	struct kvrel_slice found = { NULL, 0 };

	pthread_mutex_lock(&cursors->lock);
	if (number != 0 && cursors->slots[slot].number == number) {
		size_t size = cursors->slots[slot].size;
		char *copy = malloc(size + 1);

		if (copy != NULL) {
			memcpy(copy, cursors->slots[slot].key, size);
			found = (struct kvrel_slice){ copy, size };
		}
	}
	pthread_mutex_unlock(&cursors->lock);
	return found;
}
