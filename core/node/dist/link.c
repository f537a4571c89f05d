/* SPDX-License-Identifier: MIT */
/*
 * One connection: bytes in, bytes out, and its end. Everything is non-blocking. What is to be sent collects in `out`
 * during a wake-up and leaves at its end; with TLS it is encrypted only as fast as the socket takes it.
 *
 * Replies are always read, whatever is unsent: two nodes that have much to say to each other cannot lock each other up.
 * Requests that come while too much is unsent wait in `backlog`, which the other side's window bounds.
 */
#include "node/dist/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *handle, int status, int events);

/* ---- life ---- */

struct link *link_new(struct dist *dist, bool ours)
{
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL)
		return NULL;
	link->dist = dist;
	link->ours = ours;
	link->fd = -1;
	link->inner = -1;
	link->since_ms = link->heard_ms = link->pinged_ms = dist_now_ms();
	link->prev = dist->last_link;
	if (link->prev != NULL)
		link->prev->next = link;
	else
		dist->links = link;
	dist->last_link = link;
	dist_hurry(dist);
	return link;
}

int link_watch_fd(struct link *link, int fd)
{
	link->fd = fd;
	int rc = uv_poll_init(link->dist->loop, &link->poll, fd);
	if (rc != 0)
		return rc;
	link->poll.data = link;
	link->poll_open = true;
	dist_hold(link->dist);
	return 0;
}

static void link_free(struct link *link)
{
	struct dist *dist = link->dist;
	if (link->prev != NULL)
		link->prev->next = link->next;
	else
		dist->links = link->next;
	if (link->next != NULL)
		link->next->prev = link->prev;
	else
		dist->last_link = link->prev;
	free(link);
}

/* Closed, and nobody points at it any more. */
void link_unref(struct link *link)
{
	if (link->state == LINK_CLOSED && !link->poll_open && !link->inner_open && link->running == 0 && !link->dirty)
		link_free(link);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	struct dist *dist = link->dist;
	link->poll_open = false;
	link_unref(link);
	dist_release(dist);
}

static void release(struct link *link)
{
	if (link->tls != NULL)
		link->dist->tls_api->session_free(link->tls);
	link->tls = NULL;
	buf_done(&link->in);
	buf_done(&link->out);
	buf_done(&link->wire);
	buf_done(&link->backlog);
	link->out_sent = link->wire_sent = 0;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

void link_close(struct link *link, const char *reason)
{
	char why[REASON_BYTES];
	if (link->state == LINK_CLOSED)
		return;
	snprintf(why, sizeof(why), "%s", reason); /* it may be in what is freed now */
	bool was_up = link->state == LINK_UP;
	if (link->state == LINK_SECURING || link->state == LINK_GREETING)
		link->dist->greetings -= link->ours ? 0 : 1;
	link->state = LINK_CLOSED;
	relay_close(link);
	if (link->poll_open) {
		uv_poll_stop(&link->poll);
		uv_close((uv_handle_t *)&link->poll, on_poll_closed);
	}
	release(link);
	struct peer *peer = link->peer;
	link->peer = NULL;
	if (peer != NULL && peer->link == link)
		peer_lost(peer, was_up, why);
	link_unref(link);
}

void link_end(struct link *link)
{
	link->ending = true;
	link_touch(link);
}

/* ---- out ---- */

void link_touch(struct link *link)
{
	if (link->dirty || link->state == LINK_CLOSED)
		return;
	link->dirty = true;
	link->next_dirty = link->dist->dirty;
	link->dist->dirty = link;
}

static void keep_small(struct buf *buf, size_t *sent)
{
	*sent = 0;
	if (buf->capacity > KEEP_BYTES)
		buf_done(buf);
	else
		buf_clear(buf);
}

/* 1: all of it is gone, 0: the socket is full, -1: it is broken. */
static int send_some(struct link *link, struct buf *buf, size_t *sent)
{
	while (*sent < buf->size) {
		ssize_t n = send(link->fd, buf->data + *sent, buf->size - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		*sent += (size_t)n;
	}
	keep_small(buf, sent);
	return 1;
}

/* Moves what TLS has to say to `wire`. */
static bool take_wire(struct link *link)
{
	for (;;) {
		char *to = buf_reserve(&link->wire, WIRE_BYTES);
		if (to == NULL)
			return false;
		size_t taken = link->dist->tls_api->take(link->tls, to, WIRE_BYTES);
		if (taken == 0)
			return true;
		link->wire.size += taken;
	}
}

static int send_secured(struct link *link)
{
	bool may_write = link->state == LINK_GREETING || link->state == LINK_UP || link->state == LINK_RELAY;
	for (;;) {
		if (!take_wire(link))
			return -1;
		int rc = send_some(link, &link->wire, &link->wire_sent);
		size_t left = link->out.size - link->out_sent;
		if (rc <= 0 || left == 0 || !may_write)
			return rc;
		size_t part = left < WIRE_BYTES ? left : WIRE_BYTES;
		if (!link->dist->tls_api->write(link->tls, link->out.data + link->out_sent, part))
			return -1;
		link->out_sent += part;
		if (part == left)
			keep_small(&link->out, &link->out_sent);
	}
}

static void take_backlog(struct link *link)
{
	struct slice payload;
	size_t consumed;
	char type;
	size_t used = 0;
	while (link->state == LINK_UP && link_unsent(link) < OUT_FULL_BYTES / 2 && used < link->backlog.size) {
		struct slice rest = { link->backlog.data + used, link->backlog.size - used };
		if (frame_next(rest, FRAME_MAX, &type, &payload, &consumed) != 1)
			break;
		serve_request(link, payload);
		serve_run(link->dist);
		used += consumed;
	}
	if (link->state == LINK_CLOSED)
		return;
	buf_consume(&link->backlog, used);
	if (link->backlog.size == 0)
		buf_done(&link->backlog);
}

void link_flush(struct link *link)
{
	if (link->state == LINK_CLOSED || link->fd < 0 || link->state < LINK_SECURING)
		return;
	int rc = link->out.failed    ? -1
		 : link->tls != NULL ? send_secured(link)
				     : send_some(link, &link->out, &link->out_sent);
	if (rc < 0) {
		link_close(link, "the connection broke");
		return;
	}
	if (link->ending && link_unsent(link) == 0) {
		shutdown(link->fd, SHUT_WR);
		link_close(link, "closed");
		return;
	}
	if (link->backlog.size > 0)
		take_backlog(link);
	if (link->state == LINK_RELAY)
		relay_watch(link);
	if (link->state != LINK_CLOSED)
		link_watch(link);
}

void link_watch(struct link *link)
{
	int events = 0;
	if (link->state == LINK_CONNECTING)
		events = UV_WRITABLE;
	else if (!link->end_of_input && (link->state != LINK_RELAY || link->inner_out.size < RELAY_BYTES))
		events = UV_READABLE;
	if (link->state != LINK_CONNECTING && link_unsent(link) > 0)
		events |= UV_WRITABLE;
	if (events == link->events)
		return;
	link->events = events;
	int rc = events != 0 ? uv_poll_start(&link->poll, events, on_poll) : uv_poll_stop(&link->poll);
	if (rc != 0)
		link_close(link, uv_strerror(rc));
}

/* ---- in ---- */

static void keep_for_later(struct link *link, struct slice frame)
{
	link->backlog.cap = BACKLOG_MAX;
	buf_append_slice(&link->backlog, frame);
	if (link->backlog.failed)
		link_close(link, "it sent more than it may before it is answered");
}

static void on_frame(struct link *link, char type, struct slice payload, struct slice whole)
{
	struct dist *dist = link->dist;
	uint64_t id;
	struct kvrel_result result;
	if (link->state == LINK_GREETING) {
		link_greeted(link, type, payload);
		return;
	}
	switch ((enum frame_type)type) {
	case FRAME_REQUEST:
		if (link->backlog.size == 0 && link_unsent(link) < OUT_FULL_BYTES)
			serve_request(link, payload);
		else
			keep_for_later(link, whole);
		return;
	case FRAME_REPLY:
		if (frame_get_reply(payload, &id, &result, &dist->items))
			peer_reply(link->peer, id, &result);
		else
			link_close(link, "it sent a malformed reply");
		return;
	case FRAME_PING:
		frame_put(&link->out, FRAME_PONG, (struct slice){ 0 });
		link_touch(link);
		return;
	case FRAME_PONG:
		return;
	case FRAME_HELLO:
	case FRAME_CONTROL:
	case FRAME_REFUSE:
	case FRAME_TWICE:
		break;
	}
	link_close(link, "it sent a frame that is not known here");
}

static size_t frame_limit(const struct link *link)
{
	return link->state == LINK_GREETING ? FRAME_GREETING_MAX : FRAME_MAX;
}

/* Whole frames of `input`; returns how many bytes they took. Requests that were in it have run. */
static size_t parse(struct link *link, struct slice input)
{
	size_t used = 0;
	while (link->state == LINK_GREETING || link->state == LINK_UP) {
		struct slice rest = { input.data + used, input.size - used };
		struct slice payload;
		size_t consumed;
		char type;
		int rc = frame_next(rest, frame_limit(link), &type, &payload, &consumed);
		if (rc < 0) {
			if (link->state == LINK_GREETING && !link->ours)
				refusal_log(link->dist, link, "it does not speak the language of nodes");
			link_close(link, "it sent a frame of a wrong size");
		}
		if (rc <= 0)
			break;
		on_frame(link, type, payload, (struct slice){ rest.data, consumed });
		used += consumed;
	}
	serve_run(link->dist);
	return used;
}

/* Parses in place what is whole; only the beginning of a frame is kept. */
static void take_input(struct link *link, struct slice input)
{
	bool kept = link->in.size > 0;
	link->in.cap = FRAME_MAX + 2 * READ_BYTES;
	if (kept)
		buf_append_slice(&link->in, input);
	size_t used = parse(link, kept ? buf_slice(&link->in) : input);
	if (link->state == LINK_CLOSED)
		return;
	if (kept)
		buf_consume(&link->in, used);
	else
		buf_append(&link->in, input.data + used, input.size - used);
	if (link->in.failed)
		link_close(link, "out of memory");
	else if (link->in.size == 0)
		keep_small(&link->in, &(size_t){ 0 });
	if (link->state == LINK_RELAY)
		relay_input(link);
}

/* 0, or -1 at the end. */
static int take_secured(struct link *link, struct slice wire)
{
	const struct tls_api *tls = link->dist->tls_api;
	if (!tls->feed(link->tls, wire.data, wire.size))
		return -1;
	if (link->state == LINK_SECURING) {
		link_secure(link);
		if (link->state != LINK_GREETING)
			return 0;
	}
	while (link->state != LINK_CLOSED) {
		ssize_t got = tls->read(link->tls, link->dist->plain, READ_BYTES);
		if (got <= 0)
			return got < 0 ? -1 : 0;
		take_input(link, (struct slice){ link->dist->plain, (size_t)got });
	}
	return 0;
}

static int receive(struct link *link)
{
	ssize_t got = recv(link->fd, link->dist->scratch, READ_BYTES, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
	if (got == 0)
		return -1;
	link->heard_ms = dist_now_ms();
	struct slice input = { link->dist->scratch, (size_t)got };
	if (link->tls != NULL)
		return take_secured(link, input);
	take_input(link, input);
	return 0;
}

static void on_readable(struct link *link)
{
	if (receive(link) == 0 || link->state == LINK_CLOSED)
		return;
	if (link->state == LINK_RELAY) {
		link->end_of_input = true;
		relay_input(link);
	} else {
		if (!link->ours && link->state == LINK_SECURING)
			refusal_log(link->dist, link, "it left before it proved anything");
		link_close(link, "the other side closed the connection");
	}
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct link *link = handle->data;
	if (link->state == LINK_CONNECTING) {
		link_connected(link);
		return;
	}
	if (status < 0) {
		link_close(link, "the connection broke");
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		link_touch(link);
	if ((events & UV_READABLE) != 0)
		on_readable(link);
	if (link->state != LINK_CLOSED)
		link_touch(link);
}
