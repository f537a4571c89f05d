/* SPDX-License-Identifier: MIT */
/* What happens when a component says that it cannot go on. */
#ifndef NODE_SUPERVISE_H
#define NODE_SUPERVISE_H

#include "base/error.h"

struct component;
struct node;

/* Any thread. The reason is copied; the mode of the component decides what follows, on the main thread. */
void supervise_failed(struct component *component, const struct error *reason);
/*
 * Starts those that wait for what runs by now, in start order; what still lacks another one goes on waiting. On the
 * main thread, when a component was started.
 */
void supervise_resume(struct node *node);

#endif
