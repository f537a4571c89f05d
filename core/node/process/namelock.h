/* SPDX-License-Identifier: MIT */
/*
 * One node of a name on a host: who holds the lock of NODE.lock is it. The file also tells commands whom to wait for,
 * see base/control.h; it stays for ever, as who waits for its lock has it open.
 */
#ifndef NODE_NAMELOCK_H
#define NODE_NAMELOCK_H

#include "base/error.h"

struct node;

/* EXISTS: a node of this name runs. Nothing to do without a name (RELEASE_DISTRIBUTION none). */
int namelock_take(struct node *node, struct error *err);
/* The control socket listens: nobody has to wait for a restart any more. */
void namelock_settle(const struct node *node);
/* Before the control socket goes, when the node will be back. */
void namelock_announce_restart(const struct node *node);
/* Now and then: what cleans /tmp up by age must not take the file away. */
void namelock_refresh(const struct node *node);
/* In good order: the next boot has nothing to remark. The lock itself goes with the process. */
void namelock_leave(const struct node *node);

#endif
