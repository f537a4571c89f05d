/* SPDX-License-Identifier: MIT */
/*
 * The node's main thread: one event loop for signals, the control socket and whatever must happen there, one thing at a
 * time, because other threads ask for it (starting and stopping components, a failed component).
 */
#ifndef NODE_MAINLOOP_H
#define NODE_MAINLOOP_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

/* Work for the main thread; memory of whoever posts it, until `run` is called. */
struct main_job {
	void (*run)(struct main_job *job);
	struct main_job *next;
};

struct mainloop {
	uv_loop_t loop;
	uv_async_t wake;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct main_job *head;
	struct main_job **tail;
	bool closed; /* no more calls: the node is stopping */
	bool open;
};

/* On the main thread. */
int mainloop_init(struct mainloop *main, struct error *err);
void mainloop_run(struct mainloop *main); /* until mainloop_leave() */
void mainloop_leave(struct mainloop *main);
/* Makes waiting and later mainloop_call()s return false. Jobs posted before still run in mainloop_flush(). */
void mainloop_close(struct mainloop *main);
/* Runs what is queued, without the loop. */
void mainloop_flush(struct mainloop *main);
/* Closes every handle that is still open. No-op when it was never initialised. */
void mainloop_done(struct mainloop *main);

/* Any thread. */
void mainloop_post(struct mainloop *main, struct main_job *job);
/* Runs `function` on the main thread and waits for it; on the main thread at once. False: the node is stopping. */
bool mainloop_call(struct mainloop *main, void (*function)(void *context), void *context);

#endif
