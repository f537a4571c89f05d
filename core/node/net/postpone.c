/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait: for room in their connection's output, or for a provider that takes no writes for a while.
 *
 * How long a reply is shows when its call has run, and one batch may hold a hundred calls of one client: if it asks for
 * large values and reads none, all of them would lie in its output. So before a call is run its connection is looked
 * at. One that is over its limit has the call put aside, with a copy of its arguments, and all behind it; they are run
 * when output was sent, in their order and before anything newer is parsed.
 *
 * A result that comes later has a length by then, too, if its provider keeps it: call_held() has it counted as what
 * waits already. One that another node is asked for has none before it comes.
 */
#include "internal.h"

/* And if so, it is told when that has changed. */
static bool waits_for_provider(const struct slot *slot)
{
	const struct net_op *op = slot->op;
	bool waits = op->writes_held && atomic_load(op->writes_held) && (op->ref.op->flags & KVREL_OP_WRITE) != 0;
	slot->conn->worker->holding |= waits;
	return waits;
}

/*
 * What waits behind the first of the queue goes out with it and not before, so it is no reason to let that one wait.
 * One that is outside the order may stand in front of it.
 */
static bool may_run(const struct slot *slot)
{
	const struct kvrel_conn *conn = slot->conn;
	bool behind = slot != conn->first && !slot->aside;
	if (waits_for_provider(slot))
		return false;
	return out_unsent(&conn->out) + (behind ? conn->held_bytes : 0) <= conn->worker->net->output_max_bytes;
}

bool postponed_may_run(const struct kvrel_conn *conn)
{
	return may_run(conn->postponed);
}

/* The arguments of an aside are copies already. */
static bool keep_args(struct slot *slot)
{
	struct kvrel_call *call = &slot->call;
	if (slot->aside || call->arg_count == 0)
		return true;
	size_t size = batch_args_size(call->args, call->arg_count);
	slot->block = input_copy_new(slot->conn, size);
	if (!slot->block)
		return false;
	slot->held = size;
	batch_copy_args(slot->block, call->args, call->arg_count);
	call->args = slot->block;
	return true;
}

static void add_last(struct kvrel_conn *conn, struct slot *slot)
{
	slot->link = NULL;
	if (conn->postponed)
		conn->last_postponed->link = slot;
	else
		conn->postponed = slot;
	conn->last_postponed = slot;
}

bool postpone(struct slot *slot)
{
	struct kvrel_conn *conn = slot->conn;
	if (!conn->postponed && may_run(slot))
		return false;
	if (!conn->failed && !keep_args(slot))
		conn->failed = true; /* it ends, and nothing more of it is run */
	add_last(conn, slot);
	conn->blocked = true;
	worker_touch(conn);
	return true;
}

struct kept {
	void *args;
	size_t size;
};

static struct slot *take_first(struct kvrel_conn *conn, struct kept *kept)
{
	struct slot *slot = conn->postponed;
	conn->postponed = slot->link;
	*kept = (struct kept){ slot->block, slot->held };
	slot->block = NULL;
	slot->held = 0;
	return slot;
}

bool postponed_run(struct kvrel_conn *conn)
{
	while (conn->postponed && may_run(conn->postponed)) {
		struct kept kept;
		struct slot *slot = take_first(conn, &kept);
		memset(slot->call.scratch, 0, sizeof(slot->call.scratch));
		batch_run_call(conn->worker, slot);
		input_copy_free(conn, kept.args, kept.size);
	}
	return !conn->postponed;
}

void postponed_drop(struct kvrel_conn *conn)
{
	while (conn->postponed) {
		struct kept kept;
		struct slot *slot = take_first(conn, &kept);
		input_copy_free(conn, kept.args, kept.size);
		slot_answer(slot, NULL);
	}
}

void postponed_resume(struct worker *worker, struct task *task)
{
	(void)task;
	atomic_store(&worker->resumes, false); /* before looking: what changes from now on posts another */
	if (!worker->holding)
		return;
	worker->holding = false;
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (conn->postponed)
			worker_touch(conn);
	}
}

void net_hold(struct net *net, bool some)
{
	atomic_store(&net->look_closer, some ? 0 : net->output_max_bytes);
	for (unsigned i = 0; i < net->worker_count; i++) {
		struct worker *worker = &net->workers[i];
		if (!atomic_exchange(&worker->resumes, true))
			worker_post(worker, &worker->resume);
	}
}
