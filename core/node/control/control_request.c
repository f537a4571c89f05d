/* SPDX-License-Identifier: MIT */
/* What a client may ask for: answered at once, by a session, or by the end of the node. */
#include "node/control/control_internal.h"

#include "base/scope.h"
#include "node/config/next_boot.h"
#include "node/control/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- sessions ---- */

/* Main thread, posted by the session's thread. */
static void on_session_ended(struct main_job *job)
{
	struct client *client = (struct client *)((char *)job - offsetof(struct client, session_ended));
	session_free(TAKE_PTR(client->session));
	while (client_take_frame(client))
		;
	if (client->closing || (client->eof && client->session == NULL))
		client_close(client);
	else
		client_watch(client);
}

/* The session's thread. */
static void session_ended(void *context)
{
	struct client *client = context;
	struct control_server *server = client->server;
	client->session_ended.run = on_session_ended;
	mainloop_post(&server->node->main, &client->session_ended);
	pthread_mutex_lock(&server->lock);
	server->sessions--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void start_session(struct client *client, bool console, struct slice request)
{
	struct control_server *server = client->server;
	const struct session_start start = {
		.node = server->node,
		.fd = client->fd,
		.console = console,
		.request = request,
		.ended = session_ended,
		.context = client,
	};
	struct error err;
	unsigned most = server->node->flags.console_sessions;
	pthread_mutex_lock(&server->lock);
	bool fits = server->sessions < most;
	server->sessions += fits ? 1 : 0;
	pthread_mutex_unlock(&server->lock);
	if (!fits) {
		error_set(&err, ERROR_LIMIT, "%u consoles and expressions run already (--console-sessions)", most);
		client_reply_done(client, 1, err.message);
		return;
	}
	if (session_new(&start, &client->session, &err) == 0)
		return;
	pthread_mutex_lock(&server->lock);
	server->sessions--;
	pthread_mutex_unlock(&server->lock);
	client_reply_done(client, 1, err.message);
}

/* ---- requests ---- */

static void on_status(struct client *client, struct slice payload)
{
	SCOPE(buf_done) struct buf text = { 0 };
	buf_init(&text, CONTROL_FRAME_MAX - 1);
	status_write(client->server->node, slice_is(payload, "json"), &text);
	if (text.failed) {
		client_reply_done(client, 1, "the status is too long");
		return;
	}
	client_reply(client, CONTROL_OUT, buf_slice(&text));
	client_reply_done(client, 0, "");
}

static void on_restart(struct client *client)
{
	struct control_server *server = client->server;
	SCOPE(buf_done) struct buf said = { 0 };
	struct error err;
	if (server->node->ending != NODE_END_NONE) {
		client_reply_done(client, 1,
				  server->node->ending == NODE_END_RESTART ? "the node is restarting already"
									   : "the node is stopping already");
		return;
	}
	if (next_boot_check(server->node, &said, &err) != 0) {
		if (memchr(buf_string(&said), '\n', said.size) != said.data + said.size - 1)
			client_reply(client, CONTROL_ERR, buf_slice(&said));
		client_reply_done(client, 1, err.message);
		return;
	}
	server->restart_fd = fcntl(client->fd, F_DUPFD_CLOEXEC, 3);
	client->stopping = true;
	node_end(server->node, NODE_END_RESTART, "asked by a client");
}

static void on_stop(struct client *client)
{
	client->stopping = true;
	node_end(client->server->node, NODE_END_STOP, "asked by a client");
	/* how long it may take: the client waits for the end of the process */
	char timeout[24];
	snprintf(timeout, sizeof(timeout), "%lld", (long long)client->server->node->flags.shutdown_timeout_ms);
	client_reply_done(client, 0, timeout);
}

void client_on_request(struct client *client, enum control_type type, struct slice payload)
{
	switch (type) {
	case CONTROL_PING:
		client_reply_done(client, 0, "");
		return;
	case CONTROL_STATUS:
		on_status(client, payload);
		return;
	case CONTROL_CONFIG:
		client_on_config(client, payload);
		return;
	case CONTROL_STOP:
		on_stop(client);
		return;
	case CONTROL_RESTART:
		on_restart(client);
		return;
	case CONTROL_RPC:
		start_session(client, false, payload);
		return;
	case CONTROL_CONSOLE:
		start_session(client, true, payload);
		return;
	case CONTROL_INTERRUPT: /* it came after the end of what it meant */
	case CONTROL_LINE:
	case CONTROL_INPUT:
	case CONTROL_COMPLETE:
		return;
	default:
		client_close(client);
	}
}

void client_on_session_frame(struct client *client, enum control_type type, struct slice payload)
{
	if (type == CONTROL_INTERRUPT)
		session_interrupt(client->session);
	else if (type == CONTROL_COMPLETE)
		session_complete(client->session, payload);
	else if (type == CONTROL_INPUT && session_input(client->session, payload))
		return;
	else if (type == CONTROL_INPUT)
		client_close(client);
	else if (memchr(payload.data, '\n', payload.size) != NULL || !session_line(client->session, payload))
		client_close(client);
}
