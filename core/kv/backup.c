/* SPDX-License-Identifier: MIT */
/*
 * A copy while the store serves: everything so far is put into the pages, then a compact copy of them, as they were at
 * that moment, is written, and the files of far values that they name are copied, which nobody changes and the
 * applying thread keeps meanwhile. It is made beside its place and renamed when every entry of it was looked at and it
 * is synced, so that what has the name is a whole backup. It has the layout of a data folder: to restore it, put it
 * where kv.data_dir points.
 *
 * The folder beside is locked by who writes it. One that nobody has locked is what a kill left: it is begun anew.
 */
#include "background.h"

#include "result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_PIECE = 1 << 20 };

struct backup {
	struct background base;
	char path[4000];
	char partial[4096];
	int partial_fd;
	bool renamed;
};

/* ---- the folder beside ----------------------------------------------------------------------------------------- */

/* The folder in it. */
static void clear_log(const struct backup *backup)
{
	int fd = openat(backup->partial_fd, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		unlinkat(fd, entry->d_name, 0);
	if (folder != NULL)
		closedir(folder);
	else if (fd >= 0)
		close(fd);
	unlinkat(backup->partial_fd, "log", AT_REMOVEDIR);
}

static void clear_partial(const struct backup *backup)
{
	clear_log(backup);
	unlinkat(backup->partial_fd, "data.mdb", 0);
	unlinkat(backup->partial_fd, "lock.mdb", 0);
}

/* Whether the folder that was locked still is the one with this name: it may have been completed just before. */
static bool is_partial(const struct backup *backup)
{
	struct stat locked, named;

	return fstat(backup->partial_fd, &locked) == 0 && lstat(backup->partial, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* Whether it would lie among the log's segments, which a start takes all that has their names for. */
static bool is_in_log(const struct backup *backup)
{
	struct stat log, parent;

	return fstat(backup->base.store->log.dir_fd, &log) == 0 && fstatat(backup->partial_fd, "..", &parent, 0) == 0 &&
	       log.st_dev == parent.st_dev && log.st_ino == parent.st_ino;
}

static int take_partial(struct backup *backup, struct kv_error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	if (mkdir(backup->partial, 0700) != 0 && errno != EEXIST)
		return kv_fail(err, "backup: cannot make '%.300s': %s", backup->partial, strerror(errno));
	backup->partial_fd = open(backup->partial, flags);
	if (backup->partial_fd < 0)
		return kv_fail(err, "backup: cannot open '%.300s': %s", backup->partial, strerror(errno));
	if (flock(backup->partial_fd, LOCK_EX | LOCK_NB) == 0 && is_partial(backup)) {
		clear_partial(backup);
		if (!is_in_log(backup))
			return 0;
		rmdir(backup->partial);
		close(backup->partial_fd);
		return kv_fail(err, "backup: '%.300s' lies in the store's own log: choose another path", backup->path);
	}
	close(backup->partial_fd);
	return kv_fail(err, "backup: another one is being written to '%.300s'", backup->path);
}

static void give_partial_up(const struct backup *backup)
{
	if (backup->renamed)
		return;
	clear_partial(backup);
	rmdir(backup->partial);
}

/* ---- copying --------------------------------------------------------------------------------------------------- */

/* `size` bytes, to what may be another file system. 0 or errno. */
static int copy_bytes(const struct backup *backup, int from, int to, uint64_t size)
{
	char *piece = malloc(COPY_PIECE);
	int code = piece != NULL ? 0 : ENOMEM;

	for (uint64_t at = 0, part; code == 0 && at < size; at += part) {
		part = size - at < COPY_PIECE ? size - at : COPY_PIECE;
		code = file_read(from, piece, part, at);
		if (code == 0)
			code = file_write(to, piece, part, at);
		if (code == 0 && pages_give_up(&backup->base.store->pages))
			code = ECANCELED;
	}
	free(piece);
	return code;
}

static int copy_file(const struct backup *backup, int to_dir, const struct value_file *file)
{
	int from = segment_open(backup->base.store->log.dir_fd, file->number), to, code;
	char name[SEGMENT_NAME_BYTES];

	if (from < 0)
		return errno;
	segment_name(file->number, name);
	to = openat(to_dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	code = to >= 0 ? copy_bytes(backup, from, to, file->row.used) : errno;
	if (code == 0 && fsync(to) != 0)
		code = errno;
	if (to >= 0)
		close(to);
	close(from);
	return code;
}

static int copy_files(const struct backup *backup, const struct value_set *set)
{
	int fd, code = 0;

	if (set->count == 0)
		return 0;
	if (mkdirat(backup->partial_fd, "log", 0700) != 0)
		return errno;
	fd = openat(backup->partial_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	for (size_t i = 0; code == 0 && i < set->count; i++)
		code = copy_file(backup, fd, set->files[i]);
	if (code == 0 && fsync(fd) != 0)
		code = errno;
	close(fd);
	return code;
}

/* Those that the snapshot names. */
static int copy_values(const struct backup *backup, MDB_txn *txn, struct kv_error *err)
{
	const struct durable *store = backup->base.store;
	struct values values = { .table = store->pages.values->table };
	int code = values_init(&values, txn, store->log.dir, store->pages.values->store);

	if (code != 0)
		pages_fail(err, "cannot read its table of values", code);
	else if ((code = copy_files(backup, atomic_load(&values.set))) == ECANCELED)
		kv_fail(err, "the store is stopping");
	else if (code != 0)
		kv_fail(err, "backup: cannot copy values to '%.300s/log': %s", backup->partial, strerror(code));
	values_done(&values);
	return code == 0 ? 0 : -1;
}

/* What is to be relied on one day is looked at today. */
static int verify_copy(const struct backup *backup, struct kv_error *err)
{
	struct pages copy = { .give_up = backup->base.store->pages.give_up };
	int code = pages_open(&copy, backup->partial, backup->base.store->options.map_size, 1, err);

	if (code == 0)
		code = pages_verify(&copy, err);
	pages_close(&copy);
	unlinkat(backup->partial_fd, "lock.mdb", 0);
	return code;
}

static int copy_snapshot(const struct backup *backup, struct kv_error *err)
{
	struct durable *store = backup->base.store;
	struct snapshot_wish wish;
	int code = snapshot_begin(store, &wish, err);

	if (code == 0)
		code = pages_copy(&store->pages, &wish.meta, backup->partial, store->options.map_size, err);
	if (code == 0)
		code = copy_values(backup, wish.txn, err);
	snapshot_end(&wish);
	return code;
}

static int complete(struct backup *backup, struct kv_error *err)
{
	struct stat stat;

	if (lstat(backup->path, &stat) == 0)
		return kv_fail(err, "backup: '%.300s' exists already: choose another path", backup->path);
	backup->renamed = fsync(backup->partial_fd) == 0 && rename(backup->partial, backup->path) == 0;
	if (backup->renamed && file_sync_parent(backup->path) == 0)
		return 0;
	return kv_fail(err, "backup: cannot complete '%.300s': %s", backup->path, strerror(errno));
}

static int run(struct background *job, struct kv_error *err)
{
	struct backup *backup = (struct backup *)job;
	int code = take_partial(backup, err);

	if (code != 0)
		return code;
	if (copy_snapshot(backup, err) != 0 || verify_copy(backup, err) != 0 || complete(backup, err) != 0) {
		give_partial_up(backup);
		code = -1;
	}
	close(backup->partial_fd);
	return code;
}

static int start_backup(struct durable *store, const struct engine_request *request, struct kv_error *err)
{
	struct kvrel_slice path = request->items[0];
	struct backup *backup = calloc(1, sizeof(*backup));
	struct stat stat;
	int size, code = 0;

	if (backup == NULL)
		return kv_fail(err, "out of memory");
	backup->base = (struct background){ store, request->call, run };
	while (path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	size = snprintf(backup->path, sizeof(backup->path), "%.*s", (int)path.size, path.data);
	snprintf(backup->partial, sizeof(backup->partial), "%s.partial", backup->path);
	if (size < 0 || (size_t)size >= sizeof(backup->path))
		code = kv_fail(err, "backup: the path is too long");
	else if (lstat(backup->path, &stat) == 0)
		code = kv_fail(err, "backup: '%.300s' exists already: choose another path", backup->path);
	if (code == 0)
		return background_start(&backup->base, "kv-backup", err);
	free(backup);
	return code;
}

void run_backup(struct durable *store, const struct engine_request *request)
{
	struct kv_error err;

	if (start_backup(store, request, &err) != 0)
		result_error(request->call, err.message);
}
