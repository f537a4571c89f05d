/* SPDX-License-Identifier: MIT */
/* The calls of a wake-up; see batch.c. */
#ifndef NODE_NET_BATCH_H
#define NODE_NET_BATCH_H

#include "node/net.h"

enum {
	BATCH_CALLS_MAX = 128,    /* calls that are prefetched together; more would push each other out of L1 */
	BATCH_RUN_CALLS = 64,     /* enough to hide memory behind each other: they are run */
	ARENA_BYTES = 256 * 1024, /* what a batch has read, of all its connections */
	ARG_BLOCK_ITEMS = 4096,   /* arguments of a batch before it takes another block */
};

struct worker;
struct slot;

/* A request outside the order, with copies of its arguments behind it. */
struct aside {
	struct aside *next;
	const struct net_op *op;
	uint32_t tag;
	uint32_t arg_count;
	struct kvrel_slice args[];
};

struct arg_block {
	struct arg_block *next;
	size_t used, capacity;
	struct kvrel_slice items[];
};

struct batch {
	struct slot *calls[BATCH_CALLS_MAX];
	unsigned count;
	unsigned conns; /* that were read since the last replies went out */
	struct arg_block *args;
	char *arena; /* ARENA_BYTES */
	size_t arena_used;
	struct aside *spent; /* answered, maybe from inside run(), which still looks at the arguments */
};

int batch_init(struct batch *batch, struct error *err);
void batch_done(struct batch *batch);
void batch_run(struct worker *worker);
/* One that is in no batch any more. */
void batch_run_call(struct worker *worker, struct slot *slot);
/* batch_end() is owed to the provider of this. */
void batch_note(struct worker *worker, const struct net_op *op);
void batch_ran_providers(struct worker *worker);
void batch_end_providers(struct worker *worker);
/* At `to`, with the bytes of all behind the array: so much room is needed. */
size_t batch_args_size(const struct kvrel_slice *args, uint32_t arg_count);
void batch_copy_args(struct kvrel_slice *to, const struct kvrel_slice *args, uint32_t arg_count);
bool batch_request(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
		   uint32_t arg_count, uint32_t tag);
bool batch_request_aside(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
			 uint32_t arg_count, uint32_t tag);
/* Adds those that wait to the batch, as many as it has room for. */
void batch_take_asides(struct kvrel_conn *conn);
/* Its answer has come. */
void batch_end_aside(struct kvrel_conn *conn, struct aside *aside);
/* Those that were never asked. */
void batch_drop_asides(struct kvrel_conn *conn);

#endif
