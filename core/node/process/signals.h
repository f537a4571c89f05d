/* SPDX-License-Identifier: MIT */
/*
 * SIGTERM and SIGINT ask for a stop, the second one ends the process at once, SIGHUP, SIGUSR1 and SIGUSR2 are reported.
 * Handlers, not a signal mask: programs that the node's scripts start must not inherit anything.
 */
#ifndef NODE_SIGNALS_H
#define NODE_SIGNALS_H

#include "base/error.h"

#include <stdbool.h>
#include <uv.h>

/* From here on a stop request is remembered, also while the main thread is busy booting. */
int signals_begin(struct error *err);
bool signals_stop_asked(void);
/* The same, and holds back what comes later, for who unblocks it: the next image of this process. */
bool signals_hold_stops(void);
/* Calls on_signal on the loop's thread for each signal, also for those that came before. */
int signals_watch(uv_loop_t *loop, void (*on_signal)(void *context, int signal_number), void *context,
		  struct error *err);
/* SIGINT goes here instead of asking for a stop; NULL: as before. For a console on the terminal. Called in the handler.
 */
void signals_redirect_interrupt(void (*on_interrupt)(void));

#endif
