/* SPDX-License-Identifier: MIT */
/*
 * The buckets that a connection follows.
 *
 * SUBSCRIBE asks kv where the changes of a bucket begin; from then on one question aside is always on its way for each
 * bucket: what comes after the last change that was told? A subscriber that reads too slowly is not asked for, until kv
 * no longer has what he missed: he is told so and the connection is closed, since a line does not say of which bucket
 * it is.
 *
 * Whether a SUBSCRIBE counts is decided when its reply is written, in the order of the requests: how the bytes were cut
 * on their way makes no difference.
 */
#ifndef KV_SERVER_SUBSCRIBER_H
#define KV_SERVER_SUBSCRIBER_H

#include "reply.h"

struct bucket_name;

/* Part of the connection's state; a zeroed one follows nothing. */
struct subscriber {
	struct bucket_name *followed, *last_followed; /* in the order of their numbers */
	struct bucket_name *asked, *last_asked;       /* of SUBSCRIBE requests that are not answered */
	uint32_t count;
};

/* A SUBSCRIBE; `op` is kv's. False when there is no room for it now. */
bool subscriber_ask(const struct kvrel_api *api, struct kvrel_conn *conn, struct subscriber *subscriber,
		    const struct kvrel_op_ref *op, struct kvrel_slice bucket);
/* Its reply. The same bucket once more is fine and changes nothing. */
void subscriber_begin(const struct kvrel_api *api, struct kvrel_conn *conn, struct subscriber *subscriber,
		      const struct kvrel_op_ref *op, const struct kvrel_result *result, struct kvrel_out *out);
/* What came for tag TAG_CHANGES + number. */
void subscriber_tell(const struct kvrel_api *api, struct kvrel_conn *conn, const struct subscriber *subscriber,
		     const struct kvrel_op_ref *op, uint32_t number, const struct kvrel_result *result,
		     struct kvrel_out *out);
void subscriber_done(struct subscriber *subscriber);

#endif
