/* SPDX-License-Identifier: MIT */
/* What the files of the console's client share: console_start.c opens one, console.c is the conversation. */
#ifndef NODE_CONSOLE_INTERNAL_H
#define NODE_CONSOLE_INTERNAL_H

#include "base/buf.h"
#include "base/control.h"
#include "node/console/console.h"
#include "node/console/console_edit.h"

enum { CONSOLE_READ_BYTES = 4096 };

struct console {
	int fd;
	int log_fd; /* -1: none; what the node logs, to be written here */
	bool terminal;
	bool edits;
	bool prompted; /* the node waits for a line */
	bool asked;    /* we wait for its completions */
	bool left;     /* the user does not want more */
	/* Ctrl-C was sent for the running expression, and the user was told that this takes time */
	bool interrupted, explained;
	struct buf prompt;
	struct buf input; /* read from stdin and not used yet */
	struct buf log;   /* likewise of the log */
	bool end_of_input;
	struct edit edit;
	struct history history;
	char *frame;
};

/* console.c */
int console_open_signals(struct error *err);
void console_say(int fd, struct slice text);
/* Some of stdin, waiting for it. */
void console_read_more(struct console *console);
/* Until one of the two has enough; the exit code. */
int console_converse(struct console *console);

/* console_start.c: `log_fd` (-1: none) is what the node logs, to be shown above the line. */
int console_converse_over(int fd, int log_fd);

#endif
