/* SPDX-License-Identifier: MIT */
/*
 * Would the node boot again? Its launcher is asked (`bin/NAME config check`), in a process of its own: that runs env.sh
 * as it is now, and reads the flags, the configuration and the components of the version that would boot with the
 * runtime of that version. Nothing of this process could tell all that, and nothing of it changes by asking.
 */
#ifndef NODE_NEXT_BOOT_H
#define NODE_NEXT_BOOT_H

#include "base/buf.h"
#include "base/error.h"

struct node;

/* 0 when it would. Otherwise `said` holds the lines that say why not, and `err` their sum: the line, when it is one. */
int next_boot_check(const struct node *node, struct buf *said, struct error *err);

#endif
