/* SPDX-License-Identifier: MIT */
/*
 * What comes in on one connection: read, decrypted, cut into frames in place, and given to whom it concerns.
 *
 * Replies are always read, whatever is unsent: two nodes that have much to say to each other cannot lock each other up.
 * Requests that come while too much is unsent wait in `backlog`, which the other side's window bounds.
 */
#include "node/dist/internal.h"

#include <errno.h>
#include <sys/socket.h>

/* What was asked for before the lie still runs first: its arguments lie in what goes with the link. */
static void hang_up(struct link *link, const char *reason)
{
	serve_run(link->dist);
	link_close(link, reason);
}

/* Runs what there is room for to answer; the rest waits. */
static void take_requests(struct link *link, struct slice whole)
{
	size_t done = link->backlog.size == 0 ? serve_requests(link, whole) : 0;
	if (done == whole.size || link->state == LINK_CLOSED)
		return;
	link->backlog.cap = BACKLOG_MAX;
	buf_append(&link->backlog, whole.data + done, whole.size - done);
	if (link->backlog.failed)
		hang_up(link, "it sent more than it may before it is answered");
}

static void take_replies(struct link *link, struct slice rest)
{
	struct dist *dist = link->dist;
	struct kvrel_result result;
	uint64_t id;
	bool well_formed = rest.size > 0;
	while (well_formed && rest.size > 0) {
		well_formed = frame_get_reply(&rest, &id, &result, &dist->items);
		if (well_formed)
			answers_add(link->peer, id, &result);
	}
	answers_give(dist);
	frame_items_rest(&dist->items);
	if (!well_formed)
		hang_up(link, "it sent a malformed reply");
}

static void on_frame(struct link *link, char type, struct slice payload, struct slice whole)
{
	if (link->state == LINK_GREETING) {
		link_greeted(link, type, payload);
		return;
	}
	switch ((enum frame_type)type) {
	case FRAME_REQUESTS:
		take_requests(link, whole);
		return;
	case FRAME_REPLIES:
		take_replies(link, payload);
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
	hang_up(link, "it sent a frame that is not known here");
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
			hang_up(link, "it sent a frame of a wrong size");
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
		link_keep_small(&link->in, &(size_t){ 0 });
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
	if (!link->ours && link->state == LINK_SECURING)
		refusal_log(link->dist, link, "it left before it proved anything");
	link_close(link, "the other side closed the connection"); /* also a client: what runs for it ends */
}

void link_on_poll(uv_poll_t *handle, int status, int events)
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
