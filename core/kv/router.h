/* SPDX-License-Identifier: MIT */
/*
 * Which node keeps a bucket: by the first byte of its name, as kv.routing_table says.
 *
 * The setting is a list of {range: a-m, node: foo@host}, first match wins. It is spread over 256 entries when it is
 * read, so that routing a request is one load. A router never changes once made; a new setting makes a new one. Without
 * any entry every bucket is this node's.
 *
 * A range is FIRST-LAST or one character; a byte that does not print is written 0x80. The empty name counts as byte 0.
 */
#ifndef KV_ROUTER_H
#define KV_ROUTER_H

#include "engine.h"

#include <stdatomic.h>

enum { ROUTER_BYTES = 256 };

struct router {
	const char *nodes[ROUTER_BYTES]; /* by the first byte: "" is this node, NULL none; into `names` */
	char **names;
	size_t name_count;
	const struct kvrel_api *api; /* NULL: no links */
	struct kvrel_node *node;
	uint32_t timeout_ms;
	_Atomic int64_t told_s;
};

/* `table` may be NULL. 0, or -1 and why, beginning with where the mistake is. */
int router_new(const struct kvrel_api *api, const struct kvrel_value *table, const char *own_node, struct router **out,
	       struct kv_error *err);
/* What is not this node's is forwarded from now on; before, it is refused. */
void router_connect(struct router *router, const struct kvrel_api *api, struct kvrel_node *node, uint32_t timeout_ms);
void router_free(struct router *router);

/* The first and last byte of the first run of names without a node; false when there is none. */
bool router_gap(const struct router *router, unsigned *first, unsigned *last);

/* ---- for every request ---- */

/* The node that keeps `bucket`: "" is this one, NULL none. */
static inline const char *router_find(const struct router *router, struct kvrel_slice bucket)
{
	return router->nodes[bucket.size > 0 ? (unsigned char)bucket.data[0] : 0];
}

/* Of a bucket that is not this node's: by the other one's answer, or with an error. */
void router_answer_elsewhere(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket,
			     uint32_t timeout_ms);

/* True when the bucket is this node's. Else the call is answered, and no longer the caller's. */
static inline bool router_local_within(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket,
				       uint32_t timeout_ms)
{
	const char *node = router_find(router, bucket);

	if (node != NULL && node[0] == '\0')
		return true;
	router_answer_elsewhere(router, call, bucket, timeout_ms);
	return false;
}

/* Within the usual time. */
static inline bool router_local(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket)
{
	return router_local_within(router, call, bucket, router->timeout_ms);
}

#endif
