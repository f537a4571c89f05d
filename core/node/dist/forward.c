/* SPDX-License-Identifier: MIT */
/* Asking other nodes: which requests may go on, to whom, and waiting for the answer. Any thread. */
#include "node/awaited.h"
#include "node/dist/internal.h"

#include <stdio.h>
#include <string.h>

static bool was_seen(const struct dist *dist, const struct kvrel_route *route, const char *node)
{
	if (strcmp(node, dist->name) == 0)
		return true;
	for (uint32_t i = 0; route != NULL && i < route->seen_count; i++) {
		if (slice_is(route->seen[i], node))
			return true;
	}
	return false;
}

/* Once a second at most: it may be many thousand requests. */
static bool may_tell(struct dist *dist)
{
	enum { AGAIN_MS = 1000 };
	int64_t now = dist_now_ms();
	int64_t told = atomic_load_explicit(&dist->cycle_told_ms, memory_order_relaxed);
	return (told == 0 || now - told >= AGAIN_MS) &&
	       atomic_compare_exchange_strong_explicit(&dist->cycle_told_ms, &told, now, memory_order_relaxed,
						       memory_order_relaxed);
}

static void refuse_cycle(struct dist *dist, struct kvrel_call *call, const char *node)
{
	char path[512] = "";
	size_t size = 0;
	const struct kvrel_route *route = call->route;
	for (uint32_t i = 0; route != NULL && i < route->seen_count && size < sizeof(path); i++)
		size += (size_t)snprintf(path + size, sizeof(path) - size, "%.*s, ", SLICE_FMT(route->seen[i]));
	if (size < sizeof(path))
		snprintf(path + size, sizeof(path) - size, "%s, %s", dist->name, node);
	if (may_tell(dist))
		log_warn("dist", LOG_FIELDS(LOG_S("path", path)),
			 "a request goes in a circle: the routing tables disagree");
	call_error(call, "routing cycle: the request would go to %s", path);
}

void dist_forward(struct dist *dist, struct kvrel_call *call, const struct dist_request *request)
{
	const struct kvrel_route *route = call->route;
	if (was_seen(dist, route, request->node)) {
		refuse_cycle(dist, call, request->node);
		return;
	}
	if (route != NULL && route->seen_count >= FRAME_SEEN_MAX - 1) {
		call_error(call, "the request has passed %d nodes already", FRAME_SEEN_MAX - 1);
		return;
	}
	struct peer *peer = peer_get(dist, request->node);
	if (peer != NULL)
		peer_forward(peer, call, request);
	else
		call_error(call, "node '%s' was not asked: this node knows too many others or is stopping",
			   request->node);
}

void dist_list(struct dist *dist, struct buf *out)
{
	for (size_t i = 0; i < PEER_BUCKETS; i++) {
		struct peer *peer = atomic_load_explicit(&dist->peers[i], memory_order_acquire);
		for (; peer != NULL; peer = peer->next) {
			if (atomic_load_explicit(&peer->up, memory_order_relaxed))
				buf_append(out, peer->name, strlen(peer->name) + 1);
		}
	}
}

enum kvrel_status dist_call(struct dist *dist, const struct dist_request *request, const struct kvrel_slice *args,
			    uint32_t arg_count, void (*take)(void *context, const struct kvrel_result *result),
			    void *context)
{
	struct awaited awaited = awaited_begin(request->op, args, arg_count, take, context);
	dist_forward(dist, &awaited.call, request);
	return awaited_wait(&awaited);
}
