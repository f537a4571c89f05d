/* SPDX-License-Identifier: MIT */
#include "node/dist/client.h"

#include "base/buf.h"
#include "base/scope.h"
#include "node/dist/frame.h"
#include "node/dist/name.h"
#include "node/dist/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_MS = 5000, PIECE_BYTES = 32 << 10, HELD_BYTES = 128 << 10 };

struct dist_client {
	int fd;
	const struct tls_api *api;
	struct tls_context *context;
	struct tls_session *session;
	struct buf in;   /* of the node, for the program */
	struct buf wire; /* for the node */
};

void dist_client_free(struct dist_client *client)
{
	if (client->api != NULL) {
		client->api->session_free(client->session);
		client->api->context_free(client->context);
	}
	if (client->fd >= 0)
		close(client->fd);
	buf_done(&client->in);
	buf_done(&client->wire);
	free(client);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connecting ---- */

static int wait_for(int fd, short events, int64_t until_ms, const char *node, struct error *err)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = events };
		int64_t left = until_ms - now_ms();
		int rc = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
		if (rc > 0)
			return 0;
		if (rc == 0)
			return error_set(err, ERROR_TRY_AGAIN, "%s does not answer", node);
		if (errno != EINTR)
			return error_system(err, errno, "poll");
	}
}

static int connect_to(const struct dist_address *address, const char *node, int64_t until_ms, int *out,
		      struct error *err)
{
	SCOPE_FD int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_system(err, errno, "cannot make a socket");
	int problem = connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0 ? 0 : errno;
	if (problem == EINPROGRESS) {
		socklen_t size = sizeof(problem);
		int rc = wait_for(fd, POLLOUT, until_ms, node, err);
		if (rc != 0)
			return rc;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
			problem = errno;
	}
	if (problem == ECONNREFUSED)
		return error_set(err, ERROR_NOT_FOUND, "%s is not running", node);
	if (problem != 0)
		return error_system(err, problem, "cannot reach %s", node);
	dist_prepare_socket(fd);
	*out = TAKE_FD(fd);
	return 0;
}

/* One address of its host after the other, each with its part of the time. */
static int connect_by_name(const char *node, int64_t until_ms, int *out, struct error *err)
{
	struct dist_place place;
	struct dist_address addresses[DIST_ADDRESSES_MAX];
	unsigned count = 0;
	int rc = dist_place_of_node(node, &place, err);
	if (rc == 0)
		rc = dist_addresses_resolve(&place, addresses, &count, err);
	for (unsigned i = 0; i < count; i++) {
		int64_t now = now_ms();
		rc = connect_to(&addresses[i], node, now + (until_ms - now) / (count - i), out, err);
		if (rc == 0)
			break;
	}
	return rc;
}

/* ---- bytes ---- */

/* Sends what TLS has to say, as far as the socket takes it; false when the connection is broken. */
static bool flush(struct dist_client *client)
{
	for (;;) {
		char *to = buf_reserve(&client->wire, PIECE_BYTES);
		size_t taken = to != NULL ? client->api->take(client->session, to, PIECE_BYTES) : 0;
		client->wire.size += taken;
		if (taken == 0)
			break;
	}
	while (client->wire.size > 0) {
		ssize_t n = send(client->fd, client->wire.data, client->wire.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		buf_consume(&client->wire, (size_t)n);
	}
	return true;
}

/* Feeds what has come to TLS: 1, 0 when nothing came, -1 at the end. */
static int feed(struct dist_client *client)
{
	char piece[PIECE_BYTES];
	ssize_t n = recv(client->fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	return n > 0 && client->api->feed(client->session, piece, (size_t)n) ? 1 : -1;
}

/* False at the end. */
static bool read_plain(struct dist_client *client)
{
	for (;;) {
		char *to = buf_reserve(&client->in, PIECE_BYTES);
		ssize_t n = to != NULL ? client->api->read(client->session, to, PIECE_BYTES) : -1;
		if (n <= 0)
			return n == 0;
		client->in.size += (size_t)n;
	}
}

/* ---- proving and asking for the channel ---- */

static int refused(struct dist_client *client, const char *node, struct error *err)
{
	char text[128];
	enum tls_problem problem = client->api->problem(client->session, text, sizeof(text));
	if (problem == TLS_PROBLEM_COOKIE)
		return error_set(err, ERROR_FAILED, "%s refused the connection: the cookie is not the one of %s", node,
				 node);
	if (problem == TLS_PROBLEM_NO_TLS)
		return error_set(err, ERROR_FAILED, "what listens at the place of %s is no node: it does not speak TLS",
				 node);
	return error_set(err, ERROR_FAILED, "the connection to %s failed: %s", node, text);
}

static int shake_hands(struct dist_client *client, const char *node, int64_t until_ms, struct error *err)
{
	for (;;) {
		int done = client->api->handshake(client->session);
		bool sent = flush(client);
		if (done < 0 || !sent)
			return refused(client, node, err);
		if (done > 0)
			return 0;
		int rc = wait_for(client->fd, POLLIN, until_ms, node, err);
		if (rc != 0)
			return rc;
		if (feed(client) < 0)
			return error_set(err, ERROR_FAILED, "%s closed the connection during the handshake", node);
	}
}

static int take_answer(struct dist_client *client, const char *node, struct error *err)
{
	char type;
	struct slice payload;
	size_t consumed;
	int rc = frame_next(buf_slice(&client->in), FRAME_GREETING_MAX, &type, &payload, &consumed);
	if (rc == 0)
		return 0;
	if (rc > 0 && type == FRAME_REFUSE)
		return error_set(err, ERROR_FAILED, "%s refused the command: %.*s", node, SLICE_FMT(payload));
	if (rc < 0 || type != FRAME_CONTROL)
		return error_set(err, ERROR_FAILED, "what listens at the place of %s is no node", node);
	buf_consume(&client->in, consumed);
	return 1;
}

static int ask_for_channel(struct dist_client *client, const char *node, int64_t until_ms, struct error *err)
{
	SCOPE(buf_done) struct buf frame = { 0 };
	frame_put_control(&frame, slice_of(node));
	if (!client->api->write(client->session, frame.data, frame.size) || !flush(client))
		return refused(client, node, err);
	for (;;) {
		bool open = read_plain(client);
		int rc = take_answer(client, node, err);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		if (!open) /* the handshake was complete on our side when the other one refused the key */
			return refused(client, node, err);
		rc = wait_for(client->fd, POLLIN, until_ms, node, err);
		if (rc != 0)
			return rc;
		if (feed(client) < 0)
			return error_set(err, ERROR_FAILED, "%s closed the connection", node);
	}
}

int dist_client_open(const char *node, struct slice cookie, struct dist_client **out, struct error *err)
{
	int64_t until_ms = now_ms() + OPEN_MS;
	struct dist_client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a connection");
	client->fd = -1;
	int rc = connect_by_name(node, until_ms, &client->fd, err);
	if (rc == 0)
		rc = tls_open(NULL, cookie, &client->api, &client->context, err);
	if (rc == 0 && (client->session = client->api->session_new(client->context, false)) == NULL)
		rc = error_set(err, ERROR_NO_MEMORY, "no memory for a connection");
	if (rc == 0)
		rc = shake_hands(client, node, until_ms, err);
	if (rc == 0)
		rc = ask_for_channel(client, node, until_ms, err);
	if (rc != 0) {
		dist_client_free(client);
		return rc;
	}
	*out = client;
	return 0;
}

/* ---- carrying ---- */

/* 1: more may come, 0: the program is done, -1: failed. */
static int take_from_program(struct dist_client *client, int fd)
{
	char piece[PIECE_BYTES];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	return client->api->write(client->session, piece, (size_t)n) ? 1 : -1;
}

static bool give_to_program(struct dist_client *client, int fd)
{
	while (client->in.size > 0) {
		ssize_t n = send(fd, client->in.data, client->in.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		buf_consume(&client->in, (size_t)n);
	}
	return true;
}

static bool has_input(const struct pollfd *polled)
{
	return (polled->revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

void dist_client_run(struct dist_client *client, int fd)
{
	bool from_program = true;
	bool from_node = true;
	while (from_node || client->in.size > 0) {
		if (!give_to_program(client, fd) || !flush(client))
			break;
		struct pollfd polls[2] = { { .fd = fd }, { .fd = from_node ? client->fd : -1 } };
		if (from_program && client->wire.size < HELD_BYTES)
			polls[0].events |= POLLIN;
		if (client->in.size > 0)
			polls[0].events |= POLLOUT;
		if (from_node && client->in.size < HELD_BYTES)
			polls[1].events |= POLLIN;
		if (client->wire.size > 0)
			polls[1].events |= POLLOUT;
		if (!from_node && client->in.size == 0)
			break;
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			break;
		if (has_input(&polls[0]) && from_program)
			from_program = take_from_program(client, fd) > 0;
		if (!from_program && polls[0].revents & (POLLHUP | POLLERR))
			break; /* the program is gone: so is what it asked for */
		if (has_input(&polls[1]) && from_node)
			from_node = feed(client) >= 0 && read_plain(client);
	}
	give_to_program(client, fd);
	flush(client);
	close(fd);
	dist_client_free(client);
}
