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

struct router;

/* `table` may be NULL. 0, or -1 and why, beginning with where the mistake is. */
int router_new(const struct kvrel_api *api, const struct kvrel_value *table, const char *own_node, struct router **out,
	       struct kv_error *err);
/* What is not this node's is forwarded from now on; before, it is refused. */
void router_connect(struct router *router, const struct kvrel_api *api, struct kvrel_node *node, uint32_t timeout_ms);
void router_free(struct router *router);

/* The node that keeps `bucket`: "" is this one, NULL none. */
const char *router_find(const struct router *router, struct kvrel_slice bucket);

/*
 * True when the bucket is this node's. Else the call is answered, by the other node or with an error, and no longer the
 * caller's.
 */
bool router_local_within(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket,
			 uint32_t timeout_ms);
/* Within the usual time. */
bool router_local(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket);

/* The first and last byte of the first run of names without a node; false when there is none. */
bool router_gap(const struct router *router, unsigned *first, unsigned *last);

#endif
