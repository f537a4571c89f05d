/* SPDX-License-Identifier: MIT */
/* The component's state: an engine, and a router in front of it. */
#ifndef KV_KV_H
#define KV_KV_H

#include "engine.h"
#include "router.h"
#include "watch.h"

#include <stdatomic.h>

struct kv {
	struct kvrel_node *node;
	const struct kvrel_api *api;
	struct engine *engine;
	_Atomic(struct router *) router;
	struct router **retired; /* replaced ones: a worker may still look at them; freed at stop */
	size_t retired_count;
	struct watches watches;
};

extern const struct kvrel_op kv_ops[];
extern const size_t kv_op_count;

static inline struct router *kv_router(struct kv *kv)
{
	return atomic_load_explicit(&kv->router, memory_order_acquire);
}

#endif
