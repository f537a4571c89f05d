/* SPDX-License-Identifier: MIT */
/*
 * What need not go into the pages. Where the same keys are written again and again, most of what a memtable amounts to
 * is out of date soon after it is full: the next one holds a newer value, and the pages, which know the key, may as
 * well wait for that. So a full memtable is left alone until the next is nearly so, unless a look at some of its keys
 * says early that this leads to nothing.
 *
 * Left out are keys that were there before the memtable, are there after it, and have a value in the next one: the
 * pages' counts are the same with and without them. The log is synced between the look into the next memtable and the
 * first change of the pages, so that no power loss takes that value together with this segment. Backups want the pages
 * as they were at one moment: for a memtable that ends there nothing is left out. Whether it does is settled before the
 * look: a backup that is asked for later wants the next one's end at least, since that has keys by then.
 */
#include "apply.h"

enum {
	LOOK_AT = MEMTABLE_FULL / 32, /* so full is the next one when some keys are looked up in it */
	SAMPLES = 512,
	LOOK_MS = 4,
	WAIT_MS = 1000, /* whoever writes slowly needs no help */
};

static bool has_next_value(const struct memtable *next, const struct entry *entry)
{
	const struct record *record = memtable_find(next, entry->bucket, entry->hash, record_key(entry->first));

	return record != NULL && record_has_value(record);
}

bool is_overtaken(const struct memtable *memtable, const struct memtable *next, const struct entry *entry)
{
	return entry->existed && has_next_value(next, entry) &&
	       (!memtable->deleted || record_has_value(memtable_newest(memtable, entry)));
}

/*
 * Whether most of the keys that are ever written are in the memtable: then as large a part of it is overtaken as the
 * next one has of its number of keys.
 */
static bool has_most_keys(const struct memtable *memtable, const struct memtable *next)
{
	uint64_t count = atomic_load(&memtable->entry_count), step = count / SAMPLES + 1, looked_at = 0, found = 0;

	for (uint64_t i = 0; i < count; i += step) {
		looked_at++;
		found += is_overtaken(memtable, next, &memtable->entries[i]);
	}
	return found * count >= looked_at * atomic_load(&next->entry_count) * 3 / 4;
}

/* There is little to be gained by waiting on, or little time left until it is full. */
static bool is_late(const struct memtable *next)
{
	return next->used >= next->size / 2 || atomic_load(&next->entry_count) >= next->keys_max - next->keys_max / 8;
}

static bool is_begun(const struct memtable *next)
{
	return atomic_load(&next->entry_count) > 0;
}

const struct memtable *overtaken_await(struct durable *store, const struct memtable *memtable)
{
	const struct memtable *next = atomic_load(&memtable->newer); /* there is one: this is frozen */
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000 };
	bool pays = store->options.leave_out_all, looked = pays;
	bool is_full = memtable_fill(memtable) >= MEMTABLE_FULL * 3 / 4;

	if (memtable->replayed)
		return NULL;
	for (int waited_ms = 0;; waited_ms += LOOK_MS) {
		if (!looked && memtable_fill(next) >= LOOK_AT) {
			looked = true;
			pays = has_most_keys(memtable, next);
		}
		if ((looked && !pays) || !is_full || is_late(next) || waited_ms >= WAIT_MS ||
		    pace_must_hurry(store, memtable))
			return pays && is_begun(next) ? next : NULL;
		nanosleep(&pause, NULL);
		log_flush(&store->log);
	}
}
