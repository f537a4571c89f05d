/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX_BYTES = PAGE_KEY_MAX - PAGE_ID_BYTES - 16 };

int pages_fail(struct kv_error *err, const char *what, int code)
{
	const char *advice = code == MDB_MAP_FULL ? ": raise kv.map_size"
			     : code == ENOSPC     ? ": make room on the disk"
			     : code == ENOMEM     ? ": lower kv.map_size or lift the limit of the address space"
						  : "";

	return kv_fail(err, "kv store: %s: %s%s", what, mdb_strerror(code), advice);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

void page_key_set(const struct pages *pages, struct page_key *out, uint64_t bucket, struct kvrel_slice key)
{
	struct hash_digest digest;

	for (int i = 0; i < PAGE_ID_BYTES; i++)
		out->bytes[i] = (unsigned char)(bucket >> (8 * (PAGE_ID_BYTES - 1 - i)));
	out->digested = key.size >= PAGE_KEY_MAX - PAGE_ID_BYTES;
	out->val.mv_data = out->bytes;
	out->val.mv_size = PAGE_KEY_MAX;
	if (!out->digested) {
		if (key.size > 0)
			memcpy(out->bytes + PAGE_ID_BYTES, key.data, key.size);
		out->val.mv_size = PAGE_ID_BYTES + key.size;
		return;
	}
	memcpy(out->bytes + PAGE_ID_BYTES, key.data, PREFIX_BYTES);
	digest = hash_keyed(key.data, key.size, pages->state.store);
	memcpy(out->bytes + PAGE_ID_BYTES + PREFIX_BYTES, &digest, sizeof(digest));
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

bool page_entry_split(const MDB_val *stored_key, const MDB_val *stored_value, struct kvrel_slice *key,
		      struct kvrel_slice *value)
{
	const char *bytes = stored_value->mv_data;
	uint32_t size;

	if (stored_key->mv_size < PAGE_ID_BYTES)
		return false;
	if (stored_key->mv_size < PAGE_KEY_MAX) {
		*key = (struct kvrel_slice){ (const char *)stored_key->mv_data + PAGE_ID_BYTES,
					     stored_key->mv_size - PAGE_ID_BYTES };
		*value = (struct kvrel_slice){ bytes, stored_value->mv_size };
		return true;
	}
	if (stored_value->mv_size < sizeof(size))
		return false;
	memcpy(&size, bytes, sizeof(size));
	if (size > stored_value->mv_size - sizeof(size))
		return false;
	*key = (struct kvrel_slice){ bytes + sizeof(size), size };
	*value = (struct kvrel_slice){ bytes + sizeof(size) + size, stored_value->mv_size - sizeof(size) - size };
	return true;
}

int page_put(const struct pages *pages, MDB_txn *txn, MDB_cursor *cursor, uint64_t bucket, struct kvrel_slice name,
	     struct page_key *key, struct kvrel_slice value)
{
	MDB_val stored = { value.size, (void *)value.data };
	uint32_t size = (uint32_t)name.size;
	unsigned flags = 0;
	int code;

	page_key_set(pages, key, bucket, name);
	if (key->digested) {
		stored = (MDB_val){ sizeof(size) + name.size + value.size, NULL };
		flags = MDB_RESERVE;
	}
	code = cursor != NULL ? mdb_cursor_put(cursor, &key->val, &stored, flags)
			      : mdb_put(txn, pages->data, &key->val, &stored, flags);
	if (code == 0 && key->digested) {
		char *at = stored.mv_data;

		memcpy(at, &size, sizeof(size));
		memcpy(at + sizeof(size), name.data, name.size);
		memcpy(at + sizeof(size) + name.size, value.data, value.size);
	}
	return code;
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

static int open_tables(struct pages *pages, MDB_txn *txn)
{
	int code = mdb_dbi_open(txn, "data", MDB_CREATE, &pages->data);

	if (code == 0)
		code = mdb_dbi_open(txn, "garbage", MDB_CREATE, &pages->garbage);
	if (code == 0)
		code = mdb_dbi_open(txn, "meta", MDB_CREATE, &pages->meta);
	return code;
}

static int make_state(struct pages *pages, MDB_txn *txn)
{
	MDB_val key = { 5, (char *)"state" }, value = { sizeof(pages->state), &pages->state };

	pages->state = (struct page_state){ .format = PAGES_FORMAT, .applied = 64, .next_bucket = 1 };
	if (getrandom(pages->state.store, sizeof(pages->state.store), 0) != sizeof(pages->state.store))
		return errno;
	return mdb_put(txn, pages->meta, &key, &value, 0);
}

static int load_state(struct pages *pages, MDB_txn *txn, struct kv_error *err)
{
	MDB_val key = { 5, (char *)"state" }, value;
	int code = mdb_get(txn, pages->meta, &key, &value);
	uint32_t format;

	if (code == MDB_NOTFOUND)
		code = make_state(pages, txn);
	else if (code == 0) {
		if (value.mv_size < sizeof(format))
			return kv_fail(err, "kv store: its state record is damaged: restore a backup");
		memcpy(&format, value.mv_data, sizeof(format));
		if (format != PAGES_FORMAT)
			return kv_fail(
				err, "kv store: it has format %u, this version knows %d: run the version that wrote it",
				format, PAGES_FORMAT);
		if (value.mv_size != sizeof(pages->state))
			return kv_fail(err, "kv store: its state record is damaged: restore a backup");
		memcpy(&pages->state, value.mv_data, sizeof(pages->state));
	}
	return code == 0 ? 0 : pages_fail(err, "cannot read its state", code);
}

static int open_store(struct pages *pages, struct kv_error *err)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(pages->env, NULL, 0, &txn);

	if (code != 0)
		return pages_fail(err, "cannot begin", code);
	code = open_tables(pages, txn);
	if (code != 0) {
		mdb_txn_abort(txn);
		return pages_fail(err, "cannot open its tables", code);
	}
	if (load_state(pages, txn, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	code = mdb_txn_commit(txn);
	return code == 0 ? 0 : pages_fail(err, "cannot commit", code);
}

static int open_folder(struct pages *pages, const char *dir, uint64_t map_size, unsigned readers, struct kv_error *err)
{
	char what[400];
	int code = mdb_env_create(&pages->env);

	if (code != 0)
		return pages_fail(err, "cannot make an environment", code);
	mdb_env_set_maxdbs(pages->env, 4);
	mdb_env_set_maxreaders(pages->env, readers);
	code = mdb_env_set_mapsize(pages->env, map_size);
	if (code == 0)
		code = mdb_env_open(pages->env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code != 0) {
		snprintf(what, sizeof(what), "cannot open '%.350s'", dir);
		pages_fail(err, what, code);
	} else if (open_store(pages, err) == 0) {
		return 0;
	}
	pages_close(pages);
	return -1;
}

static int move_into_place(const char *making, const char *dir, struct kv_error *err)
{
	char from[4300], to[4300];
	int fd, code = 0;

	snprintf(from, sizeof(from), "%s/data.mdb", making);
	snprintf(to, sizeof(to), "%s/data.mdb", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || rename(from, to) != 0 || fsync(fd) != 0)
		code = pages_fail(err, "cannot move the new store into place", errno);
	if (fd >= 0)
		close(fd);
	snprintf(from, sizeof(from), "%s/lock.mdb", making);
	unlink(from);
	rmdir(making);
	return code;
}

/* LMDB's first pages are not written as one; so they get their place when they are complete and synced. */
static int make_store(const char *dir, uint64_t map_size, struct kv_error *err)
{
	struct pages pages = { 0 };
	char path[4200];
	struct stat stat;
	int code;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (lstat(path, &stat) == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/.making/data.mdb", dir);
	unlink(path); /* of an attempt that was cut short */
	snprintf(path, sizeof(path), "%s/.making", dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return pages_fail(err, "cannot make a folder for the new store", errno);
	if (open_folder(&pages, path, map_size, 1, err) != 0)
		return -1;
	code = mdb_env_sync(pages.env, 1);
	pages_close(&pages);
	return code == 0 ? move_into_place(path, dir, err) : pages_fail(err, "cannot sync the new store", code);
}

int pages_open(struct pages *pages, const char *dir, uint64_t map_size, unsigned readers, struct kv_error *err)
{
	if (make_store(dir, map_size, err) != 0)
		return -1;
	return open_folder(pages, dir, map_size, readers, err);
}

void pages_close(struct pages *pages)
{
	if (pages->env != NULL)
		mdb_env_close(pages->env);
	pages->env = NULL;
}
