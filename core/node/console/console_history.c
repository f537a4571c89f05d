/* SPDX-License-Identifier: MIT */
#include "node/console/console_history.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A file may grow to twice the lines that are kept before it is written anew. */
enum { FILE_LINES_MAX = 2 * HISTORY_LINES, FILE_BYTES_MAX = 16 << 20, LINE_BYTES_MAX = 16 << 10 };

static void keep(struct history *history, struct slice line)
{
	char *copy = strndup(line.data, line.size);
	if (copy == NULL)
		return;
	if (history->count == HISTORY_LINES) {
		free(history->lines[0]);
		memmove(history->lines, history->lines + 1, (HISTORY_LINES - 1) * sizeof(history->lines[0]));
		history->count--;
	}
	history->lines[history->count++] = copy;
}

/* How many lines the file has. */
static size_t read_lines(struct history *history, const char *path)
{
	SCOPE(buf_done) struct buf text = { 0 };
	size_t lines = 0;
	if (fs_read(path, FILE_BYTES_MAX, &text, NULL) != 0)
		return 0;
	struct slice rest = buf_slice(&text);
	while (rest.size > 0) {
		struct slice line;
		slice_split(rest, '\n', &line, &rest);
		if (line.size > 0 && line.size <= LINE_BYTES_MAX && memchr(line.data, '\0', line.size) == NULL)
			keep(history, line);
		lines++;
	}
	return lines;
}

static void write_anew(const struct history *history, const char *path)
{
	SCOPE(buf_done) struct buf text = { 0 };
	for (size_t i = 0; i < history->count; i++) {
		buf_append_string(&text, history->lines[i]);
		buf_append_char(&text, '\n');
	}
	if (!text.failed)
		(void)fs_replace(path, buf_slice(&text), 0600, NULL); /* the old one does as well */
}

/* Only a plain file of this user is written to; one that others can read is closed to them. */
static int open_own(const char *path)
{
	SCOPE_FD int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -1;
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) != 0)
		return -1;
	return TAKE_FD(fd);
}

/*
 * Opens and locks the file. Another console may have written it anew meanwhile, also since this one opened it: then the
 * open file has no name any more, and what is added to it would be lost.
 */
static bool lock_current(struct history *history)
{
	struct stat st;
	for (int tries = 0; tries < 10; tries++) {
		if (history->fd < 0)
			history->fd = open_own(history->path);
		if (history->fd < 0 || flock(history->fd, LOCK_EX) != 0)
			return false;
		if (fstat(history->fd, &st) != 0 || st.st_nlink > 0)
			return true;
		close(TAKE_FD(history->fd));
	}
	return false;
}

void history_open_file(struct history *history, const char *path)
{
	history->fd = -1;
	history->path = strdup(path);
	if (history->path == NULL || !lock_current(history)) {
		read_lines(history, path);
		return;
	}
	if (read_lines(history, path) > FILE_LINES_MAX)
		write_anew(history, path);
	flock(history->fd, LOCK_UN);
}

void history_open(struct history *history)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	SCOPE(buf_done) struct buf path = { 0 };
	*history = (struct history){ .fd = -1 };
	if (state != NULL && state[0] == '/') {
		buf_printf(&path, "%s/kvrel", state);
		if (fs_make_dirs(buf_string(&path), 0700, NULL) != 0)
			return;
		buf_append_string(&path, "/history");
	} else if (home != NULL && home[0] == '/') {
		buf_printf(&path, "%s/.kvrel_history", home);
	} else {
		return;
	}
	if (!path.failed)
		history_open_file(history, buf_string(&path));
}

void history_close(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		free(history->lines[i]);
	history->count = 0;
	if (history->fd >= 0)
		close(TAKE_FD(history->fd));
	free(TAKE_PTR(history->path));
}

void history_add(struct history *history, struct slice line)
{
	if (line.size == 0 || line.size > LINE_BYTES_MAX || line.data[0] == ' ')
		return;
	if (history->count > 0 && slice_is(line, history->lines[history->count - 1]))
		return;
	keep(history, line);
	SCOPE(buf_done) struct buf text = { 0 };
	buf_append_slice(&text, line);
	buf_append_char(&text, '\n');
	if (history->fd < 0 || text.failed || !lock_current(history))
		return;
	(void)fs_write_all(history->fd, text.data, text.size, NULL);
	flock(history->fd, LOCK_UN);
}

size_t history_search(const struct history *history, size_t before, struct slice needle)
{
	for (size_t i = before; i-- > 0;) {
		const char *line = history->lines[i];
		if (memmem(line, strlen(line), needle.data != NULL ? needle.data : "", needle.size) != NULL)
			return i;
	}
	return history->count;
}
