/* SPDX-License-Identifier: MIT */
/*
 * Listening and accepting. Whoever connects has five seconds to prove who he is; when too many try at once the oldest
 * one has to go, so that a thousand who prove nothing keep nobody out for long.
 */
#include "node/dist/internal.h"

#include "base/control.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 512, ACCEPT_AT_ONCE = 64, ACCEPT_PAUSE_MS = 200 };

/* ---- listening ---- */

static int listen_here(struct dist *dist, struct error *err)
{
	char socket_name[FRAME_NAME_MAX + 16];
	snprintf(socket_name, sizeof(socket_name), "%s.dist", dist->name);
	int rc = control_listen(dist->dir, socket_name, &dist->listen_fd, err);
	if (rc != 0)
		return rc;
	fcntl(dist->listen_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static int bind_to(const struct dist_address *address, const char *node, int *out, struct error *err)
{
	char text[DIST_ADDRESS_BYTES];
	SCOPE_FD int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	dist_address_text(&address->storage, text);
	if (fd < 0)
		return error_system(err, errno, "cannot make a socket for other nodes");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (const struct sockaddr *)&address->storage, address->size) != 0 || listen(fd, BACKLOG) != 0) {
		if (errno == EADDRINUSE)
			return error_set(
				err, ERROR_EXISTS,
				"cannot listen for other nodes on %s: it is in use; is another '%s' running, or does "
				"another program have the port? Choose one with RELEASE_NODE=NAME@HOST:PORT",
				text, node);
		if (errno == EADDRNOTAVAIL)
			return error_set(err, ERROR_FAILED,
					 "cannot listen for other nodes on %s: this host has no such address; give "
					 "'%s' another host, or say where to listen with --dist-listen ADDR:PORT",
					 text, node);
		return error_system(err, errno, "cannot listen for other nodes on %s", text);
	}
	*out = TAKE_FD(fd);
	return 0;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

static int listen_by_name(struct dist *dist, const struct dist_options *options, struct error *err)
{
	struct dist_place place;
	struct dist_address addresses[DIST_ADDRESSES_MAX];
	unsigned count;
	int rc = options->listen != NULL ? dist_place_of_flag(options->listen, &place, err)
					 : dist_place_of_node(options->name, &place, err);
	if (rc == 0)
		rc = dist_addresses_resolve(&place, addresses, &count, err);
	if (rc == 0)
		rc = bind_to(&addresses[0], dist->name, &dist->listen_fd, err);
	if (rc != 0)
		return rc;
	char text[DIST_ADDRESS_BYTES];
	dist->port = bound_port(dist->listen_fd);
	dist_address_text(&addresses[0].storage, text);
	log_info("dist", LOG_FIELDS(LOG_S("address", place.host), LOG_I("port", dist->port)),
		 "Accepting nodes on port %u", (unsigned)dist->port);
	return 0;
}

int dist_listen(struct dist *dist, const struct dist_options *options, struct error *err)
{
	return dist->dir != NULL ? listen_here(dist, err) : listen_by_name(dist, options, err);
}

/* ---- accepting ---- */

static void drop_oldest_greeting(struct dist *dist)
{
	for (struct link *link = dist->links; link != NULL; link = link->next) {
		if (!link->ours && (link->state == LINK_SECURING || link->state == LINK_GREETING)) {
			refusal_log(dist, link, "too many connections that prove nothing");
			link_close(link, "too many connections that prove nothing");
			return;
		}
	}
}

static void take_connection(struct dist *dist, int fd, const struct sockaddr_storage *from)
{
	if (dist->greetings >= GREETINGS_MAX)
		drop_oldest_greeting(dist);
	struct link *link = link_new(dist, false);
	if (link == NULL) {
		close(fd);
		return;
	}
	link->state = dist->dir != NULL ? LINK_GREETING : LINK_SECURING;
	dist->greetings++;
	dist_address_text(from, link->address);
	if (dist->dir == NULL) {
		dist_prepare_socket(fd);
		link->tls = dist->tls_api->session_new(dist->tls, true);
	}
	int rc = link_watch_fd(link, fd);
	if (rc != 0 || (dist->dir == NULL && link->tls == NULL))
		link_close(link, "out of memory");
	else
		link_watch(link);
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
	struct dist *dist = handle->data;
	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t size = sizeof(from);
		int fd = accept4(dist->listen_fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			uv_poll_stop(&dist->listener);
			dist->accept_again_ms = dist_now_ms() + ACCEPT_PAUSE_MS;
			dist_hurry(dist);
		}
		if (fd < 0)
			return;
		if (dist->dir != NULL && control_check_peer(fd, NULL) != 0)
			close(fd);
		else
			take_connection(dist, fd, &from);
	}
}

int dist_watch_listener(struct dist *dist)
{
	dist->accept_again_ms = 0;
	return uv_poll_start(&dist->listener, UV_READABLE, on_acceptable);
}

void dist_close_listener(struct dist *dist)
{
	if (dist->listen_fd < 0)
		return;
	if (dist->dir != NULL) {
		char file[CONTROL_FILE_BYTES];
		char path[4096];
		char socket_name[FRAME_NAME_MAX + 16];
		snprintf(socket_name, sizeof(socket_name), "%s.dist", dist->name);
		control_file(file, socket_name, ".sock");
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dist->dir, file) < sizeof(path))
			unlink(path);
	}
	dist->accept_again_ms = 0;
	uv_poll_stop(&dist->listener);
	close(TAKE_FD(dist->listen_fd));
}
