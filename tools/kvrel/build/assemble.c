/* SPDX-License-Identifier: MIT */
#include "build/assemble.h"

#include "base/exchange.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { LOCK_WAIT_MS = 60000 };

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Is it a step of this very build that asks? Then there is nothing to wait for. */
static int lock(const char *parent, int *out, struct error *err)
{
	const char *above = getenv(STAGING_LOCK_VARIABLE);
	struct slice build = { 0 }, folder = { 0 };
	struct stat ours, theirs;
	bool own = above && slice_split(slice_of(above), ':', &build, &folder) && stat(parent, &ours) == 0 &&
		   stat(folder.data, &theirs) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
	struct error why;
	int status = exchange_lock(parent, own ? 0 : LOCK_WAIT_MS, out, &why);
	if (status == -ERROR_TRY_AGAIN && own)
		return error_set(err, ERROR_FAILED,
				 "'%s' is locked by the build of %.*s, which waits for this step; build into another "
				 "folder with --path, or when that build is done",
				 parent, SLICE_FMT(build));
	if (status < 0 && err)
		*err = why;
	return status;
}

/* A replacement that was killed is taken back. Where that cannot be, all of that version is written anew. */
static int recover(const char *root, struct error *err)
{
	SCOPE(buf_done) struct buf version = { 0 }, path = { 0 };
	int status = exchange_recover(root, false, &version, err);
	if (status != -ERROR_NOT_FOUND && status != -ERROR_INVALID)
		return status < 0 ? error_wrap(err, "cannot take back an interrupted build") : 0;
	buf_printf(&path, "%s/releases/%s/manifest.json", root, buf_string(&version));
	(void)unlink(buf_string(&path));
	buf_clear(&path);
	buf_printf(&path, "%s/" EXCHANGE_LIST, root);
	if (unlink(buf_string(&path)) < 0)
		return error_system(err, errno, "cannot remove '%s'", buf_string(&path));
	return 0;
}

static int remove_stale(struct arena *arena, const char *parent, const char *prefix, struct error *err)
{
	SCOPE(close_dir) DIR *dir = opendir(parent);
	if (!dir)
		return error_system(err, errno, "cannot open '%s'", parent);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		int status = fs_remove_tree(path_join(arena, parent, entry->d_name), err);
		if (status < 0)
			return error_wrap(err, "cannot remove what an earlier build left");
	}
	return 0;
}

int staging_begin(struct arena *arena, const char *root, struct staging *out, struct error *err)
{
	SCOPE_FREE char *resolved = realpath(root, NULL);
	struct staging staging = { .root = arena_string(arena, resolved ? resolved : root), .lock_fd = -1 };
	staging.parent = path_dir(arena, staging.root);
	const char *prefix = arena_printf(arena, ".%s.staging-", path_base(staging.root));
	staging.path = arena_printf(arena, "%s/%s%ld", staging.parent, prefix, (long)getpid());
	int status = fs_make_dirs(staging.parent, 0755, err);
	SCOPE_FD int fd = -1;
	if (status == 0)
		status = lock(staging.parent, &fd, err);
	if (status == 0)
		status = recover(staging.root, err);
	if (status == 0)
		status = remove_stale(arena, staging.parent, prefix, err);
	if (status < 0)
		return status;
	staging.lock_fd = TAKE_FD(fd);
	*out = staging;
	return 0;
}

void staging_end(struct staging *staging)
{
	if (staging->lock_fd < 0)
		return;
	(void)fs_remove_tree(staging->path, NULL); /* what stays is removed by the next build */
	close(staging->lock_fd);
	staging->lock_fd = -1;
}

int set_time(const char *path, int64_t seconds, struct error *err)
{
	struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(err, errno, "cannot set the time of '%s'", path);
	return 0;
}

static int write_text(const char *path, struct slice text, mode_t mode, struct error *err)
{
	SCOPE_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system(err, errno, "cannot create '%s'", path);
	int status = fs_write_all(fd, text.data, text.size, err);
	if (status < 0)
		return error_wrap(err, "cannot write '%s'", path);
	return fchmod(fd, mode) < 0 ? error_system(err, errno, "cannot set the mode of '%s'", path) : 0;
}

static int make_dir(const char *path, struct error *err)
{
	if (mkdir(path, 0755) < 0)
		return error_system(err, errno, "cannot create folder '%s'", path);
	return chmod(path, 0755) < 0 ? error_system(err, errno, "cannot set the mode of '%s'", path) : 0;
}

/* The digest was taken before: a source that was rewritten in between would belie the manifest. */
static bool was_rewritten(const struct plan_entry *entry)
{
	const struct timespec *noted = &entry->changed;
	struct stat st;
	if (noted->tv_sec == 0 && noted->tv_nsec == 0)
		return false;
	return stat(entry->source, &st) < 0 || st.st_ctim.tv_sec != noted->tv_sec ||
	       st.st_ctim.tv_nsec != noted->tv_nsec;
}

static int copy(const struct plan_entry *entry, const char *path, struct error *err)
{
	int status = fs_copy_file(entry->content, path, entry->mode, err);
	struct stat st;
	if (status < 0)
		return status;
	if (lstat(path, &st) < 0)
		return error_system(err, errno, "cannot look at '%s'", path);
	if ((uint64_t)st.st_size != entry->size_bytes || was_rewritten(entry))
		return error_set(err, ERROR_TRY_AGAIN, "'%s' was changed while it was copied; build again",
				 entry->source);
	return 0;
}

static int write_entry(const struct plan_entry *entry, const char *path, struct error *err)
{
	switch (entry->kind) {
	case PLAN_DIR:
		return make_dir(path, err);
	case PLAN_FILE:
		return copy(entry, path, err);
	case PLAN_TEXT:
		return write_text(path, entry->text, entry->mode, err);
	case PLAN_LINK:
		return symlink(entry->text.data, path) < 0 ? error_system(err, errno, "cannot create link '%s'", path)
							   : 0;
	}
	return 0;
}

/* One pass begins to write all files out, the next waits: the disk is given its work at once and not file by file. */
static int flush_entry(const struct plan_entry *entry, const char *path, bool wait, struct error *err)
{
	bool folder = entry->kind == PLAN_DIR;
	if (entry->kind == PLAN_LINK || (folder && !wait))
		return 0;
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	if (!wait)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
	else if (fsync(fd) < 0 && errno != EINVAL)                      /* a file system that cannot */
		return error_system(err, errno, "cannot write '%s' to the disk", path);
	return 0;
}

int staging_flush(const struct staging *staging, const struct plan *plan, struct error *err)
{
	struct buf path = { 0 };
	int status = 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < plan->count && status == 0; i++) {
			buf_clear(&path);
			buf_printf(&path, "%s/%s", staging->path, plan->entries[i].path);
			status = flush_entry(&plan->entries[i], buf_string(&path), pass == 1, err);
		}
	buf_done(&path);
	return status < 0 ? status : fs_sync_dir(staging->path, err);
}

int staging_fill(const struct staging *staging, const struct plan *plan, int64_t source_date, struct error *err)
{
	struct buf path = { 0 };
	int status = make_dir(staging->path, err);
	for (size_t i = 0; i < plan->count && status == 0; i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/%s", staging->path, plan->entries[i].path);
		status = write_entry(&plan->entries[i], buf_string(&path), err);
		if (status == 0 && plan->entries[i].kind != PLAN_DIR)
			status = set_time(buf_string(&path), source_date, err);
	}
	/* Making entries changes the times of folders, so those come last, the root at the very end. */
	for (size_t i = plan->count; i-- > 0 && status == 0;) {
		if (plan->entries[i].kind != PLAN_DIR)
			continue;
		buf_clear(&path);
		buf_printf(&path, "%s/%s", staging->path, plan->entries[i].path);
		status = set_time(buf_string(&path), source_date, err);
	}
	buf_done(&path);
	return status < 0 ? status : set_time(staging->path, source_date, err);
}
