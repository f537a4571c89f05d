/* SPDX-License-Identifier: MIT */
/*
 * Connections that have been told all they will be told. Closing a socket with unread input resets the connection, and
 * a reset may overtake the very reply that says why. So the sending half is shut down, and what the peer still sends is
 * discarded for a while.
 *
 * That goes for clients over the limit as well: nearly all of them send before they read that they are too many.
 */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

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
	if (n > 0)
		conn->linger_bytes += (size_t)n;
	if (n > 0 && conn->linger_bytes < LINGER_BYTES)
		return;
	conn->failed = true;
	worker_touch(conn);
}

static void on_linger(uv_timer_t *timer)
{
	struct worker *worker = timer->data;
	if (worker->lingering == 0)
		uv_timer_stop(timer);
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (conn->lingering && !conn->dead && uv_now(&worker->loop) >= conn->linger_until_ms) {
			conn->failed = true;
			worker_touch(conn);
		}
	}
}

void conn_linger(struct kvrel_conn *conn)
{
	struct worker *worker = conn->worker;
	if (conn->eof || shutdown(conn->fd, SHUT_WR) != 0) {
		conn_close(conn);
		return;
	}
	conn->lingering = true;
	conn->linger_until_ms = uv_now(&worker->loop) + LINGER_MS;
	if (worker->lingering++ == 0)
		uv_timer_start(&worker->linger, on_linger, LINGER_MS / 4, LINGER_MS / 4);
}

void conn_turn_away(struct worker *worker, int fd, const struct kvrel_protocol *protocol, const char *owner)
{
	struct kvrel_conn *conn = conn_new(worker, fd, protocol, owner, true);
	if (!conn)
		return;
	conn->closing = true;
	worker_touch(conn);
}
