/* SPDX-License-Identifier: MIT */
/*
 * Where a node of this host is reached, and whether a process of it is there that cannot be reached: one that boots has
 * no socket yet, one that stops has none any more, and both hold the lock of their name.
 *
 * One that restarts has neither for a while, but says in the lock's file that it will be back: it is waited for.
 *
 * The node may have been started without XDG_RUNTIME_DIR (by a service manager, by cron) and this command with it, or
 * the other way round. So all the folders that a node of this user may have chosen are asked.
 */
#include "client.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/scope.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCKS_MAX = 16 << 20, LOOK_MS = 2 };

/* NOT_FOUND: not in this folder. */
typedef int try_fn(const char *folder, const char *node, void *result, struct error *err);

static int try_folder(try_fn *try, const char *node, void *result, struct error *err)
{
	char folder[PATH_MAX];
	int r = control_dir(folder, sizeof(folder), environ_get("RELEASE_TMP"), false, err);

	return r < 0 ? r : try(folder, node, result, err);
}

/* XDG_RUNTIME_DIR is what led to it, or as it was. */
static int try_folders(struct launch *launch, try_fn *try, const char *node, void *result, struct error *err)
{
	const char *variable = environ_get("XDG_RUNTIME_DIR");
	const char *given = variable ? arena_string(&launch->arena, variable) : NULL;
	const char *usual = arena_printf(&launch->arena, "/run/user/%u", (unsigned)geteuid());
	int r = try_folder(try, node, result, err);

	if (r == -(int)ERROR_NOT_FOUND && given) {
		unsetenv("XDG_RUNTIME_DIR");
		r = try_folder(try, node, result, err);
	}
	if (r == -(int)ERROR_NOT_FOUND && (!given || strcmp(given, usual) != 0)) {
		environ_set("XDG_RUNTIME_DIR", usual);
		r = try_folder(try, node, result, err);
	}
	if (r < 0 && given)
		environ_set("XDG_RUNTIME_DIR", given);
	else if (r < 0)
		unsetenv("XDG_RUNTIME_DIR");
	return r;
}

int64_t client_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int connect_in(const char *folder, const char *node, void *result, struct error *err)
{
	return control_connect(folder, node, result, err);
}

/* "3: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF": asking flock() itself would keep out a node that starts now. The
 * device is left out: some file systems show another one to stat(). */
static bool is_locked(pid_t pid, ino_t inode)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct slice rest, line;

	if (fs_read("/proc/locks", LOCKS_MAX, &text, NULL) < 0)
		return false;
	rest = buf_slice(&text);
	while (rest.size) {
		unsigned long long number;
		int holder;
		char copy[128];

		slice_split(rest, '\n', &line, &rest);
		snprintf(copy, sizeof(copy), "%.*s", SLICE_FMT(line));
		if (sscanf(copy, "%*d: FLOCK %*s %*s %d %*x:%*x:%llu", &holder, &number) == 2 && holder == pid &&
		    number == inode)
			return true;
	}
	return false;
}

static int holder_in(const char *folder, const char *node, void *result, struct error *err)
{
	char file[CONTROL_FILE_BYTES], path[PATH_MAX + CONTROL_FILE_BYTES];
	struct control_holder *holder = result;
	struct stat st;

	control_file(file, node, ".lock");
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (control_lock_read(path, holder, NULL) < 0 || stat(path, &st) != 0 ||
	    (!holder->restarts && !is_locked(holder->pid, st.st_ino)))
		return error_set(err, ERROR_NOT_FOUND, "no process holds the lock of %s", node);
	return 0;
}

static bool find_holder(struct launch *launch, const char *node, struct control_holder *holder)
{
	return try_folders(launch, holder_in, node, holder, NULL) == 0;
}

pid_t client_holder(struct launch *launch, const char *node, bool *boots)
{
	struct control_holder holder = { 0 };

	if (!find_holder(launch, node, &holder))
		holder = (struct control_holder){ 0 };
	if (boots)
		*boots = holder.boots;
	return holder.pid;
}

int client_connect_now(struct launch *launch, const char *node, int *fd, struct error *err)
{
	return try_folders(launch, connect_in, node, fd, err);
}

int client_connect(struct launch *launch, const char *node, int *fd, struct error *err)
{
	struct control_holder holder = { .restarts = true };
	int64_t deadline = client_now_ms() + ANSWER_MS;
	int r;

	/* once more when it has ceased to restart: it may be back since the last try */
	do {
		bool returned = !holder.restarts;

		r = client_connect_now(launch, node, fd, err);
		if (r != -(int)ERROR_NOT_FOUND || returned || !find_holder(launch, node, &holder))
			break;
		if (holder.restarts)
			poll(NULL, 0, LOOK_MS);
	} while (client_now_ms() < deadline);
	return r;
}

char client_process_state(pid_t pid)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *state = process_stat(pid, PROCESS_STATE_FIELD, &text);

	return state ? *state : '\0';
}
