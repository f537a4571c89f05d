/* SPDX-License-Identifier: MIT */
/* What `status` tells of a running node. */
#ifndef NODE_STATUS_H
#define NODE_STATUS_H

#include "base/buf.h"

struct node;

/* One JSON document with a newline, or aligned lines for people. Main thread. */
void status_write(const struct node *node, bool json, struct buf *out);
/* The lines into the log, for SIGUSR2: as systemd's own manager does, and all there is to ask a node without a control
 * socket (RELEASE_DISTRIBUTION=none). Main thread. */
void status_log(const struct node *node);
/* Resident memory; -1 without /proc. */
int64_t status_memory_bytes(void);

#endif
