/* SPDX-License-Identifier: MIT */
/* Single files, folders and locks. Whole trees are in fs_tree.c. */
#include "base/fs.h"

#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>

enum { READ_CHUNK_BYTES = 64 * 1024 };

void fs_hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
			/* the lowest free number is `fd`; without /dev there is nothing better to do */
			int held =
				open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* NOLINT: is inherited */
			if (held < 0)
				return;
		}
	}
}

int fs_write_all(int fd, const void *data, size_t size, struct error *err)
{
	const char *at = data;

	while (size > 0) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_system(err, errno, "write");
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

static int read_up_to(int fd, size_t max_bytes, struct buf *out, struct error *err)
{
	size_t total = 0;

	for (;;) {
		/* one byte more than allowed tells a file that is too long from one that just fits */
		size_t want = max_bytes - total < READ_CHUNK_BYTES ? max_bytes - total + 1 : READ_CHUNK_BYTES;
		char *to = buf_reserve(out, want);
		ssize_t got;

		if (!to)
			return error_set(err, ERROR_NO_MEMORY, "no memory for its content");
		got = read(fd, to, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "read");
		if (got == 0)
			return 0;
		if ((size_t)got > max_bytes - total)
			return error_set(err, ERROR_LIMIT, "longer than %zu bytes", max_bytes);
		out->size += (size_t)got;
		total += (size_t)got;
	}
}

int fs_read(const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = out->size;
	struct stat st;

	if (fd < 0)
		return error_system(err, errno, "cannot read '%s'", path);
	/* a file that is too long need not be read first; the size of others (0 in /proc) may change yet */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uintmax_t)st.st_size > max_bytes)
		return error_set(err, ERROR_LIMIT, "cannot read '%s': longer than %zu bytes", path, max_bytes);
	if (read_up_to(fd, max_bytes, out, err) < 0) {
		out->size = before;
		return error_wrap(err, "cannot read '%s'", path);
	}
	return 0;
}

int fs_read_file(const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return error_set(err, ERROR_INVALID, "cannot read '%s': it is no file", path);
	return fs_read(path, max_bytes, out, err);
}

int fs_open_file(const char *path, int flags, mode_t mode, int *out_fd, struct error *err)
{
	SCOPE_FD int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
	struct stat st;

	/* ENXIO: a pipe that nobody reads */
	if (fd < 0 && errno != ENXIO)
		return error_system(err, errno, "cannot open '%s'", path);
	if (fd < 0 || fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
		return error_set(err, ERROR_INVALID, "cannot open '%s': it is no file", path);
	if (fcntl(fd, F_SETFL, flags & (O_APPEND | O_ACCMODE)) != 0)
		return error_system(err, errno, "cannot open '%s'", path);
	*out_fd = TAKE_FD(fd);
	return 0;
}

int fs_sync_dir(const char *path, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_system(err, errno, "cannot open folder '%s'", path);
	/* EINVAL: a file system that has nothing to sync for a folder */
	if (fsync(fd) < 0 && errno != EINVAL)
		return error_system(err, errno, "cannot sync folder '%s'", path);
	return 0;
}

static int write_temporary(int fd, struct slice content, mode_t mode, struct error *err)
{
	int rc = fs_write_all(fd, content.data, content.size, err);

	if (rc < 0)
		return rc;
	if (fchmod(fd, mode) < 0)
		return error_system(err, errno, "chmod");
	if (fsync(fd) < 0)
		return error_system(err, errno, "sync");
	return 0;
}

int fs_replace(const char *path, struct slice content, mode_t mode, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	const char *dir = path_dir(&arena, path);
	/* a short name of its own: beside a name of the longest length a suffix would not fit */
	char *temporary = path_join(&arena, dir, ".replace-XXXXXX");
	SCOPE_FD int fd = mkostemp(temporary, O_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_system(err, errno, "cannot write '%s'", path);
	rc = write_temporary(fd, content, mode, err);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = error_system(err, errno, "rename");
	if (rc < 0) {
		unlink(temporary);
		return error_wrap(err, "cannot write '%s'", path);
	}
	return fs_sync_dir(dir, err);
}

/* The last component may exist already, as long as it is a folder. */
static int make_dir(const char *path, mode_t mode, struct error *err)
{
	int why = mkdir(path, mode) < 0 ? errno : 0;

	if (!why || (why == EEXIST && fs_is_dir(path)))
		return 0;
	return error_system(err, why == EEXIST ? ENOTDIR : why, "cannot make folder '%s'", path);
}

int fs_make_dirs(const char *path, mode_t mode, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	char *copy = arena_string(&arena, path);

	if (fs_is_dir(path))
		return 0;
	for (char *slash = copy + strspn(copy, "/"); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		/* an existing parent is left alone, even one we may not look into */
		int why = mkdir(copy, mode) < 0 ? errno : 0;

		if (why && why != EEXIST && !fs_is_dir(copy))
			return error_system(err, why, "cannot make folder '%s'", copy);
		*slash = '/';
	}
	return make_dir(path, mode, err);
}

int fs_check_private_dir(const char *path, const char *purpose, struct error *err)
{
	SCOPE_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_system(err, errno, "cannot use the folder '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERROR_FAILED, "cannot use '%s' for %s: it is no folder; remove it", path,
				 purpose);
	if (st.st_uid != geteuid())
		return error_set(err, ERROR_FAILED,
				 "cannot use the folder '%s' for %s: it belongs to user %lu, not to us (%lu); "
				 "set XDG_RUNTIME_DIR to a folder of your own",
				 path, purpose, (unsigned long)st.st_uid, (unsigned long)geteuid());
	if (st.st_mode & 077)
		return error_set(
			err, ERROR_FAILED,
			"cannot use the folder '%s' for %s: others may enter it (mode %03o); run chmod 700 on it", path,
			purpose, (unsigned)st.st_mode & 0777);
	return 0;
}

bool fs_is_own_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

bool fs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool fs_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int fs_read_link(const char *path, struct buf *out, struct error *err)
{
	char target[PATH_MAX];
	ssize_t size = readlink(path, target, sizeof(target));

	if (size < 0)
		return error_system(err, errno, "cannot read link '%s'", path);
	if (size == (ssize_t)sizeof(target))
		return error_set(err, ERROR_LIMIT, "cannot read link '%s': longer than %zu bytes", path,
				 sizeof(target));
	buf_append(out, target, (size_t)size);
	if (out->failed)
		return error_set(err, ERROR_NO_MEMORY, "cannot read link '%s': no memory for its text", path);
	return 0;
}

/* Whether the locked file is still the one of that name: its last holder may have removed it meanwhile. */
static bool is_same_file(int fd, const char *path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

int fs_lock(const char *path, bool wait, int *out_fd, struct error *err)
{
	for (;;) {
		SCOPE_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int rc;

		if (fd < 0)
			return error_system(err, errno, "cannot open lock '%s'", path);
		do {
			rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
		} while (rc < 0 && errno == EINTR);
		if (rc < 0 && errno == EWOULDBLOCK)
			return error_set(err, ERROR_TRY_AGAIN, "'%s' is locked by another process", path);
		if (rc < 0)
			return error_system(err, errno, "cannot lock '%s'", path);
		if (is_same_file(fd, path)) {
			*out_fd = TAKE_FD(fd);
			return 0;
		}
	}
}
