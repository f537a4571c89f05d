/* SPDX-License-Identifier: MIT */
/*
 * A new key is noted as being there, so that its next write need not look for it. Readers ask the pages, and what is
 * noted of them, only when the memtable is gone: when it is in them, committed and synced. To take it out again takes a
 * later memtable, and by that whatever is noted now counts no more.
 */
#include "apply.h"

void note_newcomer(struct apply *apply, const struct bucket *bucket, const struct record *record)
{
	struct durable *store = apply->store;
	struct newcomers *newcomers = &apply->newcomers;
	uint64_t hash = hash_in_bucket(bucket, hash_name(store, record_key(record))),
		 *place = &newcomers->hashes[newcomers->count++ % NEWCOMERS];

	presence_prefetch(&store->presence, hash);
	if (newcomers->count > NEWCOMERS)
		presence_note(&store->presence, presence_generation(&store->presence), *place);
	*place = hash;
}

void note_last_newcomers(struct apply *apply)
{
	struct presence *presence = &apply->store->presence;
	struct newcomers *newcomers = &apply->newcomers;

	for (unsigned i = 0; i < NEWCOMERS && i < newcomers->count; i++)
		presence_note(presence, presence_generation(presence), newcomers->hashes[i]);
	newcomers->count = 0;
}
