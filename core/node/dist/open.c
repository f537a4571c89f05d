/* SPDX-License-Identifier: MIT */
/*
 * How this node opens a link: by a socket in the folder of this host's nodes, or by the addresses that the host part of
 * a name has. Those are tried one after the other, in the resolver's order, each with its part of the time that one
 * attempt has: a host with addresses of both families, or one that moved, often does not answer at the first.
 *
 * A handle of libuv is closed in a later turn than the one that closes it, so each address gets a link of its own; the
 * peer sees the last one's failure, which names all of them.
 */
#include "node/dist/internal.h"

#include "base/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin_tls(struct link *link)
{
	struct dist *dist = link->dist;
	link->tls = dist->tls_api->session_new(dist->tls, !link->ours);
	link->state = LINK_SECURING;
	link->since_ms = dist_now_ms();
	if (link->tls == NULL)
		link_close(link, "out of memory");
	else
		link_secure(link);
}

void link_connected(struct link *link)
{
	int problem = 0;
	socklen_t size = sizeof(problem);
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
		problem = errno;
	if (problem != 0) {
		link_connect_failed(link, strerror(problem));
		return;
	}
	link->events = 0;
	uv_poll_stop(&link->poll);
	begin_tls(link);
	if (link->state != LINK_CLOSED)
		link_watch(link);
}

/* ---- addresses ---- */

static void connect_to(struct link *link, const struct dist_address *address);

/* To its next address, by a new link, which takes the place of this one. */
static void go_on(struct link *link, const char *reason)
{
	struct attempt *attempt = link->attempt;
	struct peer *peer = link->peer;
	struct link *next = link_new(link->dist, true);
	if (next == NULL) {
		link_close(link, "out of memory");
		return;
	}
	size_t used = strlen(attempt->failures);
	snprintf(attempt->failures + used, sizeof(attempt->failures) - used, "%s: %s; ", link->address, reason);
	next->attempt = attempt;
	next->peer = peer;
	peer->link = next;
	link->attempt = NULL;
	link->peer = NULL;
	link_close(link, reason);
	connect_to(next, &attempt->addresses[++attempt->at]);
}

void link_connect_failed(struct link *link, const char *reason)
{
	const struct attempt *attempt = link->attempt;
	char all[REASON_BYTES + DIST_ADDRESS_BYTES + 64];
	if (attempt == NULL || link->peer == NULL || attempt->count == 1) {
		link_close(link, reason);
	} else if (attempt->at + 1 < attempt->count) {
		go_on(link, reason);
	} else {
		snprintf(all, sizeof(all), "%s%s: %s", attempt->failures, link->address, reason);
		link_close(link, all);
	}
}

int64_t link_connect_limit(const struct link *link)
{
	int64_t limit = link->attempt != NULL ? CONNECT_MS / link->attempt->count : CONNECT_MS;
	return limit > CONNECT_LEAST_MS ? limit : CONNECT_LEAST_MS;
}

static void connect_first(struct link *link, const struct attempt *found)
{
	link->attempt = malloc(sizeof(*found));
	if (link->attempt == NULL) {
		link_close(link, "out of memory");
		return;
	}
	*link->attempt = *found;
	link->since_ms = dist_now_ms();
	connect_to(link, &link->attempt->addresses[0]);
}

static void connect_to(struct link *link, const struct dist_address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	dist_address_text(&address->storage, link->address);
	if (fd < 0) {
		link_connect_failed(link, strerror(errno));
		return;
	}
	dist_prepare_socket(fd);
	link->state = LINK_CONNECTING;
	int rc = link_watch_fd(link, fd);
	if (rc != 0)
		link_close(link, uv_strerror(rc));
	else if (connect(fd, (const struct sockaddr *)&address->storage, address->size) != 0 && errno != EINPROGRESS)
		link_connect_failed(link, strerror(errno));
	else
		link_watch(link);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct link *link = lookup->data;
	struct dist_place place;
	struct attempt attempt = { 0 };
	struct dist *dist = link->dist;
	struct error err;
	if (link->state == LINK_RESOLVING && link->peer != NULL) {
		int rc = dist_place_of_node(link->peer->name, &place, &err);
		if (rc == 0 && status != 0)
			rc = error_set(&err, ERROR_FAILED, "cannot find host '%s': %s", place.host,
				       uv_strerror(status));
		if (rc == 0) {
			attempt.count = dist_addresses_of(found, place.port, attempt.addresses);
			connect_first(link, &attempt);
		} else {
			link_close(link, err.message);
		}
	}
	uv_freeaddrinfo(found);
	link->running--; /* the lookup held the memory */
	link_unref(link);
	dist_release(dist);
}

static void look_up(struct link *link, const struct dist_place *place)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	link->state = LINK_RESOLVING;
	link->lookup.data = link;
	int rc = uv_getaddrinfo(link->dist->loop, &link->lookup, on_looked_up, place->host, NULL, &hints);
	if (rc != 0) {
		link_close(link, uv_strerror(rc));
		return;
	}
	link->running++;
	dist_hold(link->dist);
}

static void open_by_name(struct link *link)
{
	struct dist_place place;
	struct attempt attempt = { .count = 1 };
	struct error err;
	if (dist_place_of_node(link->peer->name, &place, &err) != 0)
		link_close(link, err.message);
	else if (dist_address_numeric(&place, &attempt.addresses[0]))
		connect_first(link, &attempt);
	else
		look_up(link, &place);
}

/* No failure: what waits leaves by the next link, of either side. */
void link_try_again_soon(struct link *link, const char *reason)
{
	struct peer *peer = link->peer;
	link->peer = NULL;
	if (peer->link == link) {
		peer->link = NULL;
		peer->held_off = true;
		peer->retry_at_ms = dist_now_ms() + RETRY_FIRST_MS;
	}
	link_close(link, reason);
}

static void open_here(struct link *link)
{
	char socket_name[FRAME_NAME_MAX + 16];
	struct error err;
	int fd = -1;
	snprintf(socket_name, sizeof(socket_name), "%s.dist", link->peer->name);
	int rc = control_connect_now(link->dist->dir, socket_name, &fd, &err);
	snprintf(link->address, sizeof(link->address), "this host");
	if (rc == -ERROR_TRY_AGAIN) { /* many want it at this moment, or it hangs */
		link_try_again_soon(link, err.message);
		return;
	}
	if (rc != 0) {
		link_close(link, rc == -ERROR_NOT_FOUND ? "it is not running on this host" : err.message);
		return;
	}
	link->state = LINK_GREETING;
	rc = link_watch_fd(link, fd);
	if (rc != 0) {
		link_close(link, uv_strerror(rc));
		return;
	}
	link_say_hello(link, slice_of(link->peer->name));
	link_watch(link);
}

void link_open(struct peer *peer)
{
	struct link *link = link_new(peer->dist, true);
	if (link == NULL) {
		peer_lost(peer, false, "out of memory");
		return;
	}
	link->peer = peer;
	peer->link = link;
	peer->opened_ms = dist_now_ms();
	peer->held_off = false;
	if (peer->dist->dir != NULL)
		open_here(link);
	else
		open_by_name(link);
}
