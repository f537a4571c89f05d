/* SPDX-License-Identifier: MIT */
/*
 * What the files of a session share. Its own thread runs session.c and session_io.c but for what session.h offers to
 * the main thread, which only sets what `lock` guards.
 */
#ifndef NODE_SESSION_INTERNAL_H
#define NODE_SESSION_INTERNAL_H

#include "base/buf.h"
#include "base/control.h"
#include "node/control/session.h"
#include "node/lua/evaluate.h"

#include <pthread.h>

struct session {
	struct session_start start;
	struct buf request;
	struct evaluator evaluator;
	bool has_stdin; /* the client reads its stdin for the expression */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct buf lines;    /* each with its newline */
	struct buf input;    /* what of stdin the expression has not read yet */
	struct buf question; /* what is to be completed */
	bool asked;
	bool end_of_input;
	bool aborted;     /* the client is gone */
	bool finish;      /* the node stops */
	bool running;     /* an expression runs */
	bool interrupted; /* while no expression ran: ends the next one, or the text at a console's prompt */
};

/* ---- session_io.c, on the session's thread ---- */

/* All of it; when the client is gone the session is aborted. */
void session_send(struct session *session, enum control_type type, struct slice payload);
void session_done(struct session *session, int code, const char *text);
/* What the evaluator prints and reads; `context` is the session. */
evaluate_sink_fn session_output;
evaluate_input_fn session_read;

enum session_input { INPUT_LINE, INPUT_END, INPUT_CANCELLED };
/* Shows the prompt and appends the next line. */
enum session_input session_next_line(struct session *session, const char *prompt, struct buf *text);

#endif
