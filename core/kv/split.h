/* SPDX-License-Identifier: MIT */
/*
 * One request that names many buckets, which several nodes may keep: each node does its own part, and the answers,
 * which are numbers, are added. All names are this node's, or all another one's: nothing is split and nothing copied.
 *
 * A name without a node refuses the whole before anything was done. When a part fails the answer is its error, with
 * what the other parts did: they are not undone.
 */
#ifndef KV_SPLIT_H
#define KV_SPLIT_H

#include "router.h"

/* Runs the call's operation for those of its arguments that are this node's; may be given a call of less arguments. */
typedef void split_local_fn(void *context, struct kvrel_call *call);

/* Takes the call. Every argument is the name of a bucket. */
void split_run(struct router *router, struct kvrel_call *call, split_local_fn *local, void *context);

#endif
