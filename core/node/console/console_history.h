/* SPDX-License-Identifier: MIT */
/*
 * What was typed before: $XDG_STATE_HOME/kvrel/history, else ~/.kvrel_history, readable by its user alone (0600). Each
 * line is appended as it is entered, so that several consoles share the file. A line that begins with a blank is not
 * kept, as in shells: for what nobody shall read later.
 */
#ifndef NODE_CONSOLE_HISTORY_H
#define NODE_CONSOLE_HISTORY_H

#include "base/slice.h"

enum { HISTORY_LINES = 1000 };

struct history {
	char *lines[HISTORY_LINES]; /* the oldest first */
	size_t count;
	char *path; /* owned */
	int fd;     /* -1: nothing is written */
};

/* Without a home or a file that may be used it is empty and stays in memory. */
void history_open(struct history *history);
void history_open_file(struct history *history, const char *path);
void history_close(struct history *history);
void history_add(struct history *history, struct slice line);
/* The newest line before number `before` that holds `needle`; `count` of the history when none does. */
size_t history_search(const struct history *history, size_t before, struct slice needle);

#endif
