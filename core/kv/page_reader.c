/* SPDX-License-Identifier: MIT */
/*
 * Reading the store. The tree needs three or four pages for a look-up; most of its time goes into finding the way. A
 * reader therefore keeps a table of spots: where the key and value of a hash are in the map. A spot is good for one
 * snapshot only, which it names, and is checked against the whole key. It costs 32 bytes and copies nothing. Two spots
 * share a cache line, and a key has two lines to be in, the second one if the first was full: keys that meet in one
 * place drive each other out only where the table is nearly full of them. Each worker has its own table, so that they
 * share no cache line.
 */
#include "mapped.h"
#include "pages.h"

#include <stdlib.h>
#include <string.h>

struct page_spot {
	const char *key; /* of the key as stored, behind the bucket's id */
	const char *value;
	uint32_t value_size;
	uint32_t key_size;
	uint32_t hash;
	uint32_t transaction;
};

_Static_assert(sizeof(struct page_spot) == 32, "spot");

static void spots_init(struct page_reader *reader, uint64_t bytes)
{
	size_t count = 2;

	while (count * 2 * sizeof(struct page_spot) <= bytes)
		count *= 2;
	if (bytes < 2 * sizeof(struct page_spot))
		return;
	reader->spots = mapped_new(count * sizeof(struct page_spot), MAPPED_AS_USED); /* NULL: slower, but as right */
	reader->spot_mask = count - 1;
}

int page_reader_init(struct page_reader *reader, struct pages *pages, uint64_t cache_bytes)
{
	*reader = (struct page_reader){ .pages = pages, .watch = pages_watch(pages) };
	spots_init(reader, cache_bytes);
	return 0;
}

static void spots_done(struct page_reader *reader)
{
	mapped_free(reader->spots, (reader->spot_mask + 1) * sizeof(struct page_spot));
	reader->spots = NULL;
	reader->noted = 0;
}

void page_reader_done(struct page_reader *reader)
{
	if (reader->txn != NULL)
		mdb_txn_abort(reader->txn);
	spots_done(reader);
	*reader = (struct page_reader){ 0 };
}

void page_reader_end(struct page_reader *reader)
{
	if (reader->live) {
		mdb_txn_reset(reader->txn);
		fault_leave(&reader->watch);
	}
	reader->live = false;
}

/* What was read, if all of it is there. */
static inline int watched(struct page_reader *reader, int code, struct kv_error *err)
{
	return fault_off(&reader->watch) ? pages_lost(reader->pages, err) : code;
}

static int find_data(struct page_reader *reader, struct kv_error *err)
{
	struct pages *pages = reader->pages;

	if (pages_begin(pages, &reader->txn, &reader->meta, err) != 0)
		return -1;
	if (reader->transaction == reader->meta.transaction)
		return 0;
	reader->transaction = 0;
	reader->noted = 0;
	reader->path = (struct page_path){ 0 };
	if (page_table_find(&reader->path, &pages->map, &reader->meta.tables[PAGE_TABLE_MAIN], "data", &reader->tree) <
	    0)
		return pages_path_damaged(pages, &reader->path, err);
	reader->transaction = reader->meta.transaction;
	return 0;
}

static int begin(struct page_reader *reader, struct kv_error *err)
{
	int code;

	fault_enter(&reader->watch);
	fault_on(&reader->watch);
	code = watched(reader, find_data(reader, err), err);
	reader->live = code == 0;
	if (atomic_load(&reader->pages->map.lost)) /* from now on everything is looked at each time */
		spots_done(reader);
	if (code == 0)
		return 0;
	if (reader->txn != NULL)
		mdb_txn_reset(reader->txn);
	reader->transaction = 0;
	fault_leave(&reader->watch);
	return -1;
}

int page_reader_begin(struct page_reader *reader, struct kv_error *err)
{
	return reader->live ? 0 : begin(reader, err);
}

enum { LINE_SPOTS = 2 };

/* A key's first line, and its other one. */
static struct page_spot *first_line(const struct page_reader *reader, uint64_t hash)
{
	return &reader->spots[hash & reader->spot_mask & ~(uint64_t)1];
}

static struct page_spot *other_line(const struct page_reader *reader, uint64_t hash)
{
	return &reader->spots[(hash >> 27 ^ hash) & reader->spot_mask & ~(uint64_t)1];
}

static bool may_be_of(const struct page_spot *spot, uint64_t hash)
{
	return spot->hash == (uint32_t)(hash >> 32);
}

/* The spot that the key has if it has one. */
static struct page_spot *likely_spot(const struct page_reader *reader, uint64_t hash)
{
	struct page_spot *line = first_line(reader, hash);

	if (may_be_of(&line[0], hash))
		return &line[0];
	if (may_be_of(&line[1], hash))
		return &line[1];
	line = other_line(reader, hash);
	return may_be_of(&line[0], hash) ? &line[0] : &line[1];
}

/* While few are good, look-ups seldom find theirs, or find it in a cache: while a store is written to at random, say.
 */
static bool are_worth_fetching(const struct page_reader *reader)
{
	return reader->noted > reader->spot_mask / 64;
}

void page_prefetch(const struct page_reader *reader, uint64_t hash)
{
	if (are_worth_fetching(reader))
		__builtin_prefetch(first_line(reader, hash));
}

/* The bucket's id before the key and the value behind it are often in another line than the key. */
void page_prefetch_spot(const struct page_reader *reader, uint64_t hash)
{
	const struct page_spot *spot = are_worth_fetching(reader) ? likely_spot(reader, hash) : NULL;

	if (spot == NULL || spot->key == NULL)
		return;
	__builtin_prefetch(spot->key - 8);
	__builtin_prefetch(spot->value);
}

static struct page_spot *free_spot(const struct page_reader *reader, struct page_spot *line)
{
	for (unsigned i = 0; i < LINE_SPOTS; i++)
		if (line[i].transaction != (uint32_t)reader->transaction)
			return &line[i];
	return NULL;
}

/* Where a spot is to be written. Where there is no room, another key's older one makes some. */
static struct page_spot *place_for(struct page_reader *reader, uint64_t hash)
{
	struct page_spot *line = first_line(reader, hash), *spot = likely_spot(reader, hash);

	if (may_be_of(spot, hash))
		return spot;
	if ((spot = free_spot(reader, line)) != NULL || (spot = free_spot(reader, other_line(reader, hash))) != NULL)
		return spot;
	line[1] = line[0];
	return &line[0];
}

/*
 * Nobody looks at the value again: it has to be there. A small one lies beside its key, which has been looked at; a
 * large one has pages of its own, where other threads' faults may have left zeros.
 */
static inline bool is_there(const struct page_reader *reader, const struct page_spot *spot)
{
	const uintptr_t page = 4096, end = (uintptr_t)spot->value + spot->value_size;

	if (__builtin_expect((uintptr_t)spot->key / page == (end - 1) / page, true))
		return true;
	for (uintptr_t at = (uintptr_t)spot->value; at < end; at = (at / page + 1) * page)
		(void)*(const volatile char *)at;
	return !atomic_load_explicit(&reader->pages->map.lost, memory_order_acquire);
}

static bool spot_holds(const struct page_reader *reader, uint64_t bucket, struct kvrel_slice key, uint64_t hash,
		       struct kvrel_slice *value)
{
	const struct page_spot *spot = likely_spot(reader, hash);
	unsigned char id[PAGE_ID_MAX];
	size_t id_size;

	if (!may_be_of(spot, hash) || spot->transaction != (uint32_t)reader->transaction || spot->key == NULL ||
	    spot->key_size != key.size || memcmp(spot->key, key.data, key.size) != 0)
		return false;
	id_size = page_id_put(id, bucket);
	if (memcmp(spot->key - id_size, id, id_size) != 0)
		return false;
	if (value == NULL)
		return true;
	*value = (struct kvrel_slice){ spot->value, spot->value_size };
	return is_there(reader, spot);
}

static int look_up(struct page_reader *reader, uint64_t bucket, struct kvrel_slice key, uint64_t hash,
		   struct kvrel_slice *value, struct kv_error *err)
{
	struct page_entry found;
	struct page_key wanted;
	struct page_node node;
	int code;

	page_key_set(reader->pages, &wanted, bucket, key);
	code = page_get(&reader->path, &reader->tree, &wanted.val, page_entry_proves, &node);
	if (code < 0)
		return pages_path_damaged(reader->pages, &reader->path, err);
	if (code == 0)
		return 0;
	if (!page_entry_split(&node.key, &node.value, &found))
		return page_damaged(reader->pages, node.value.mv_data, err);
	if (wanted.digested && (found.key.size != key.size || memcmp(found.key.data, key.data, key.size) != 0))
		return 0;
	if (value == NULL) /* that a key is there is remembered elsewhere (presence.h) */
		return 1;
	if (page_entry_value(reader->pages, &found, value, err) != 0)
		return -1;
	if (reader->spots == NULL || wanted.digested)
		return 1;
	reader->noted++;
	*place_for(reader, hash) = (struct page_spot){ found.key.data,         value->data,
						       (uint32_t)value->size,  (uint32_t)found.key.size,
						       (uint32_t)(hash >> 32), (uint32_t)reader->transaction };
	return 1;
}

static inline int find(struct page_reader *reader, uint64_t bucket, struct kvrel_slice key, uint64_t hash,
		       struct kvrel_slice *value, struct kv_error *err)
{
	if (reader->spots != NULL && key.size > 0 && spot_holds(reader, bucket, key, hash, value))
		return 1;
	return look_up(reader, bucket, key, hash, value, err);
}

int page_find(struct page_reader *reader, uint64_t bucket, struct kvrel_slice key, uint64_t hash,
	      struct kvrel_slice *value, struct kv_error *err)
{
	if (!reader->live && begin(reader, err) != 0)
		return -1;
	fault_on(&reader->watch);
	return watched(reader, find(reader, bucket, key, hash, value, err), err);
}

/* What a walk came to: 1 while it is in the bucket. */
static int walked(struct page_reader *reader, int code, uint64_t bucket, const struct page_node *node,
		  struct kvrel_slice *key, struct kvrel_slice *value, struct kv_error *err)
{
	struct page_entry entry;
	uint64_t id;

	if (code < 0 || (code > 0 && page_check_leaf(&reader->path) != 0))
		return pages_path_damaged(reader->pages, &reader->path, err);
	if (code == 0)
		return 0;
	if (page_id_get(&node->key, &id) != 0 && id != bucket)
		return 0;
	if (!page_entry_split(&node->key, &node->value, &entry))
		return page_damaged(reader->pages, node->value.mv_data, err);
	*key = entry.key;
	return value == NULL || page_entry_value(reader->pages, &entry, value, err) == 0 ? 1 : -1;
}

static int first(struct page_reader *reader, uint64_t bucket, struct kvrel_slice after, struct kvrel_slice *key,
		 struct kvrel_slice *value, struct kv_error *err)
{
	const struct kvrel_slice none = { "", 0 };
	struct page_key wanted;
	struct page_node node;
	int code;

	page_key_set(reader->pages, &wanted, bucket, after.data != NULL ? after : none);
	code = page_seek(&reader->path, &reader->tree, &wanted.val, page_entry_proves, &node);
	if (code > 0 && after.data != NULL && node.key.mv_size == wanted.val.mv_size &&
	    memcmp(node.key.mv_data, wanted.bytes, node.key.mv_size) == 0)
		code = page_step(&reader->path, &node);
	return walked(reader, code, bucket, &node, key, value, err);
}

int page_first(struct page_reader *reader, uint64_t bucket, struct kvrel_slice after, struct kvrel_slice *key,
	       struct kvrel_slice *value, struct kv_error *err)
{
	if (!reader->live && begin(reader, err) != 0)
		return -1;
	fault_on(&reader->watch);
	return watched(reader, first(reader, bucket, after, key, value, err), err);
}

int page_next(struct page_reader *reader, uint64_t bucket, struct kvrel_slice *key, struct kvrel_slice *value,
	      struct kv_error *err)
{
	struct page_node node;
	int code;

	fault_on(&reader->watch);
	code = page_step(&reader->path, &node);
	return watched(reader, walked(reader, code, bucket, &node, key, value, err), err);
}
