/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BEGIN_TRIES = 1000, FULL_BYTES = 1 << 20 };

int pages_fail(struct kv_error *err, const char *what, int code)
{
	const char *advice = code == MDB_MAP_FULL ? ": raise kv.map_size"
			     : code == ENOSPC     ? ": make room on the disk"
			     : code == EFBIG      ? ": lift the limit of files' sizes (ulimit -f)"
			     : code == ENOMEM     ? ": lower kv.map_size or lift the limit of the address space"
			     : code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID
				     ? ": restore a backup"
				     : "";

	return kv_fail(err, "kv store: %s: %s%s", what, mdb_strerror(code), advice);
}

static bool is_as_large_as_allowed(const char *file)
{
	struct rlimit limit;
	struct stat stat;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && lstat(file, &stat) == 0 &&
	       limit.rlim_cur < (rlim_t)stat.st_size + FULL_BYTES;
}

int pages_write_error(const char *file, int code)
{
	struct statvfs disk;

	if (code != EIO)
		return code;
	if (statvfs(file, &disk) == 0 && disk.f_bavail * disk.f_frsize < FULL_BYTES)
		return ENOSPC;
	return is_as_large_as_allowed(file) ? EFBIG : code;
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

/* *made: there was no table of values yet. */
static int open_tables(struct pages *pages, MDB_txn *txn, bool *made)
{
	int code = mdb_dbi_open(txn, "data", MDB_CREATE, &pages->data);

	if (code == 0)
		code = mdb_dbi_open(txn, "garbage", MDB_CREATE, &pages->garbage);
	if (code == 0)
		code = mdb_dbi_open(txn, "meta", MDB_CREATE, &pages->meta);
	if (code == 0)
		code = mdb_dbi_open(txn, "values", 0, &pages->values->table);
	*made = code == MDB_NOTFOUND;
	if (*made)
		code = mdb_dbi_open(txn, "values", MDB_CREATE, &pages->values->table);
	return code;
}

static int open_store(struct pages *pages, const char *dir, struct kv_error *err)
{
	char log[4200];
	MDB_txn *txn;
	bool made;
	int code = mdb_txn_begin(pages->env, NULL, 0, &txn);

	if (code != 0)
		return pages_fail(err, "cannot begin", code);
	code = open_tables(pages, txn, &made);
	if (code != 0) {
		mdb_txn_abort(txn);
		return pages_fail(err, "cannot open its tables", code);
	}
	if (page_state_load(pages, txn, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	snprintf(log, sizeof(log), "%s/log", dir);
	code = made && pages->state.format == PAGES_FORMAT ? MDB_CORRUPTED
							   : values_init(pages->values, txn, log, pages->state.store);
	if (code != 0) {
		mdb_txn_abort(txn);
		return pages_fail(err, "cannot read its table of values", code);
	}
	memcpy(pages->digest_key, pages->state.store, sizeof(pages->digest_key));
	code = pages_commit(pages, txn);
	return code == 0 ? 0 : pages_fail(err, "cannot commit", code);
}

/*
 * Where the map begins: a page begins with its number. LMDB does not tell, and we read for ourselves. The file's first
 * page bears LMDB's mark, which proves the guess.
 */
static int find_map(struct pages *pages, struct kv_error *err)
{
	MDB_val key = PAGE_STATE_KEY, value;
	const struct page_head *page;
	const char *at;
	MDB_txn *txn;
	MDB_envinfo info;
	MDB_stat stat;
	int code = mdb_env_stat(pages->env, &stat);

	if (code == 0)
		code = mdb_env_info(pages->env, &info);
	if (code == 0)
		code = mdb_env_get_fd(pages->env, &pages->map.fd);
	if (code == 0)
		code = mdb_txn_begin(pages->env, NULL, MDB_RDONLY, &txn);
	if (code != 0)
		return pages_fail(err, "cannot begin to read", code);
	code = mdb_get(txn, pages->meta, &key, &value);
	mdb_txn_abort(txn);
	if (code != 0)
		return pages_fail(err, "cannot read its state", code);
	pages->map.size = info.me_mapsize;
	page = (const struct page_head *)((uintptr_t)value.mv_data & ~(uintptr_t)(stat.ms_psize - 1));
	at = (const char *)page - page->number * stat.ms_psize;
	if (page->number > (uintptr_t)page / stat.ms_psize ||
	    ((const struct page_head *)(const void *)at)->number != 0 || page_meta_of(at) == NULL)
		return kv_fail(err, "kv store: '%.300s': its pages are not in their places: restore a backup",
			       pages->file);
	pages->map.at = at;
	pages->map.page_size = stat.ms_psize;
	return 0;
}

/* LMDB writes into whatever bears the name of its lock file. */
static int look_at_lock(const char *dir, struct kv_error *err)
{
	char path[4300];
	struct stat stat;

	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	if (lstat(path, &stat) == 0 ? S_ISREG(stat.st_mode) : errno == ENOENT)
		return 0;
	return kv_fail(err, "kv store: '%.300s' is not a file: remove it", path);
}

/* LMDB hands its data file on to whatever program the process starts. */
static int close_on_exec(MDB_env *env)
{
	int fd, code = mdb_env_get_fd(env, &fd);

	if (code == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		code = errno;
	return code;
}

static int open_environment(struct pages *pages, const char *dir, uint64_t map_size, unsigned readers,
			    struct kv_error *err)
{
	char what[400];
	int code = mdb_env_create(&pages->env);

	pages->values = calloc(1, sizeof(*pages->values));
	if (code == 0 && pages->values == NULL)
		code = ENOMEM;
	if (code != 0)
		return pages_fail(err, "cannot make an environment", code);
	mdb_env_set_maxdbs(pages->env, 4);
	mdb_env_set_maxreaders(pages->env, readers);
	code = mdb_env_set_mapsize(pages->env, map_size);
	if (code == 0 && (look_at_lock(dir, err) != 0 || pages_inspect(pages->file, err) != 0))
		return -1;
	if (code == 0)
		code = mdb_env_open(pages->env, dir, MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMETASYNC, 0600);
	if (code == 0)
		code = close_on_exec(pages->env);
	if (code == 0)
		return 0;
	snprintf(what, sizeof(what), "cannot open '%.350s'", dir);
	return pages_fail(err, what, code);
}

struct opening {
	struct pages *pages;
	const char *dir;
	uint64_t map_size;
	unsigned readers;
	int code;
	struct kv_error *err;
};

static void open_all(void *argument)
{
	struct opening *opening = argument;
	struct pages *pages = opening->pages;
	struct kv_error *err = opening->err;

	if (open_environment(pages, opening->dir, opening->map_size, opening->readers, err) == 0 &&
	    open_store(pages, opening->dir, err) == 0 && find_map(pages, err) == 0)
		opening->code = 0;
}

static int open_folder(struct pages *pages, const char *dir, uint64_t map_size, unsigned readers, struct kv_error *err)
{
	struct opening opening = { pages, dir, map_size, readers, -1, err };

	snprintf(pages->file, sizeof(pages->file), "%s/data.mdb", dir);
	faults_begin();
	pages->watched = true;
	if (fault_ends(open_all, &opening)) {
		/* LMDB would look into its maps to close what it has not opened whole */
		pages->env = NULL;
		pages->values = NULL;
		pages_lost(pages, err);
	}
	if (opening.code != 0)
		pages_close(pages);
	return opening.code;
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

/* What the log holds is of a store that is gone: a new one would have no use for it and take its files away. */
static int refuse_lost(const char *dir, const char *log, const char *name, struct kv_error *err)
{
	return kv_fail(
		err,
		"kv store: '%.200s/data.mdb' is missing, and '%.200s/%s' holds what was written to it: restore it, or "
		"a backup; for an empty store move all of the folder away",
		dir, log, name);
}

/* LMDB's first pages are not written as one; so they get their place when they are complete and synced. */
static int make_store(const char *dir, uint64_t map_size, struct kv_error *err)
{
	struct pages pages = { 0 };
	char path[4200], name[SEGMENT_NAME_BYTES];
	struct stat stat;
	int code;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (lstat(path, &stat) == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/log", dir);
	if (log_was_begun(path, name))
		return refuse_lost(dir, path, name, err);
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
	if (pages->values != NULL)
		values_done(pages->values);
	free(pages->values);
	pages->values = NULL;
	if (pages->env != NULL)
		mdb_env_close(pages->env);
	pages->env = NULL;
	if (pages->watched)
		faults_end();
	pages->watched = false;
}

/* ---- while it is open -------------------------------------------------------------------------------------- */

int pages_commit(struct pages *pages, MDB_txn *txn)
{
	int code;

	atomic_fetch_add(&pages->commits_begun, 1);
	code = mdb_txn_commit(txn);
	atomic_fetch_add(&pages->commits_done, 1);
	return code;
}

/* 1; 0: it was overtaken while it was looked for, the transaction is reset; -1 and why. */
static int begin_once(struct pages *pages, MDB_txn **txn, struct page_meta *meta, struct kv_error *err)
{
	uint64_t done = atomic_load(&pages->commits_done), id;
	const struct page_meta *noted;
	int code = *txn != NULL ? mdb_txn_renew(*txn) : mdb_txn_begin(pages->env, NULL, MDB_RDONLY, txn);

	if (code != 0)
		return pages_fail(err, "cannot begin to read", code);
	id = mdb_txn_id(*txn);
	if (meta->transaction == id)
		return 1;
	noted = page_meta_of(pages->map.at + (id & 1) * pages->map.page_size);
	if (noted != NULL)
		*meta = *noted;
	/* where a commit is noted is overwritten by the second one after it */
	if (noted != NULL && meta->transaction == id && atomic_load(&pages->commits_begun) <= done + 1)
		return 1;
	meta->transaction = 0;
	mdb_txn_reset(*txn);
	return 0;
}

int pages_begin(struct pages *pages, MDB_txn **txn, struct page_meta *meta, struct kv_error *err)
{
	struct fault_watch watch = { .pages = pages };
	int code = 0;

	fault_begin(&watch);
	for (int tries = 0; code == 0 && tries < BEGIN_TRIES; tries++)
		code = begin_once(pages, txn, meta, err);
	if (fault_end(&watch))
		return pages_lost(pages, err);
	if (code == 0)
		return kv_fail(err, "kv store: '%.300s': the record of its last change is damaged: restore a backup",
			       pages->file);
	return code > 0 ? 0 : -1;
}

/* Once more what was committed last, in other pages. */
static int commit_again(struct pages *pages)
{
	MDB_txn *txn;
	int code = page_map_whole(&pages->map) ? mdb_txn_begin(pages->env, NULL, 0, &txn) : MDB_CORRUPTED;

	if (code != 0)
		return code;
	code = page_state_put(pages, txn, &pages->state);
	if (code == 0)
		return pages_commit(pages, txn);
	mdb_txn_abort(txn);
	return code;
}

int pages_sync(struct pages *pages, bool again)
{
	int code = again ? commit_again(pages) : 0;

	return code == 0 ? mdb_env_sync(pages->env, 1) : code;
}

void pages_forget(const struct pages *pages)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(pages->env, &info) == 0 && mdb_env_stat(pages->env, &stat) == 0)
		madvise((void *)pages->map.at, (info.me_last_pgno + 1) * stat.ms_psize, MADV_DONTNEED);
	values_forget(pages->values);
}
