/* SPDX-License-Identifier: MIT */
/*
 * A client of the control protocol that came over TLS: launchers of other hosts. It has proved the cookie; from here on
 * its bytes go to and fro between the wire and a pair of sockets, whose other end is a client like any other for the
 * control server. Neither side is read faster than the other takes it.
 */
#include "node/dist/internal.h"

#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_inner(uv_poll_t *handle, int status, int events);

void relay_begin(struct link *link)
{
	struct dist *dist = link->dist;
	int pair[2];
	link->state = LINK_RELAY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		link_close(link, strerror(errno));
		return;
	}
	link->inner = pair[0];
	if (uv_poll_init(dist->loop, &link->inner_poll, link->inner) != 0) {
		close(pair[1]);
		link_close(link, "out of memory");
		return;
	}
	link->inner_poll.data = link;
	link->inner_open = true;
	dist_hold(dist);
	dist->host.control(dist->host.context, pair[1]);
	link_touch(link);
}

void relay_watch(struct link *link)
{
	int events = 0;
	if (!link->inner_open)
		return;
	if (!link->ending && link->inner >= 0 && link_unsent(link) < RELAY_BYTES)
		events |= UV_READABLE;
	if (link->inner_out.size > 0)
		events |= UV_WRITABLE;
	if (events == link->inner_events)
		return;
	link->inner_events = events;
	if (events == 0 || uv_poll_start(&link->inner_poll, events, on_inner) != 0)
		uv_poll_stop(&link->inner_poll);
}

/* To the control server. */
static void send_inner(struct link *link)
{
	while (link->inner_out.size > 0) {
		ssize_t n = send(link->inner, link->inner_out.data, link->inner_out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			link_end(link);
			buf_clear(&link->inner_out);
			return;
		}
		buf_consume(&link->inner_out, (size_t)n);
	}
}

void relay_input(struct link *link)
{
	if (link->inner < 0)
		return;
	buf_append_slice(&link->inner_out, buf_slice(&link->in));
	buf_clear(&link->in);
	if (link->inner_out.failed) {
		link_close(link, "out of memory");
		return;
	}
	send_inner(link);
	link_touch(link);
}

/* From the control server. */
static void read_inner(struct link *link)
{
	char *to = buf_reserve(&link->out, RELAY_BYTES);
	ssize_t n = to != NULL ? recv(link->inner, to, RELAY_BYTES, MSG_DONTWAIT) : -1;
	if (n < 0 && to != NULL && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0)
		link_end(link);
	else
		link->out.size += (size_t)n;
	link_touch(link);
}

/* The last words of the control server, on the way to the end of the node. */
void relay_drain(struct link *link)
{
	size_t before;
	do {
		before = link->out.size;
		read_inner(link);
	} while (link->state == LINK_RELAY && link->out.size > before);
	link->ending = false;
	if (link->state == LINK_RELAY)
		link_flush(link);
}

static void on_inner(uv_poll_t *handle, int status, int events)
{
	struct link *link = handle->data;
	if (link->state != LINK_RELAY)
		return;
	if (status < 0) {
		link_end(link);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		send_inner(link);
	if ((events & UV_READABLE) != 0)
		read_inner(link);
	link_touch(link);
}

static void on_inner_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	struct dist *dist = link->dist;
	link->inner_open = false;
	link_unref(link);
	dist_release(dist);
}

void relay_close(struct link *link)
{
	if (link->inner >= 0)
		close(TAKE_FD(link->inner));
	buf_done(&link->inner_out);
	if (link->inner_open && !uv_is_closing((uv_handle_t *)&link->inner_poll)) {
		uv_poll_stop(&link->inner_poll);
		uv_close((uv_handle_t *)&link->inner_poll, on_inner_closed);
	}
}
