/* SPDX-License-Identifier: MIT */
/*
 * Having memory on its way before it is needed. A look-up goes from a memtable's index to the record, or from the spot
 * of the pages to the entry there, and each step is a cache miss that can only be asked for when the one before has
 * come in. So prefetching is a pipeline: while the index of one request is asked for, the record or spot of one some
 * requests back is, and what the spot leads to of one further back. What is still in the pipeline when the first
 * request runs is led through at once.
 *
 * This is worth more than half of the time of a deep pipeline's requests. It reads what look-ups read, by the same
 * rules.
 */
#include "durable.h"

static inline struct prefetch_tables tables_of(const struct durable *store, const struct slot *slot)
{
	struct prefetch_tables tables = { .newest = atomic_load_explicit(&store->newest, memory_order_acquire) };

	if (tables.newest->id > slot->retired + 1)
		tables.older = atomic_load_explicit(&tables.newest->older, memory_order_acquire);
	if (tables.newest->id > slot->retired + 2)
		tables.oldest = atomic_load_explicit(&tables.older->older, memory_order_acquire);
	return tables;
}

static inline void fetch_index(const struct prefetch_tables *tables, const struct prefetched *item)
{
	memtable_prefetch(tables->newest, (uint32_t)item->hash);
	if (tables->older != NULL)
		memtable_prefetch(tables->older, (uint32_t)item->hash);
	if (tables->oldest != NULL)
		memtable_prefetch(tables->oldest, (uint32_t)item->hash);
}

static inline void fetch_record(const struct durable *store, const struct prefetch_tables *tables,
				const struct slot *slot, struct prefetched *item)
{
	const struct record *record = memtable_peek(tables->newest, (uint32_t)item->hash);

	if (record == NULL && tables->older != NULL)
		record = memtable_peek(tables->older, (uint32_t)item->hash);
	if (record == NULL && tables->oldest != NULL)
		record = memtable_peek(tables->oldest, (uint32_t)item->hash);
	item->in_memory = record != NULL;
	if (record != NULL) {
		__builtin_prefetch(record);
		__builtin_prefetch((const char *)record + 32); /* a small one often lies in two lines */
	} else if (item->reads) {
		page_prefetch(&slot->reader, item->hash);
	} else {
		presence_prefetch(&store->presence, item->hash);
	}
}

static inline void fetch_page(const struct slot *slot, const struct prefetched *item)
{
	if (item->reads && !item->in_memory)
		page_prefetch_spot(&slot->reader, item->hash);
}

static inline struct prefetched *item_at(struct prefetch_pipe *pipe, uint32_t at)
{
	return &pipe->items[at % (PREFETCH_DEPTH * 2)];
}

static inline void add(struct durable *store, struct slot *slot, uint64_t hash, bool reads)
{
	struct prefetch_pipe *pipe = &slot->pipe;
	uint32_t at = pipe->added++;
	struct prefetched *item = item_at(pipe, at);

	if (at == 0)
		pipe->tables = tables_of(store, slot);
	if (at >= PREFETCH_DEPTH * 2)
		fetch_page(slot, item); /* of the request that was here before */
	if (at >= PREFETCH_DEPTH)
		fetch_record(store, &pipe->tables, slot, item_at(pipe, at - PREFETCH_DEPTH));
	item->hash = hash;
	item->reads = reads;
	fetch_index(&pipe->tables, item);
}

void durable_prefetch(struct engine *engine, struct kvrel_call *call, struct kvrel_slice name, struct kvrel_slice key)
{
	struct durable *store = (struct durable *)engine;
	struct slot *slot;

	call->scratch[0] = hash_name(store, key);
	call->scratch[1] = 0;
	if (call->worker >= store->slot_count - 1)
		return;
	slot = slot_enter(store, call->worker);
	if (!slot_remembers(slot, name)) {
		struct bucket *bucket = bucket_table_find(&store->buckets, name, hash_name(store, name));

		if (bucket == NULL)
			return;
		slot->memo = bucket;
	}
	call->scratch[1] = (uintptr_t)slot->memo;
	add(store, slot, hash_in_bucket(slot->memo, call->scratch[0]), (call->op->flags & KVREL_OP_READ) != 0);
}

void prefetch_finish(struct durable *store, struct slot *slot)
{
	struct prefetch_pipe *pipe = &slot->pipe;
	uint32_t end = pipe->added, records = end > PREFETCH_DEPTH ? end - PREFETCH_DEPTH : 0,
		 pages = end > PREFETCH_DEPTH * 2 ? end - PREFETCH_DEPTH * 2 : 0;

	for (uint32_t at = records; at < end; at++)
		fetch_record(store, &pipe->tables, slot, item_at(pipe, at));
	for (uint32_t at = pages; at < end; at++)
		fetch_page(slot, item_at(pipe, at));
	pipe->added = 0;
}
