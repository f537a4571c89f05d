/* SPDX-License-Identifier: MIT */
/*
 * Connections that have been told all they will be told. Closing a socket with unread input resets the connection, and
 * so does what the peer sends afterwards; a reset may overtake the very reply that says why, and those before it. So
 * what still comes is discarded from the moment that nobody listens; when all is answered and sent, the sending half is
 * shut down, and the end is the peer's own, or a while in which it has sent nothing: by then it has read, or waits.
 *
 * That goes for clients over the limit as well: nearly all of them send before they read that they are too many.
 */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	TICK_MS = 250,
	QUIET_MS = 2000,
	TICK_DRAINED_MS = 20, /* a stop or restart waits for it, and so do all other clients */
	QUIET_DRAINED_MS = 100,
	LINGER_MS = 10000, /* of one that goes on and on */
};

bool conn_is_quiet(const struct kvrel_conn *conn)
{
	uint64_t most = conn->drained ? QUIET_DRAINED_MS : QUIET_MS;
	return uv_now(&conn->worker->loop) - conn->active_ms >= most;
}

/* Nothing more to discard: what ends now is reading, or, when all is said, the connection. */
static void end_of_input(struct kvrel_conn *conn, bool peer_closed)
{
	if (peer_closed && !conn->lingering)
		conn->eof = true;
	else
		conn->failed = true;
	worker_touch(conn);
}

void conn_discard(struct kvrel_conn *conn)
{
	struct batch *batch = &conn->worker->batch;
	if (ARENA_BYTES - batch->arena_used < READ_BYTES_MIN)
		worker_turn(conn->worker);
	if (conn->dead) /* its time was over */
		return;
	ssize_t n = recv(conn->fd, batch->arena + batch->arena_used, ARENA_BYTES - batch->arena_used, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		end_of_input(conn, n == 0);
		return;
	}
	conn->active_ms = uv_now(&conn->worker->loop);
	conn->unheard_bytes += (size_t)n;
	if (conn->unheard_bytes < UNHEARD_BYTES)
		return;
	conn->failed = conn->lingering;
	worker_touch(conn); /* which stops reading, until it lingers */
}

static void on_linger(uv_timer_t *timer)
{
	struct worker *worker = timer->data;
	if (worker->lingering == 0)
		uv_timer_stop(timer);
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (!conn->lingering || conn->dead)
			continue;
		if (conn_is_quiet(conn) || uv_now(&worker->loop) >= conn->linger_until_ms) {
			conn->failed = true;
			worker_touch(conn);
		}
	}
}

void conn_linger(struct kvrel_conn *conn)
{
	struct worker *worker = conn->worker;
	if (shutdown(conn->fd, SHUT_WR) != 0) {
		conn_close(conn);
		return;
	}
	conn->lingering = true;
	conn->unheard_bytes = 0;
	conn->active_ms = uv_now(&worker->loop);
	conn->linger_until_ms = conn->active_ms + LINGER_MS;
	uint64_t tick = conn->drained ? TICK_DRAINED_MS : TICK_MS;
	if (worker->lingering++ == 0 || conn->drained)
		uv_timer_start(&worker->linger, on_linger, tick, tick);
}

void conn_turn_away(struct worker *worker, int fd, const struct kvrel_protocol *protocol, struct owner *owner)
{
	struct kvrel_conn *conn = conn_new(worker, fd, protocol, owner, true);
	if (!conn)
		return;
	conn->closing = true;
	worker_touch(conn);
}
