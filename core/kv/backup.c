/* SPDX-License-Identifier: MIT */
/*
 * A copy while the store serves: everything so far is put into the pages, then a compact copy of them, as they were at
 * that moment, is written. It is made beside its place and renamed when every entry of it was looked at and it is
 * synced, so that what has the name is a whole backup. It has the layout of a data folder: to restore it, put it where
 * kv.data_dir points.
 *
 * The folder beside is locked by who writes it. One that nobody has locked is what a kill left: it is begun anew.
 */
#include "background.h"

#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup {
	struct background base;
	char path[4000];
	char partial[4096];
	int partial_fd;
	bool renamed;
};

/* ---- the folder beside ----------------------------------------------------------------------------------------- */

static void clear_partial(const struct backup *backup)
{
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
		return 0;
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

static int sync_parent(const char *path)
{
	char parent[4096];
	char *slash;
	int fd, code;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	slash[slash == parent ? 1 : 0] = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	code = fsync(fd);
	close(fd);
	return code;
}

/* What is to be relied on one day is looked at today. */
static int verify_copy(const struct backup *backup, struct kv_error *err)
{
	struct pages copy = { 0 };
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
	snapshot_end(&wish);
	return code;
}

static int complete(struct backup *backup, struct kv_error *err)
{
	struct stat stat;

	if (lstat(backup->path, &stat) == 0)
		return kv_fail(err, "backup: '%.300s' exists already: choose another path", backup->path);
	backup->renamed = fsync(backup->partial_fd) == 0 && rename(backup->partial, backup->path) == 0;
	if (backup->renamed && sync_parent(backup->path) == 0)
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
