/* SPDX-License-Identifier: MIT */
/* What the files of the console's client share: console_start.c opens one, console.c is the conversation,
 * console_wait.c what it waits for. */
#ifndef NODE_CONSOLE_INTERNAL_H
#define NODE_CONSOLE_INTERNAL_H

#include "base/buf.h"
#include "base/control.h"
#include "node/console/console.h"
#include "node/console/console_edit.h"

/* What has come of the node: a frame that is not whole yet and some more. */
enum { CONSOLE_READ_BYTES = 4096, CONSOLE_FRAMES_MAX = CONTROL_FRAME_MAX + (128 << 10) };

struct console {
	int fd;
	int log_fd; /* -1: none; what the node logs, to be written here */
	bool terminal;
	bool edits;
	bool prompted; /* the node waits for a line */
	bool runs;     /* … that an expression reads */
	bool asked;    /* we wait for its completions */
	bool left;     /* the user does not want more */
	/* Ctrl-C was sent for the running expression, and the user was told that this takes time */
	bool interrupted, explained;
	struct buf input; /* read from stdin and not used yet */
	struct buf log;   /* likewise of the log */
	struct buf tail;  /* what was written behind the last newline, as far as it could be a prompt */
	bool end_of_input;
	struct edit edit;
	struct history history;
	struct buf frames; /* of the node and not used yet */
};

/* Leaving is no failure, whatever was tried before. */
static inline bool console_has_left(const struct console *console)
{
	return console->left && console->terminal;
}

/* console_wait.c */
int console_open_signals(struct error *err);
enum console_event {
	CONSOLE_NODE,
	CONSOLE_INPUT,
	CONSOLE_INTERRUPT,
	CONSOLE_LOOK, /* another size, or the end */
	CONSOLE_LOG,
	CONSOLE_SILENCE,
	CONSOLE_ERROR,
};
enum console_event console_wait(const struct console *console);
bool console_hung_up(void);
/* Some of stdin, waiting for it. Failed reading is its end, and an error. */
int console_read_more(struct console *console, struct error *err);

/* console.c: until one of the two has enough; the exit code. */
int console_converse(struct console *console);

/* console_write.c */
void console_say(int fd, struct slice text);
/* What the editor wants written. */
void console_flush(struct console *console);
/* Above the line that is being edited, if one is. */
void console_say_above(struct console *console, int fd, struct slice text);
void console_begin_line(struct console *console, struct slice prompt);
/* The same where the kernel's line mode has to do. */
void console_say_prompt(struct console *console, struct slice prompt);
/* What is said next begins a row: the line that is being edited stays above it. */
void console_end_line(struct console *console);

/* console_start.c: `log_fd` (-1: none) is what the node logs, to be shown above the line; `begin` as in console_run(),
 * or NULL. */
int console_converse_over(int fd, int log_fd, void (*begin)(void));

#endif
