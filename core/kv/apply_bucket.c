/* SPDX-License-Identifier: MIT */
/* Buckets that a memtable makes, changes and ends, in the pages' directory. */
#include "apply.h"

int apply_bucket_put(struct apply *apply, const struct bucket *bucket)
{
	struct page_bucket page = { bucket->id, bucket->stored.count, bucket->stored.stays };
	struct page_key key;
	int code;

	page_key_set(&apply->store->pages, &key, 0, bucket_name(bucket));
	code = guard_check(&apply->guard, &key.val, false);
	if (code != 0)
		return code;
	return page_put(&apply->store->pages, apply->txn, NULL, 0, bucket_name(bucket), &key,
			(struct kvrel_slice){ (const char *)&page, sizeof(page) }, false);
}

/* 0 and what the pages hold of that name, MDB_NOTFOUND. */
static int get_directory(struct apply *apply, struct kvrel_slice name, struct page_bucket *page)
{
	struct page_entry entry;
	struct page_key key;
	MDB_val stored;
	int code;

	page_key_set(&apply->store->pages, &key, 0, name);
	code = guard_check(&apply->guard, &key.val, true);
	if (code != 0)
		return code;
	code = mdb_get(apply->txn, apply->store->pages.data, &key.val, &stored);
	if (code != 0)
		return code;
	if (!page_entry_split(&key.val, &stored, &entry) || entry.far || entry.value.size != sizeof(*page))
		return MDB_CORRUPTED;
	memcpy(page, entry.value.data, sizeof(*page));
	return 0;
}

static int put_garbage(struct apply *apply, uint64_t id)
{
	struct page_key key;
	uint32_t checksum;
	MDB_val value = { sizeof(checksum), &checksum };

	page_key_set(&apply->store->pages, &key, id, (struct kvrel_slice){ 0 });
	checksum = garbage_checksum(&key.val);
	return mdb_put(apply->txn, apply->store->pages.garbage, &key.val, &value, 0);
}

static struct bucket *made_bucket(const struct apply *apply, uint64_t id)
{
	const struct bucket_list *made = &apply->memtable->made;
	size_t low = 0, high = made->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (made->items[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < made->count && made->items[low]->id == id ? made->items[low] : NULL;
}

int apply_bucket_begin(struct apply *apply, const struct record *record)
{
	struct bucket *bucket = made_bucket(apply, record_bucket_id(record));
	struct page_bucket page;
	int code = get_directory(apply, record_key(record), &page);

	if (bucket == NULL)
		return MDB_CORRUPTED;
	if (code == 0 && page.id != bucket->id)
		code = put_garbage(apply, page.id);
	else if (code == MDB_NOTFOUND) {
		apply->state.bucket_count++;
		code = 0;
	}
	if (code == 0)
		code = apply_touch(apply, bucket);
	if (code != 0)
		return code;
	bucket->stored.there = true;
	bucket->stored.stays = record_bucket(record).stays != 0;
	return apply_bucket_put(apply, bucket);
}

int apply_bucket_end(struct apply *apply, const struct record *record)
{
	struct page_bucket page;
	struct page_key key;
	int code = get_directory(apply, record_key(record), &page);

	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : code;
	page_key_set(&apply->store->pages, &key, 0, record_key(record));
	apply->removed = true;
	code = mdb_del(apply->txn, apply->store->pages.data, &key.val, NULL);
	if (code == 0 && (record->kind == RECORD_DROP || page.id != record_bucket_id(record)))
		code = put_garbage(apply, page.id);
	apply->state.bucket_count--;
	return code;
}
