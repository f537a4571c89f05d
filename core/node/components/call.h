/* SPDX-License-Identifier: MIT */
/* Running an operation from outside a connection and waiting for its result. */
#ifndef NODE_CALL_H
#define NODE_CALL_H

#include "base/value.h"
#include "node/components/components.h"

/*
 * Not on a worker thread. `take` (may be NULL) gets the result while it is valid, on whatever thread completes the
 * call, while this one waits. A component that does not run: KVREL_ERROR with a reason.
 */
enum kvrel_status call_wait(struct components *components, struct component *component, const struct net_op *op,
			    const struct kvrel_slice *args, uint32_t arg_count,
			    void (*take)(void *context, const struct kvrel_result *result), void *context);
/* A result as a tree: NIL is null, PAIRS a map. */
struct value *call_result_value(struct arena *arena, const struct kvrel_result *result);
/* "wrong number of arguments for kv.put (expected bucket, key, value)" when arg_count is out of the limits. */
int call_check_count(const struct component *component, const struct net_op *op, size_t arg_count, struct error *err);

#endif
