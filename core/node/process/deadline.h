/* SPDX-License-Identifier: MIT */
/* A stop that takes too long: a thread that exists only while the node stops, says what hangs, and ends the process. */
#ifndef NODE_DEADLINE_H
#define NODE_DEADLINE_H

#include "base/error.h"

#include <stdint.h>

struct node;

/* After timeout_ms the process logs node->activity and exits 1, whatever its other threads do. */
int deadline_start(struct node *node, int64_t timeout_ms, struct error *err);
/* In time: the thread ends. */
void deadline_cancel(void);

#endif
