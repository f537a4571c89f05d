/* SPDX-License-Identifier: MIT */
/*
 * One expression or one console of one client: a thread with a Lua state of its own, so that an endless loop costs the
 * service nothing. The session writes to the client's socket itself and waits when the client does not read; the main
 * thread reads the socket and passes on lines and interrupts.
 */
#ifndef NODE_SESSION_H
#define NODE_SESSION_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>

struct node;
struct session;

struct session_start {
	struct node *node;
	int fd; /* borrowed; stays open until the session is freed */
	bool console;
	struct slice request; /* of an expression: NUL-separated flags, chunk, text, arguments; copied */
	/* On the session's thread, last thing it does. */
	void (*ended)(void *context);
	void *context;
};

/* Main thread. */
int session_new(const struct session_start *start, struct session **out, struct error *err);
/* A console's next line; false when too much waits already. */
bool session_line(struct session *session, struct slice line);
/* What the client read of its stdin; nothing: that was all. False when it was not asked for that much. */
bool session_input(struct session *session, struct slice bytes);
/* Ends the running expression; a console goes on. */
void session_interrupt(struct session *session);
/* Answers COMPLETE, when it waits for a line. */
void session_complete(struct session *session, struct slice line);
/* There will be no more lines. */
void session_end_of_input(struct session *session);
/* The client is gone: everything ends. */
void session_abort(struct session *session);
/* The node stops: a console ends at its prompt. */
void session_finish(struct session *session);
/* Joins the thread, which must have called ended(). */
void session_free(struct session *session);

#endif
