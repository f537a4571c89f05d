/* SPDX-License-Identifier: MIT */
/*
 * One connection: its life, and bytes out. Everything is non-blocking. What is to be sent collects in `out` during a
 * wake-up and leaves at its end; with TLS it is encrypted only as fast as the socket takes it. Requests that wait in
 * `backlog` run when there is room again, or when their provider takes writes again.
 */
#include "node/dist/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	free(link->attempt);
	link->attempt = NULL;
	buf_done(&link->in);
	buf_done(&link->out);
	buf_done(&link->wire);
	buf_done(&link->backlog);
	link->out_sent = link->wire_sent = 0;
	link->dist->link_bytes -= link->bytes;
	link->bytes = 0;
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
	if (link->state == LINK_RESOLVING && link->running > 0)
		uv_cancel((uv_req_t *)&link->lookup); /* one that has begun ends when it ends */
	if (link->state == LINK_SECURING || link->state == LINK_GREETING)
		link->dist->greetings -= link->ours ? 0 : 1;
	if (link->state == LINK_UP)
		link->dist->abandoned += link->running;
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

void link_keep_small(struct buf *buf, size_t *sent)
{
	*sent = 0;
	if (buf->capacity > KEEP_BYTES)
		buf_done(buf);
	else
		buf_clear(buf);
}

/* What a buffer has sent that never runs empty, as long as its peer asks faster than it reads. */
static void drop_sent(struct buf *buf, size_t *sent)
{
	if (*sent < DROP_BYTES || *sent < buf->size / 2)
		return;
	buf_consume(buf, *sent);
	*sent = 0;
}

/* 1: all of it is gone, 0: the socket is full, -1: it is broken. `*sent` says how much is gone. */
static int send_bytes(const struct link *link, const char *data, size_t size, size_t *sent)
{
	while (*sent < size) {
		ssize_t n = send(link->fd, data + *sent, size - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		*sent += (size_t)n;
	}
	return 1;
}

static int send_some(const struct link *link, struct buf *buf, size_t *sent)
{
	int rc = send_bytes(link, buf->data, buf->size, sent);
	if (rc > 0)
		link_keep_small(buf, sent);
	return rc;
}

/* What TLS has to say; what the socket does not take of it waits in `wire`. */
static int send_wire(struct link *link)
{
	struct dist *dist = link->dist;
	for (;;) {
		int rc = send_some(link, &link->wire, &link->wire_sent);
		if (rc <= 0)
			return rc;
		size_t sent = 0;
		size_t size = dist->tls_api->take(link->tls, dist->scratch, READ_BYTES);
		if (size == 0)
			return 1;
		rc = send_bytes(link, dist->scratch, size, &sent);
		buf_append(&link->wire, dist->scratch + sent, size - sent);
		if (rc < 0 || link->wire.failed)
			return -1;
	}
}

static int send_secured(struct link *link)
{
	bool may_write = link->state == LINK_GREETING || link->state == LINK_UP || link->state == LINK_RELAY;
	for (;;) {
		int rc = send_wire(link);
		size_t left = link->out.size - link->out_sent;
		if (rc <= 0 || left == 0 || !may_write)
			return rc;
		size_t part = left < WIRE_BYTES ? left : WIRE_BYTES;
		if (!link->dist->tls_api->write(link->tls, link->out.data + link->out_sent, part))
			return -1;
		link->out_sent += part;
		if (part == left)
			link_keep_small(&link->out, &link->out_sent);
	}
}

/* ---- memory ---- */

void link_rest(struct link *link)
{
	if (link->resting || link_unsent(link) > 0)
		return;
	link->resting = true;
	if (link->in.size == 0)
		buf_done(&link->in);
	buf_done(&link->out);
	buf_done(&link->wire);
	if (link->tls != NULL)
		link->dist->tls_api->rest(link->tls);
	link_account(link);
}

static void close_largest(struct dist *dist)
{
	struct link *largest = dist->links;
	for (struct link *link = dist->links; link != NULL; link = link->next)
		largest = link->bytes > largest->bytes ? link : largest;
	link_close(largest, "all links together hold too much (--dist-memory), and this one most");
}

void link_account(struct link *link)
{
	struct dist *dist = link->dist;
	size_t bytes = link->in.capacity + link->out.capacity + link->wire.capacity + link->backlog.capacity +
		       link->running * sizeof(struct incoming);
	dist->link_bytes += bytes - link->bytes;
	link->bytes = bytes;
	while (dist->link_bytes > dist->memory_bytes)
		close_largest(dist);
}

/* ---- one turn ---- */

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
		size_t done = serve_requests(link, (struct slice){ rest.data, consumed });
		serve_run(link->dist);
		used += done;
		if (done < consumed)
			break;
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
	link->replies = (struct frame_open){ 0 };
	link->resting = false;
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
	drop_sent(&link->out, &link->out_sent);
	if (link->backlog.size > 0)
		take_backlog(link);
	if (link->state != LINK_CLOSED)
		link_account(link);
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
	else if (link->state != LINK_RELAY || link->inner_out.size < RELAY_BYTES)
		events = UV_READABLE;
	if (link->state != LINK_CONNECTING && link_unsent(link) > 0)
		events |= UV_WRITABLE;
	if (events == link->events)
		return;
	link->events = events;
	int rc = events != 0 ? uv_poll_start(&link->poll, events, link_on_poll) : uv_poll_stop(&link->poll);
	if (rc != 0)
		link_close(link, uv_strerror(rc));
}
