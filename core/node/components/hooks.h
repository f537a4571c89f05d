/* SPDX-License-Identifier: MIT */
/*
 * Scripts of the release that run at the turns of a node's life: releases/VERSION/hooks/NAME, executable, with the
 * RELEASE_* variables and RELEASE_HOOK set, in the bundle's folder. What they print goes where the log goes.
 *
 *	pre_start   before the first component; a failure stops the boot
 *	post_start  the node serves; from here on a failure is a line in the log
 *	pre_stop    before anything is stopped
 *	post_stop   everything has stopped
 */
#ifndef NODE_HOOKS_H
#define NODE_HOOKS_H

#include "base/error.h"

enum hook { HOOK_PRE_START, HOOK_POST_START, HOOK_PRE_STOP, HOOK_POST_STOP, HOOK_COUNT };

struct node;

/* Main thread; waits for its end. 0 also when there is none. */
int hook_run(struct node *node, enum hook hook, struct error *err);
/* The same where a failure changes nothing any more. */
void hook_try(struct node *node, enum hook hook);

#endif
