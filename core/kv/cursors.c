/* SPDX-License-Identifier: MIT */
#include "hash.h"
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
struct place {
	uint64_t number; /* kept while the place is empty: the next one is a turn further */
	char *key;       /* NULL: empty */
	size_t size;
	uint64_t hash;
	struct place *newer, *older; /* by when a step ended there, or began */
	struct place *next;          /* of its chain, or empty as well */
};

struct cursors {
	pthread_mutex_t lock;
	uint64_t seed, first_number;
	size_t used; /* places that were ever filled; memory of the others was never touched */
	size_t bytes;
	struct place *newest, *oldest, *empty;
	struct place *chains[CURSOR_COUNT];
	struct place places[CURSOR_COUNT];
};

struct cursors *cursors_new(void)
{
	struct cursors *cursors = calloc(1, sizeof(*cursors));
	uint64_t random[2];

	if (cursors == NULL)
		return NULL;
	pthread_mutex_init(&cursors->lock, NULL);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		random[0] = random[1] = (uint64_t)time(NULL);
	cursors->seed = random[0];
	cursors->first_number = ((random[1] & UINT32_MAX) + 1) * CURSOR_COUNT;
	return cursors;
}

void cursors_free(struct cursors *cursors)
{
	if (cursors == NULL)
		return;
	for (size_t i = 0; i < cursors->used; i++)
		free(cursors->places[i].key);
	pthread_mutex_destroy(&cursors->lock);
	free(cursors);
}

/* ---- the order of use; with the lock held ---- */

static void unlink_place(struct cursors *cursors, struct place *place)
{
	*(place->newer != NULL ? &place->newer->older : &cursors->newest) = place->older;
	*(place->older != NULL ? &place->older->newer : &cursors->oldest) = place->newer;
}

static void link_newest(struct cursors *cursors, struct place *place)
{
	place->newer = NULL;
	place->older = cursors->newest;
	*(cursors->newest != NULL ? &cursors->newest->newer : &cursors->oldest) = place;
	cursors->newest = place;
}

static void touch(struct cursors *cursors, struct place *place)
{
	unlink_place(cursors, place);
	link_newest(cursors, place);
}

/* ---- filling and emptying; with the lock held ---- */

/* Where the place of a key is, or the end of the chain that it belongs into. */
static struct place **chain_of(struct cursors *cursors, uint64_t hash, struct kvrel_slice key)
{
	struct place **at = &cursors->chains[hash % CURSOR_COUNT];

	while (*at != NULL && ((*at)->hash != hash || (*at)->size != key.size ||
			       (key.size > 0 && memcmp((*at)->key, key.data, key.size) != 0)))
		at = &(*at)->next;
	return at;
}

static void forget_oldest(struct cursors *cursors)
{
	struct place *place = cursors->oldest;

	*chain_of(cursors, place->hash, (struct kvrel_slice){ place->key, place->size }) = place->next;
	unlink_place(cursors, place);
	cursors->bytes -= place->size;
	free(place->key);
	place->key = NULL;
	place->next = cursors->empty;
	cursors->empty = place;
}

static struct place *take_empty(struct cursors *cursors)
{
	struct place *place = cursors->empty;

	if (place != NULL) {
		cursors->empty = place->next;
		place->number += CURSOR_COUNT;
		return place;
	}
	place = &cursors->places[cursors->used];
	place->number = cursors->first_number + cursors->used++;
	return place;
}

static struct place *remember(struct cursors *cursors, uint64_t hash, struct kvrel_slice key)
{
	char *copy = malloc(key.size + 1);
	struct place *place;

	if (copy == NULL)
		return NULL;
	if (key.size > 0)
		memcpy(copy, key.data, key.size);
	while (cursors->oldest != NULL &&
	       ((cursors->used == CURSOR_COUNT && cursors->empty == NULL) || cursors->bytes + key.size > CURSOR_BYTES))
		forget_oldest(cursors);
	place = take_empty(cursors);
	place->key = copy;
	place->size = key.size;
	place->hash = hash;
	place->next = NULL;
	cursors->bytes += key.size;
	*chain_of(cursors, hash, key) = place;
	link_newest(cursors, place);
	return place;
}

/* ---- the public part ---- */

uint64_t cursors_save(struct cursors *cursors, struct kvrel_slice key)
{
	uint64_t hash = hash_bytes(key.data, key.size, cursors->seed), number;
	struct place *place;

	pthread_mutex_lock(&cursors->lock);
	place = *chain_of(cursors, hash, key);
	if (place != NULL)
		touch(cursors, place);
	else
		place = remember(cursors, hash, key);
	number = place != NULL ? place->number : 0;
	pthread_mutex_unlock(&cursors->lock);
	return number;
}

struct kvrel_slice cursors_find(struct cursors *cursors, uint64_t number)
{
	struct place *place = &cursors->places[number % CURSOR_COUNT];
	struct kvrel_slice found = { NULL, 0 };

	pthread_mutex_lock(&cursors->lock);
	if (place->key != NULL && place->number == number) {
		char *copy = malloc(place->size + 1);

		touch(cursors, place);
		if (copy != NULL) {
			memcpy(copy, place->key, place->size);
			found = (struct kvrel_slice){ copy, place->size };
		}
	}
	pthread_mutex_unlock(&cursors->lock);
	return found;
}
