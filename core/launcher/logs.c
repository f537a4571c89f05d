/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: all of it, its last lines (-n N), or what is still to come (-f, beginning with the last ten). A log
 * that is rotated or cut is followed by its name; what was rotated several times between two looks is read file by
 * file.
 */
#include "launcher.h"

#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024, TICK_MS = 200, FOLLOW_LINES = 10, ROTATED_MAX = 1000 };

struct logs_options {
	bool follow;
	int64_t lines; /* -1: all */
};

static int parse(const struct launch *launch, struct logs_options *out)
{
	*out = (struct logs_options){ .lines = -1 };
	for (size_t i = 0; i < launch->arg_count; i++) {
		const char *arg = launch->args[i];

		if (strcmp(arg, "-f") == 0 || strcmp(arg, "--follow") == 0) {
			out->follow = true;
		} else if (strcmp(arg, "-n") == 0) {
			if (++i == launch->arg_count || !slice_to_int64(slice_of(launch->args[i]), &out->lines) ||
			    out->lines < 0)
				return report("'logs -n' expects a number of lines");
		} else {
			return report("'logs' knows no argument but -f and -n N, got: %s", arg);
		}
	}
	if (out->follow && out->lines < 0)
		out->lines = FOLLOW_LINES;
	return 0;
}

/* Where the last `lines` lines begin. */
static off_t tail_offset(int fd, off_t size, int64_t lines)
{
	static char block[BLOCK];
	off_t at = size;

	while (at > 0) {
		off_t from = at > BLOCK ? at - BLOCK : 0;
		ssize_t got = pread(fd, block, (size_t)(at - from), from);

		if (got <= 0)
			return 0;
		for (off_t i = got; i-- > 0;)
			if (block[i] == '\n' && from + i + 1 != size && --lines <= 0)
				return from + i + 1;
		at = from;
	}
	return 0;
}

static int copy_rest(int fd, struct error *err)
{
	static char block[BLOCK];
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0)
		if (fs_write_all(STDOUT_FILENO, block, (size_t)got, err) < 0)
			return error_wrap(err, "cannot write the output");
	return got < 0 ? error_system(err, errno, "cannot read the log") : 0;
}

/* Does another file bear the name now? One that was cut is read from its beginning. */
static bool is_replaced(const char *path, int fd, struct stat *own)
{
	struct stat now;

	if (fstat(fd, own) != 0 || stat(path, &now) != 0)
		return false;
	if (now.st_ino != own->st_ino || now.st_dev != own->st_dev)
		return true;
	if (own->st_size < lseek(fd, 0, SEEK_CUR))
		lseek(fd, 0, SEEK_SET);
	return false;
}

/* How far the file was moved on since: it is PATH.N now. 0 when it is none of those. */
static unsigned rotated_to(struct arena *arena, const char *path, const struct stat *file)
{
	struct stat st;

	for (unsigned n = 1; n < ROTATED_MAX; n++) {
		if (stat(arena_printf(arena, "%s.%u", path, n), &st) != 0)
			return 0;
		if (st.st_ino == file->st_ino && st.st_dev == file->st_dev)
			return n;
	}
	return 0;
}

static int open_next(const char *path, int *fd, struct error *err)
{
	int other;

	if (fs_open_file(path, O_RDONLY, 0, &other, NULL) < 0)
		return 0; /* gone again: the next look finds another one */
	close(*fd);
	*fd = other;
	return copy_rest(*fd, err);
}

/* From the file that was followed through all that came after it to the one that bears the name now. */
static int catch_up(const char *path, int *fd, const struct stat *own, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	int r;

	/* its writer may be about to change over */
	nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000L }, NULL);
	r = copy_rest(*fd, err);
	for (unsigned n = rotated_to(&arena, path, own); r == 0 && n-- > 1;)
		r = open_next(arena_printf(&arena, "%s.%u", path, n), fd, err);
	return r < 0 ? r : open_next(path, fd, err);
}

static int follow(const char *path, int *fd, struct error *err)
{
	for (;;) {
		struct stat own;
		int r = copy_rest(*fd, err);

		if (r == 0 && is_replaced(path, *fd, &own))
			r = catch_up(path, fd, &own, err);
		if (r < 0)
			return r;
		nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000L }, NULL);
	}
}

int command_logs(struct launch *launch)
{
	const char *path = daemon_log_path(launch);
	struct logs_options options;
	struct error err;
	struct stat st;

	if (parse(launch, &options) != 0)
		return EXIT_FAILED;
	SCOPE_FD int fd = -1;
	bool missing = fs_open_file(path, O_RDONLY, 0, &fd, &err) < 0 && err.errnum == ENOENT;

	if (missing && strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0)
		return report("there is no log '%s' on this host: 'daemon' writes it where %s runs", path,
			      environ_get("RELEASE_NODE"));
	if (missing)
		return report("there is no log '%s' yet: 'daemon' writes it", path);
	if (fd < 0)
		return report_error(&err);
	if (fstat(fd, &st) != 0)
		return report("cannot read the log '%s': %s", path, strerror(errno));
	if (options.lines == 0)
		lseek(fd, 0, SEEK_END);
	else if (options.lines > 0)
		lseek(fd, tail_offset(fd, st.st_size, options.lines), SEEK_SET);
	if (options.follow ? follow(path, &fd, &err) < 0 : copy_rest(fd, &err) < 0)
		return report_error(&err);
	return EXIT_DONE;
}
