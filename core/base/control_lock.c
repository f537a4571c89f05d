/* SPDX-License-Identifier: MIT */
/*
 * "PID\n", "PID boots\n", or "PID restarts START\n" with the time of the process's start, so that another one of that
 * id, long after, is not taken for it; from the next image on "PID restarts START boots\n". What is read ends at the
 * first newline: a shorter text is written over a longer one, then cut.
 */
#include "base/control.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 128 };

#define BOOTS    " boots"
#define RESTARTS " restarts "

int control_lock_write(int fd, enum control_note note, struct error *err)
{
	char text[TEXT_MAX];
	const char *boots = note == CONTROL_BOOTS || note == CONTROL_RETURNS ? BOOTS : "";
	int size = snprintf(text, sizeof(text), "%d%s\n", (int)getpid(), boots);

	if (note == CONTROL_RESTARTS || note == CONTROL_RETURNS)
		size = snprintf(text, sizeof(text), "%d" RESTARTS "%llu%s\n", (int)getpid(), process_start(0), boots);
	if (pwrite(fd, text, (size_t)size, 0) != size || ftruncate(fd, size) != 0)
		return error_system(err, errno, "cannot write the lock");
	return 0;
}

int control_lock_read(const char *path, struct control_holder *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf text = { 0 };
	unsigned long long start = 0;
	struct slice line, rest;
	const char *words_of;
	int pid = 0, words, end = 0;
	int rc = fs_read(path, TEXT_MAX, &text, err);

	if (rc < 0)
		return rc;
	slice_split(buf_slice(&text), '\n', &line, &rest);
	words_of = arena_copy(&arena, line);
	words = sscanf(words_of, "%d%n" RESTARTS "%llu%n", &pid, &end, &start, &end);
	if (words < 1 || pid <= 0)
		return error_set(err, ERROR_NOT_FOUND, "'%s' names no process", path);
	*out = (struct control_holder){ .pid = pid,
					.boots = strcmp(words_of + end, BOOTS) == 0,
					.restarts = words == 2 && start && process_start(pid) == start };
	return 0;
}
