/* SPDX-License-Identifier: MIT */
/*
 * Connections that do nothing for too long. Once a second each worker looks at its own: cheaper than a timer for each,
 * and exact enough. Idle is one that neither asks nor is owed anything; stuck is one that is owed something and takes
 * none of it, whatever it sends meanwhile. A stuck one holds an output buffer, and perhaps values of the store, for as
 * long as it lives.
 *
 * One that sends a byte now and then and never a whole request is idle as well. A long value on a slow line is not: a
 * request may take as long as its bytes at SLOWEST, and the idle time on top.
 */
#include "internal.h"

#include "base/log.h"

enum {
	SWEEP_MS = 1000,
	SLOWEST = 1, /* bytes a millisecond */
};

static bool owes(const struct kvrel_conn *conn)
{
	return conn->slot_count > 0 || conn->aside_count > 0 || out_unsent(&conn->out) > 0;
}

/* For how long sweeps have seen the peer take nothing. */
static uint64_t stuck_for(struct kvrel_conn *conn, uint64_t now_ms)
{
	bool takes = conn->taken != conn->out.sent_total;
	if (takes) {
		conn->taken = conn->out.sent_total;
		conn->active_ms = now_ms;
	}
	if (out_unsent(&conn->out) == 0)
		conn->stuck_since_ms = 0;
	else if (takes || conn->stuck_since_ms == 0)
		conn->stuck_since_ms = now_ms;
	return conn->stuck_since_ms ? now_ms - conn->stuck_since_ms : 0;
}

/* It is read, and yet one request of it does not come to its end. Time in which nothing is read is the node's own. */
static bool is_slow(struct kvrel_conn *conn, uint64_t now_ms)
{
	size_t rest = conn->input.size - conn->input.used;
	if (!(conn->events & UV_READABLE))
		conn->rest_ms = now_ms;
	return rest > 0 && now_ms - conn->rest_ms >= conn->worker->net->idle_timeout_ms + rest / SLOWEST;
}

static void sweep_conn(struct kvrel_conn *conn, uint64_t now_ms)
{
	const struct net *net = conn->worker->net;
	uint64_t stuck_ms = stuck_for(conn, now_ms);
	bool stuck = net->write_timeout_ms && stuck_ms >= net->write_timeout_ms;
	bool silent = !owes(conn) && now_ms - conn->active_ms >= net->idle_timeout_ms;
	bool idle = net->idle_timeout_ms && (silent || is_slow(conn, now_ms));
	if (!stuck && !idle)
		return;
	if (stuck)
		log_warn(conn->owner->name, LOG_FIELDS(LOG_I("unsent_bytes", (int64_t)out_unsent(&conn->out))),
			 "a client is cut off: it has read nothing for %llu ms", (unsigned long long)stuck_ms);
	else
		log_debug(conn->owner->name, LOG_NONE, "an idle connection is closed");
	conn->failed = true;
	worker_touch(conn);
}

static void on_sweep(uv_timer_t *timer)
{
	struct worker *worker = timer->data;
	if (!worker->conns)
		uv_timer_stop(timer);
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (!conn->dead && !conn->lingering)
			sweep_conn(conn, uv_now(&worker->loop));
	}
}

void sweep_start(struct worker *worker)
{
	const struct net *net = worker->net;
	if (!uv_is_active((uv_handle_t *)&worker->sweep) && (net->idle_timeout_ms || net->write_timeout_ms))
		uv_timer_start(&worker->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}
