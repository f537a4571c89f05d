/* SPDX-License-Identifier: MIT */
/*
 * A copy while the store serves: everything so far is put into the pages, then LMDB writes a compacted copy of one
 * snapshot. It is made beside its place and renamed when every entry of it was looked at and it is synced, so that what
 * has the name is a whole backup. It has the layout of a data folder: to restore it, put it where kv.data_dir points.
 */
#include "durable.h"

#include "result.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup {
	struct durable *store;
	struct kvrel_call *call;
	char path[4000];
	char partial[4096];
};

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), code;

	if (fd < 0)
		return -1;
	code = fsync(fd);
	close(fd);
	return code;
}

static int sync_parent(const char *path)
{
	char parent[4096];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	slash[slash == parent ? 1 : 0] = '\0';
	return sync_path(parent, O_RDONLY | O_DIRECTORY);
}

/* A copy of damaged pages is no backup. */
static int verify_copy(const struct backup *backup, struct kv_error *err)
{
	char lock[4200];
	struct pages copy = { 0 };
	int code = pages_open(&copy, backup->partial, backup->store->options.map_size, 1, err);

	if (code == 0)
		code = pages_verify(&copy, err);
	pages_close(&copy);
	snprintf(lock, sizeof(lock), "%s/lock.mdb", backup->partial);
	unlink(lock);
	return code;
}

static int copy_pages(struct backup *backup, struct kv_error *err)
{
	char data[4200];
	int code;

	if (mkdir(backup->partial, 0700) != 0)
		return kv_fail(err, "backup: cannot make '%.300s': %s", backup->partial, strerror(errno));
	code = mdb_env_copy2(backup->store->pages.env, backup->partial, MDB_CP_COMPACT);
	snprintf(data, sizeof(data), "%s/data.mdb", backup->partial);
	if (code != 0) {
		unlink(data);
		rmdir(backup->partial);
		return kv_fail(err, "backup: cannot write '%.300s': %s", data, mdb_strerror(code));
	}
	if (verify_copy(backup, err) != 0) {
		unlink(data);
		rmdir(backup->partial);
		return -1;
	}
	if (sync_path(data, O_RDONLY) == 0 && sync_path(backup->partial, O_RDONLY | O_DIRECTORY) == 0 &&
	    rename(backup->partial, backup->path) == 0 && sync_parent(backup->path) == 0)
		return 0;
	code = errno;
	unlink(data);
	rmdir(backup->partial);
	return kv_fail(err, "backup: cannot complete '%.300s': %s", backup->path, strerror(code));
}

static void backup_main(void *argument)
{
	struct backup *backup = argument;
	struct durable *store = backup->store;
	struct kv_error err;

	if (applier_checkpoint(store, &err) != 0 || copy_pages(backup, &err) != 0)
		result_error(backup->call, err.message);
	else
		result_nil(backup->call);
	free(backup);
	atomic_fetch_sub(&store->applier.backups, 1);
}

static int start_backup(struct durable *store, const struct engine_request *request, struct kv_error *err)
{
	struct kvrel_slice path = request->items[0];
	struct backup *backup = calloc(1, sizeof(*backup));
	pthread_t thread;
	struct stat stat;
	int code;

	if (backup == NULL)
		return kv_fail(err, "out of memory");
	backup->store = store;
	backup->call = request->call;
	while (path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	code = snprintf(backup->path, sizeof(backup->path), "%.*s", (int)path.size, path.data);
	snprintf(backup->partial, sizeof(backup->partial), "%s.partial", backup->path);
	if (code < 0 || (size_t)code >= sizeof(backup->path))
		code = kv_fail(err, "backup: the path is too long");
	else if (lstat(backup->path, &stat) == 0)
		code = kv_fail(err, "backup: '%.300s' exists already: choose another path", backup->path);
	else if (lstat(backup->partial, &stat) == 0)
		code = kv_fail(err, "backup: '%.300s' exists: remove it if no other backup is under way",
			       backup->partial);
	else
		code = 0;
	if (code == 0) {
		atomic_fetch_add(&store->applier.backups, 1);
		code = thread_start(&thread, &store->options.host, "kv-backup", backup_main, backup);
		if (code == 0) {
			pthread_detach(thread);
			return 0;
		}
		atomic_fetch_sub(&store->applier.backups, 1);
		code = kv_fail(err, "backup: cannot start its thread: %s", strerror(code));
	}
	free(backup);
	return code;
}

void run_backup(struct durable *store, const struct engine_request *request)
{
	struct kv_error err;

	if (start_backup(store, request, &err) != 0)
		result_error(request->call, err.message);
}
