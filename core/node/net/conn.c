/* SPDX-License-Identifier: MIT */
/*
 * One connection, from its socket to its end.
 *
 * Input. Bytes are received into the worker's arena, which all connections of a wake-up share, and parsed in place.
 * Only an incomplete request is copied, into a buffer of the connection's own that has its exact size; once that is
 * long, later bytes are received straight behind it. An idle connection therefore owns no buffer at all, and a long
 * value is copied once.
 *
 * Pace. Parsing stops when unsent output and waiting results, or unanswered requests, are over their limits, and what
 * is parsed already waits (postpone.c); reading pauses with it and all resume from conn_advance(). A change of what is
 * polled costs a system call, so it is made only then.
 *
 * End. The peer's half-close lets everything complete be answered and sent first. close_after() and a node that stops
 * answer what was asked and linger (linger.c). Every end goes through conn_close(), always after the batch has run.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool conn_has_room(const struct kvrel_conn *conn)
{
	return conn->slot_count < CONN_SLOTS_MAX &&
	       out_unsent(&conn->out) + conn->held_bytes <= conn->worker->net->output_max_bytes;
}

static bool is_deaf(const struct kvrel_conn *conn)
{
	return conn->closing || conn->drained;
}

/* ---- input ---- */

/* A rest this short is moved into the arena, so that it keeps its exact size between reads. */
static bool rest_is_short(const struct input *input)
{
	return input->size <= READ_BYTES_MIN / 2;
}

/* Where the next bytes go, right behind the rest; 0 without memory. */
static size_t room_for_input(struct kvrel_conn *conn, char **to)
{
	struct input *input = &conn->input;
	struct batch *batch = &conn->worker->batch;
	if (!rest_is_short(input)) {
		size_t end = input->skipped + input->size;
		if (input->own_capacity - end < READ_BYTES_MIN && !input_grow(conn))
			return 0;
		*to = input->own + end;
		return input->own_capacity - end;
	}
	char *start = batch->arena + batch->arena_used;
	size_t room = ARENA_BYTES - batch->arena_used;
	if (input->size > 0)
		memcpy(start, input->data, input->size);
	input->data = start;
	*to = start + input->size;
	room -= input->size;
	return room < READ_BYTES ? room : READ_BYTES;
}

/* What room_for_input() has moved into the arena stays there until the batch has run. */
static void keep_in_arena(struct kvrel_conn *conn)
{
	if (!input_is_own(&conn->input))
		conn->worker->batch.arena_used += conn->input.size;
}

static void account_input(struct kvrel_conn *conn, size_t received)
{
	conn->input.size += received;
	conn->active_ms = uv_now(&conn->worker->loop);
	keep_in_arena(conn);
	counter_add(&conn->worker->counters.bytes_in, received);
}

static void check_rest(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	if (conn->closing || conn->failed) {
		input->used = input->size;
	} else if (input->size - input->used > conn->protocol->input_max) {
		input->used = input->size;
		conn->closing = true;
	}
	if (conn->closing || conn->failed)
		worker_touch(conn);
}

static void parse_asides(struct kvrel_conn *conn)
{
	if (!conn_has_room(conn)) {
		conn->blocked = true;
		worker_touch(conn);
		return;
	}
	batch_take_asides(conn);
	if (conn->asides && !conn->failed)
		worker_ready(conn);
}

void conn_parse(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	worker_settle(conn);
	if (conn->blocked)
		worker_touch(conn); /* reading goes on too, even if nothing is answered yet */
	conn->blocked = !conn->failed && !postponed_run(conn);
	if (conn->blocked) {
		worker_touch(conn);
		return;
	}
	if (conn->asides && !conn->closing && !conn->failed)
		parse_asides(conn);
	while (input->used < input->size && !conn->closing && !conn->failed) {
		if (!conn_has_room(conn)) {
			conn->blocked = true;
			worker_touch(conn);
			return;
		}
		if (conn->worker->batch.count == BATCH_CALLS_MAX) {
			conn->blocked = true;
			worker_ready(conn);
			return;
		}
		conn->refused = false;
		struct kvrel_slice rest = { input->data + input->used, input->size - input->used };
		input->used += conn->protocol->receive(conn, conn->state, rest);
		if (!conn->refused)
			break; /* what is left is an incomplete request */
	}
	check_rest(conn);
}

/* False: the connection ended meanwhile, or is not to be read any more. */
static bool make_room_to_read(struct kvrel_conn *conn)
{
	if (!conn->in_settle && ARENA_BYTES - conn->worker->batch.arena_used >= READ_BYTES_MIN * 2)
		return true;
	worker_turn(conn->worker);
	return !conn->dead && !is_deaf(conn) && (conn->events & UV_READABLE);
}

static void receive_some(struct kvrel_conn *conn)
{
	if (!make_room_to_read(conn))
		return;
	char *to = NULL;
	size_t room = room_for_input(conn, &to);
	ssize_t n = room ? recv(conn->fd, to, room, MSG_DONTWAIT) : -1;
	if (n > 0) {
		account_input(conn, (size_t)n);
		conn->worker->batch.conns++;
		conn_parse(conn);
		return;
	}
	worker_settle(conn); /* the rest may be in the arena by now, where the next one would read over it */
	keep_in_arena(conn);
	if (n == 0)
		conn->eof = true;
	else if (room && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	else
		conn->failed = true;
	worker_touch(conn);
}

/* ---- polling ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct kvrel_conn *conn = poll->data;
	if (conn->dead)
		return;
	if (status < 0) {
		conn->failed = true;
		worker_touch(conn);
		return;
	}
	if (events & UV_WRITABLE)
		worker_touch(conn);
	if (events & conn->events & UV_READABLE) {
		if (is_deaf(conn))
			conn_discard(conn);
		else
			receive_some(conn);
	}
	const struct batch *batch = &conn->worker->batch;
	if (batch->conns >= SEND_CONNS)
		worker_turn(conn->worker);
	else if (batch->count >= BATCH_RUN_CALLS)
		worker_run(conn->worker);
}

static bool may_go_on(const struct kvrel_conn *conn)
{
	return conn->postponed ? postponed_may_run(conn) : conn_has_room(conn);
}

static bool may_read(const struct kvrel_conn *conn)
{
	if (is_deaf(conn)) /* it may not read what it is owed before it has got rid of what it sends */
		return conn->unheard_bytes < UNHEARD_BYTES;
	return !conn->blocked && conn_has_room(conn);
}

static void watch(struct kvrel_conn *conn)
{
	int events = 0;
	if (!conn->eof && may_read(conn))
		events |= UV_READABLE;
	if (out_unsent(&conn->out) > 0)
		events |= UV_WRITABLE;
	if (events == conn->events)
		return;
	conn->events = events;
	int status = events ? uv_poll_start(&conn->poll, events, on_poll) : uv_poll_stop(&conn->poll);
	if (status < 0)
		conn->failed = true;
}

static bool is_finished(const struct kvrel_conn *conn)
{
	return conn->slot_count == 0 && out_unsent(&conn->out) == 0 && !conn->blocked;
}

static void end(struct kvrel_conn *conn)
{
	if (conn->eof)
		conn_close(conn);
	else if (!conn->lingering)
		conn_linger(conn);
}

void conn_advance(struct kvrel_conn *conn)
{
	if (conn->dead) {
		conn_free_if_unused(conn);
		return;
	}
	if (conn->failed || conn->out.failed || out_send(&conn->out, conn->fd) != 0) {
		conn_close(conn);
		return;
	}
	if (conn->blocked && !conn->in_ready && may_go_on(conn))
		worker_ready(conn);
	if ((is_deaf(conn) || conn->eof) && is_finished(conn))
		end(conn);
	if (!conn->dead)
		watch(conn);
}

/* ---- life ---- */

/* The last of all is the last of its owner, too, and that is counted behind: nobody else has to be woken. */
static void forget(struct worker *worker, struct owner *owner, bool turned_away)
{
	struct net *net = worker->net;
	if (turned_away)
		atomic_fetch_sub_explicit(&net->turned_away, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&net->connections, 1, memory_order_acq_rel);
	if (atomic_fetch_sub_explicit(&owner->connections, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&net->idle_lock);
	pthread_cond_broadcast(&net->idle);
	pthread_mutex_unlock(&net->idle_lock);
}

static void link_conn(struct worker *worker, struct kvrel_conn *conn)
{
	conn->next = worker->conns;
	if (conn->next)
		conn->next->prev = conn;
	worker->conns = conn;
}

static void unlink_conn(struct worker *worker, struct kvrel_conn *conn)
{
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		worker->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
}

struct kvrel_conn *conn_new(struct worker *worker, int fd, const struct kvrel_protocol *protocol, struct owner *owner,
			    bool turned_away)
{
	struct kvrel_conn *conn = calloc(1, sizeof(*conn) + protocol->conn_bytes);
	if (!conn || uv_poll_init(&worker->loop, &conn->poll, fd) != 0) {
		free(conn);
		close(fd);
		forget(worker, owner, turned_away);
		return NULL;
	}
	conn->worker = worker;
	conn->protocol = protocol;
	conn->owner = owner;
	conn->fd = fd;
	conn->turned_away = turned_away;
	conn->out.worker = worker;
	conn->poll.data = conn;
	conn->active_ms = uv_now(&worker->loop);
	link_conn(worker, conn);
	return conn;
}

void conn_open(struct worker *worker, int fd, const struct kvrel_protocol *protocol, void *protocol_state,
	       struct owner *owner)
{
	struct kvrel_conn *conn = conn_new(worker, fd, protocol, owner, false);
	if (!conn)
		return;
	conn->protocol_state = protocol_state;
	sweep_start(worker);
	if (protocol->opened)
		protocol->opened(conn, conn->state);
	watch(conn);
	if (conn->failed || worker->draining)
		conn_drain(conn);
}

/* One that is owed nothing and says nothing is closed at once: it would notice no earlier. */
void conn_drain(struct kvrel_conn *conn)
{
	if (conn->dead)
		return;
	if (!is_deaf(conn) && !conn->failed && (conn->events & UV_READABLE))
		receive_some(conn);
	conn->drained = true;
	if (!conn->lingering && is_finished(conn) && conn_is_quiet(conn))
		conn->failed = true;
	worker_touch(conn);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct kvrel_conn *conn = handle->data;
	conn->poll_closed = true;
	conn_free_if_unused(conn);
}

void conn_close(struct kvrel_conn *conn)
{
	if (conn->dead)
		return;
	conn->dead = true;
	if (conn->lingering)
		conn->worker->lingering--;
	if (conn->protocol->closed && !conn->turned_away)
		conn->protocol->closed(conn, conn->state);
	uv_poll_stop(&conn->poll);
	uv_close((uv_handle_t *)&conn->poll, on_poll_closed);
	close(conn->fd);
	out_release(&conn->out);
	postponed_drop(conn);
	forget(conn->worker, conn->owner, conn->turned_away);
}

void conn_free_if_unused(struct kvrel_conn *conn)
{
	if (!conn->dead || !conn->poll_closed || conn->slot_count > 0 || conn->asides_running > 0 || conn->in_ready ||
	    conn->in_dirty || conn->in_settle || conn->cuts)
		return;
	unlink_conn(conn->worker, conn);
	input_free(conn);
	free(conn->peer);
	batch_drop_asides(conn);
	free(conn);
}
