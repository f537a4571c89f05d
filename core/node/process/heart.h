/* SPDX-License-Identifier: MIT */
/*
 * --heart: a second process that watches the node and starts it again when it died or hangs. For hosts where no service
 * manager and no container does that.
 *
 * The heart is forked before the node has threads and hangs at a pipe. The node writes a byte a second; before an end
 * that somebody asked for it says so. The end of the pipe without that word is a death, silence for
 * HEART_BEAT_TIMEOUT seconds (60) is a hang: the node then gets SIGABRT, for its backtrace and core, and SIGKILL. What
 * is run next is HEART_COMMAND, by a shell, or `bin/NAME daemon`, again and again while that fails, but not for ever.
 * The new node has a heart of its own. A boot that fails is the matter of who started it.
 */
#ifndef NODE_HEART_H
#define NODE_HEART_H

#include "base/error.h"

struct node;

/* Forks the heart. Main thread, before there is another one. */
int heart_start(struct node *node, struct error *err);
/* The node is alive; from the first beat on silence means that it hangs. No-op without a heart. */
void heart_beat(void);
/* The main thread is about to be silent for a while: this, and systemd's watchdog, count from now. */
void heart_before_silence(void);
/* The node ends because it was asked to. Any thread, signal handlers too. */
void heart_end(void);

#endif
