/* SPDX-License-Identifier: MIT */
/* One connection: it is read and written without ever waiting for it. */
#include "node/control/control_internal.h"

#include "base/log.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUTPUT_MAX_BYTES = 4 << 20, READ_BYTES = 16 << 10 };

static void on_client(uv_poll_t *handle, int status, int events);

/* ---- a client's life ---- */

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;
	struct control_server *server = client->server;
	for (struct client **slot = &server->clients; *slot != NULL; slot = &(*slot)->next) {
		if (*slot == client) {
			*slot = client->next;
			break;
		}
	}
	server->client_count--;
	if (client->fd >= 0)
		close(client->fd);
	buf_done(&client->in);
	buf_done(&client->out);
	free(client);
}

/* Whoever answers one that is gone comes here once more. */
void client_close(struct client *client)
{
	client->closing = true;
	if (uv_is_closing((uv_handle_t *)&client->poll))
		return;
	uv_poll_stop(&client->poll);
	if (client->session != NULL)
		session_abort(client->session); /* its end closes the rest */
	else
		client_free_later(client);
}

void client_free_later(struct client *client)
{
	if (!uv_is_closing((uv_handle_t *)&client->poll))
		uv_close((uv_handle_t *)&client->poll, on_client_closed);
}

void client_watch(struct client *client)
{
	int events = 0;
	if (!client->eof)
		events |= UV_READABLE;
	if (client->out.size > 0 && client->session == NULL)
		events |= UV_WRITABLE;
	if (events == 0 || uv_poll_start(&client->poll, events, on_client) != 0)
		uv_poll_stop(&client->poll);
}

/* ---- answers from the main thread ---- */

static void flush_output(struct client *client)
{
	while (client->out.size > 0) {
		ssize_t sent = send(client->fd, client->out.data, client->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0) {
			client_close(client);
			return;
		}
		buf_consume(&client->out, (size_t)sent);
	}
}

void client_reply(struct client *client, enum control_type type, struct slice payload)
{
	char header[CONTROL_HEADER_BYTES];
	if (client->closing)
		return;
	control_header(header, type, payload.size);
	buf_append(&client->out, header, sizeof(header));
	buf_append_slice(&client->out, payload);
	if (client->out.failed)
		client_close(client);
	else
		flush_output(client);
}

void client_reply_done(struct client *client, int code, const char *text)
{
	char payload[1 + ERROR_MESSAGE_BYTES];
	size_t size = strnlen(text, sizeof(payload) - 1);
	payload[0] = (char)code;
	memcpy(payload + 1, text, size);
	client_reply(client, CONTROL_DONE, (struct slice){ payload, size + 1 });
}

static void say_hello(struct client *client)
{
	const struct node *node = client->server->node;
	uint32_t pid = (uint32_t)getpid();
	char payload[1024] = { CONTROL_VERSION, (char)(pid >> 24), (char)(pid >> 16), (char)(pid >> 8), (char)pid };
	int size = snprintf(payload + 5, sizeof(payload) - 5, "%s %s %s", node->sys.release_name,
			    node->sys.release_version, node->release.node);
	if (size > (int)sizeof(payload) - 6)
		size = (int)sizeof(payload) - 6;
	client_reply(client, CONTROL_HELLO, (struct slice){ payload, (size_t)size + 5 });
}

/* False when no whole frame is there. */
bool client_take_frame(struct client *client)
{
	char type;
	struct slice payload;
	size_t consumed;
	if (client->closing)
		return false;
	int rc = control_parse(buf_slice(&client->in), &type, &payload, &consumed, NULL);
	if (rc < 0)
		client_close(client);
	if (rc <= 0)
		return false;
	/* the next request may come before this thread knows that the session has ended */
	if (client->session != NULL && type != CONTROL_LINE && type != CONTROL_INPUT && type != CONTROL_INTERRUPT &&
	    type != CONTROL_COMPLETE)
		return false;
	if (client->session != NULL)
		client_on_session_frame(client, (enum control_type)type, payload);
	else
		client_on_request(client, (enum control_type)type, payload);
	buf_consume(&client->in, consumed);
	return true;
}

static void on_end_of_input(struct client *client)
{
	struct pollfd state = { .fd = client->fd };
	client->eof = true;
	bool gone = poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
	if (gone || client->session == NULL)
		client_close(client);
	else
		session_end_of_input(client->session);
}

static void read_input(struct client *client)
{
	char *room = buf_reserve(&client->in, READ_BYTES);
	if (room == NULL) {
		client_close(client);
		return;
	}
	ssize_t got = recv(client->fd, room, READ_BYTES, MSG_DONTWAIT);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			client_close(client);
		return;
	}
	if (got == 0) {
		on_end_of_input(client);
		return;
	}
	client->in.size += (size_t)got;
	while (client_take_frame(client))
		;
}

static void on_client(uv_poll_t *handle, int status, int events)
{
	struct client *client = handle->data;
	if (status < 0) {
		client_close(client);
		return;
	}
	if ((events & UV_WRITABLE) != 0 && client->session == NULL)
		flush_output(client);
	if ((events & UV_READABLE) != 0 && !client->closing)
		read_input(client);
	if (!client->closing)
		client_watch(client);
}

int control_server_attach(struct control_server *server, int fd, struct error *err)
{
	SCOPE_FD int owned = fd;
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a client");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	int rc = uv_poll_init(&server->node->main.loop, &client->poll, fd);
	if (rc != 0) {
		free(client);
		return error_system(err, -rc, "cannot watch a client");
	}
	client->poll.data = client;
	client->server = server;
	client->fd = TAKE_FD(owned);
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
	buf_init(&client->in, CONTROL_FRAME_MAX + CONTROL_HEADER_BYTES + READ_BYTES + 1);
	buf_init(&client->out, OUTPUT_MAX_BYTES);
	say_hello(client);
	if (!client->closing)
		client_watch(client);
	return 0;
}
