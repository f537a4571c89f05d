/* SPDX-License-Identifier: MIT */
/*
 * One entry of the pages: bucket id and key, value and checksum.
 *
 * Ids take one byte below 240, else a byte that tells their length and those bytes, so that they sort as numbers and
 * no id begins with another: in a store of few buckets they cost next to nothing.
 *
 * LMDB checks nothing of what it reads. The checksum is of key and value, inverted where the value is a far one's
 * place; what does not fit it is never told to anybody.
 */
#include "pages.h"

#include "hash.h"

#include <errno.h>
#include <string.h>

enum { ID_ONE_BYTE = 240, PREFIX_BYTES = PAGE_LONG_KEY - 16, SUM_BYTES = 4 };

/* ---- ids --------------------------------------------------------------------------------------------------- */

size_t page_id_put(unsigned char out[PAGE_ID_MAX], uint64_t id)
{
	size_t size = 1;

	if (id < ID_ONE_BYTE) {
		out[0] = (unsigned char)id;
		return 1;
	}
	while (size < PAGE_ID_MAX - 1 && id >> (8 * size) != 0)
		size++;
	out[0] = (unsigned char)(ID_ONE_BYTE + size);
	for (size_t i = 0; i < size; i++)
		out[1 + i] = (unsigned char)(id >> (8 * (size - 1 - i)));
	return 1 + size;
}

size_t page_id_get(const MDB_val *stored, uint64_t *id)
{
	const unsigned char *bytes = stored->mv_data;
	size_t size;

	if (stored->mv_size == 0)
		return 0;
	*id = bytes[0];
	if (bytes[0] < ID_ONE_BYTE)
		return 1;
	size = bytes[0] - ID_ONE_BYTE;
	if (size == 0 || size >= PAGE_ID_MAX || stored->mv_size <= size)
		return 0;
	*id = 0;
	for (size_t i = 0; i < size; i++)
		*id = *id << 8 | bytes[1 + i];
	return 1 + size;
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

void page_key_set(const struct pages *pages, struct page_key *out, uint64_t bucket, struct kvrel_slice key)
{
	size_t id_size = page_id_put(out->bytes, bucket);
	struct hash_digest digest;

	out->digested = key.size >= PAGE_LONG_KEY;
	out->val.mv_data = out->bytes;
	out->val.mv_size = id_size + (out->digested ? (size_t)PAGE_LONG_KEY : key.size);
	if (!out->digested) {
		if (key.size > 0)
			memcpy(out->bytes + id_size, key.data, key.size);
		return;
	}
	memcpy(out->bytes + id_size, key.data, PREFIX_BYTES);
	digest = hash_keyed(key.data, key.size, pages->digest_key);
	memcpy(out->bytes + id_size + PREFIX_BYTES, &digest, sizeof(digest));
}

int page_key_compare(const struct pages *pages, struct kvrel_slice a, struct kvrel_slice b)
{
	struct page_key left, right;
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order;

	if (a.size >= PREFIX_BYTES || b.size >= PREFIX_BYTES) {
		page_key_set(pages, &left, 0, a);
		page_key_set(pages, &right, 0, b);
		a = (struct kvrel_slice){ left.val.mv_data, left.val.mv_size };
		b = (struct kvrel_slice){ right.val.mv_data, right.val.mv_size };
		shorter = a.size < b.size ? a.size : b.size;
	}
	order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* ---- entries ----------------------------------------------------------------------------------------------- */

static uint32_t sum_of(const MDB_val *key, const char *value, size_t size)
{
	return crc32c(crc32c(0, key->mv_data, key->mv_size), value, size);
}

bool page_entry_split(const MDB_val *stored_key, const MDB_val *stored_value, struct page_entry *entry)
{
	const char *bytes = stored_value->mv_data;
	size_t id_size = page_id_get(stored_key, &entry->bucket), left;
	uint32_t size, sum, expected;

	if (id_size == 0 || stored_value->mv_size < sizeof(sum))
		return false;
	left = stored_value->mv_size - sizeof(sum);
	memcpy(&sum, bytes + left, sizeof(sum));
	expected = sum_of(stored_key, bytes, left);
	entry->far = sum == ~expected;
	if (sum != expected && !entry->far)
		return false;
	if (stored_key->mv_size - id_size < PAGE_LONG_KEY) {
		entry->key = (struct kvrel_slice){ (const char *)stored_key->mv_data + id_size,
						   stored_key->mv_size - id_size };
		entry->value = (struct kvrel_slice){ bytes, left };
		return !entry->far || left == sizeof(struct far_value);
	}
	if (left < sizeof(size))
		return false;
	memcpy(&size, bytes, sizeof(size));
	if (size > left - sizeof(size))
		return false;
	entry->key = (struct kvrel_slice){ bytes + sizeof(size), size };
	entry->value = (struct kvrel_slice){ bytes + sizeof(size) + size, left - sizeof(size) - size };
	return !entry->far || entry->value.size == sizeof(struct far_value);
}

bool page_entry_far(const MDB_val *stored_key, const MDB_val *stored_value, struct far_value *far)
{
	const bool digested = stored_key->mv_size >= PAGE_LONG_KEY;
	struct page_entry entry;

	/* most entries need no more than this look */
	if (!digested && stored_value->mv_size != sizeof(*far) + SUM_BYTES)
		return false;
	if (!page_entry_split(stored_key, stored_value, &entry) || !entry.far)
		return false;
	memcpy(far, entry.value.data, sizeof(*far));
	return true;
}

int page_entry_value(const struct pages *pages, const struct page_entry *entry, struct kvrel_slice *value,
		     struct kv_error *err)
{
	struct far_value far;

	*value = entry->value;
	if (!entry->far)
		return 0;
	memcpy(&far, entry->value.data, sizeof(far));
	return value_resolve(pages->values, &far, value, err);
}

int page_put(const struct pages *pages, MDB_txn *txn, MDB_cursor *cursor, uint64_t bucket, struct kvrel_slice name,
	     struct page_key *key, struct kvrel_slice value, bool far)
{
	uint32_t size = (uint32_t)name.size, sum;
	MDB_val stored;
	char *at;
	int code;

	page_key_set(pages, key, bucket, name);
	stored = (MDB_val){ (key->digested ? sizeof(size) + name.size : 0) + value.size + sizeof(sum), NULL };
	code = cursor != NULL ? mdb_cursor_put(cursor, &key->val, &stored, MDB_RESERVE)
			      : mdb_put(txn, pages->data, &key->val, &stored, MDB_RESERVE);
	if (code != 0)
		return code;
	at = stored.mv_data;
	if (key->digested) {
		memcpy(at, &size, sizeof(size));
		memcpy(at + sizeof(size), name.data, name.size);
		at += sizeof(size) + name.size;
	}
	if (value.size > 0)
		memcpy(at, value.data, value.size);
	at += value.size;
	sum = sum_of(&key->val, stored.mv_data, (size_t)(at - (char *)stored.mv_data));
	sum = far ? ~sum : sum;
	memcpy(at, &sum, sizeof(sum));
	return 0;
}

int pages_lost(const struct pages *pages, struct kv_error *err)
{
	return kv_fail(
		err, "kv store: not all of '%.300s' can be read: it was cut short, or its disk fails: restore a backup",
		pages->file);
}

/* `what` lies at `place`; zeros may, where it could not be read. */
static int damaged_at(const struct pages *pages, const char *what, const void *place, struct kv_error *err)
{
	if (atomic_load(&pages->map.lost))
		return pages_lost(pages, err);
	return kv_fail(err, "kv store: '%.300s': the %s at offset %zu is damaged: restore a backup", pages->file, what,
		       (size_t)((const char *)place - pages->map.at));
}

int page_damaged(const struct pages *pages, const void *at, struct kv_error *err)
{
	return damaged_at(pages, "entry", at, err);
}

int pages_path_damaged(const struct pages *pages, const struct page_path *path, struct kv_error *err)
{
	if (path->damage == NULL)
		return kv_fail(err, "kv store: '%.300s': the record of a table is damaged: restore a backup",
			       pages->file);
	return damaged_at(pages, path->is_page ? "page" : "entry", path->damage, err);
}

bool page_entry_proves(const MDB_val *key, const MDB_val *value)
{
	struct page_entry entry;

	return page_entry_split(key, value, &entry);
}
