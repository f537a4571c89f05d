/* SPDX-License-Identifier: MIT */
/*
 * A client is a descriptor, what it sent and was not read yet, what it was sent and did not take yet, and perhaps a
 * session. While a session lives it alone writes to the descriptor and the main thread alone reads; otherwise the main
 * thread does both.
 */
#include "node/control_server.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/session.h"
#include "node/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 256,
	OUTPUT_MAX_BYTES = 4 << 20,
	READ_BYTES = 16 << 10,
	ACCEPT_PAUSE_MS = 100,
	GRACE_MS = 500,    /* for expressions that run while the node stops */
	GIVE_UP_MS = 1000, /* … and for those that do not end then */
};

struct control_server;

struct client {
	struct control_server *server;
	struct client *next;
	uv_poll_t poll;
	int fd;
	struct buf in;
	struct buf out;
	struct session *session;
	struct main_job session_ended;
	bool eof;      /* it sends nothing more */
	bool closing;  /* it is gone: freed when its session has ended */
	bool stopping; /* asked for the stop: stays open to the end */
};

struct control_server {
	struct node *node;
	struct client *clients;
	size_t client_count;
	uv_poll_t listener;
	uv_timer_t accept_pause;
	int listen_fd;
	char path[4096]; /* of the socket */
	int restart_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned sessions; /* whose threads have not ended; guarded by lock */
};

static void on_client(uv_poll_t *handle, int status, int events);
static bool take_frame(struct client *client);

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

static void close_client(struct client *client)
{
	client->closing = true;
	uv_poll_stop(&client->poll);
	if (client->session != NULL)
		session_abort(client->session); /* its end closes the rest */
	else if (!uv_is_closing((uv_handle_t *)&client->poll))
		uv_close((uv_handle_t *)&client->poll, on_client_closed);
}

static void watch(struct client *client)
{
	int events = 0;
	if (!client->eof)
		events |= UV_READABLE;
	else if (client->session != NULL)
		events |= UV_DISCONNECT;
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
			close_client(client);
			return;
		}
		buf_consume(&client->out, (size_t)sent);
	}
}

static void reply(struct client *client, enum control_type type, struct slice payload)
{
	char header[CONTROL_HEADER_BYTES];
	control_header(header, type, payload.size);
	buf_append(&client->out, header, sizeof(header));
	buf_append_slice(&client->out, payload);
	if (client->out.failed)
		close_client(client);
	else
		flush_output(client);
}

static void reply_done(struct client *client, int code, const char *text)
{
	char payload[1 + ERROR_MESSAGE_BYTES];
	size_t size = strnlen(text, sizeof(payload) - 1);
	payload[0] = (char)code;
	memcpy(payload + 1, text, size);
	reply(client, CONTROL_DONE, (struct slice){ payload, size + 1 });
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
	reply(client, CONTROL_HELLO, (struct slice){ payload, (size_t)size + 5 });
}

/* ---- sessions ---- */

/* Main thread, posted by the session's thread. */
static void on_session_ended(struct main_job *job)
{
	struct client *client = (struct client *)((char *)job - offsetof(struct client, session_ended));
	session_free(TAKE_PTR(client->session));
	while (take_frame(client))
		;
	if (client->closing || (client->eof && client->session == NULL))
		close_client(client);
	else
		watch(client);
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
	pthread_mutex_lock(&server->lock);
	server->sessions++;
	pthread_mutex_unlock(&server->lock);
	if (session_new(&start, &client->session, &err) == 0)
		return;
	pthread_mutex_lock(&server->lock);
	server->sessions--;
	pthread_mutex_unlock(&server->lock);
	reply_done(client, 1, err.message);
}

/* ---- requests ---- */

static void on_status(struct client *client, struct slice payload)
{
	SCOPE(buf_done) struct buf text = { 0 };
	buf_init(&text, CONTROL_FRAME_MAX - 1);
	status_write(client->server->node, slice_is(payload, "json"), &text);
	if (text.failed) {
		reply_done(client, 1, "the status is too long");
		return;
	}
	reply(client, CONTROL_OUT, buf_slice(&text));
	reply_done(client, 0, "");
}

static void on_restart(struct client *client)
{
	struct control_server *server = client->server;
	SCOPE(report_done) struct report report = { 0 };
	struct error err;
	if (server->node->ending != NODE_END_NONE) {
		reply_done(client, 1, "the node is stopping already");
		return;
	}
	if (node_check_next(server->node, &report, &err) != 0) {
		if (report.errors > 1)
			reply(client, CONTROL_ERR, buf_slice(&report.text));
		reply_done(client, 1, err.message);
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
	reply_done(client, 0, timeout);
}

static void on_request(struct client *client, enum control_type type, struct slice payload)
{
	switch (type) {
	case CONTROL_PING:
		reply_done(client, 0, "");
		return;
	case CONTROL_STATUS:
		on_status(client, payload);
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
		return;
	default:
		close_client(client);
	}
}

static void on_session_frame(struct client *client, enum control_type type, struct slice payload)
{
	if (type == CONTROL_INTERRUPT)
		session_interrupt(client->session);
	else if (memchr(payload.data, '\n', payload.size) != NULL || !session_line(client->session, payload))
		close_client(client);
}

/* False when no whole frame is there. */
static bool take_frame(struct client *client)
{
	char type;
	struct slice payload;
	size_t consumed;
	if (client->closing)
		return false;
	int rc = control_parse(buf_slice(&client->in), &type, &payload, &consumed, NULL);
	if (rc < 0)
		close_client(client);
	if (rc <= 0)
		return false;
	/* the next request may come before this thread knows that the session has ended */
	if (client->session != NULL && type != CONTROL_LINE && type != CONTROL_INTERRUPT)
		return false;
	if (client->session != NULL)
		on_session_frame(client, (enum control_type)type, payload);
	else
		on_request(client, (enum control_type)type, payload);
	buf_consume(&client->in, consumed);
	return true;
}

static void on_end_of_input(struct client *client)
{
	struct pollfd state = { .fd = client->fd };
	client->eof = true;
	bool gone = poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
	if (gone || client->session == NULL)
		close_client(client);
	else
		session_end_of_input(client->session);
}

static void read_input(struct client *client)
{
	char *room = buf_reserve(&client->in, READ_BYTES);
	if (room == NULL) {
		close_client(client);
		return;
	}
	ssize_t got = recv(client->fd, room, READ_BYTES, MSG_DONTWAIT);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_client(client);
		return;
	}
	if (got == 0) {
		on_end_of_input(client);
		return;
	}
	client->in.size += (size_t)got;
	while (take_frame(client))
		;
}

static void on_client(uv_poll_t *handle, int status, int events)
{
	struct client *client = handle->data;
	if (status < 0 || (events & UV_DISCONNECT) != 0) {
		close_client(client);
		return;
	}
	if ((events & UV_WRITABLE) != 0 && client->session == NULL)
		flush_output(client);
	if ((events & UV_READABLE) != 0 && !client->closing)
		read_input(client);
	if (!client->closing)
		watch(client);
}

/* ---- accepting ---- */

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
		watch(client);
	return 0;
}

static void on_acceptable(uv_poll_t *handle, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct control_server *server = timer->data;
	uv_poll_start(&server->listener, UV_READABLE, on_acceptable);
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	struct control_server *server = handle->data;
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			/* it would be reported again and again */
			uv_poll_stop(&server->listener);
			uv_timer_start(&server->accept_pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
		}
		return;
	}
	struct error err;
	if (server->client_count >= CLIENTS_MAX || control_check_peer(fd, NULL) != 0)
		close(fd);
	else if (control_server_attach(server, fd, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
}

int control_server_new(struct node *node, struct control_server **out, struct error *err)
{
	struct control_server *server = calloc(1, sizeof(*server));
	if (server == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for the control server");
	server->node = node;
	server->listen_fd = -1;
	server->restart_fd = -1;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	*out = server;
	return 0;
}

int control_server_listen(struct control_server *server, const char *dir, struct error *err)
{
	uv_loop_t *loop = &server->node->main.loop;
	int rc = control_listen(dir, server->node->release.node, &server->listen_fd, err);
	if (rc != 0)
		return rc;
	char file[CONTROL_FILE_BYTES];
	control_file(file, server->node->release.node, ".sock");
	snprintf(server->path, sizeof(server->path), "%s/%s", dir, file);
	fcntl(server->listen_fd, F_SETFL, fcntl(server->listen_fd, F_GETFL) | O_NONBLOCK);
	rc = uv_timer_init(loop, &server->accept_pause);
	if (rc == 0)
		rc = uv_poll_init(loop, &server->listener, server->listen_fd);
	if (rc == 0) {
		server->listener.data = server;
		server->accept_pause.data = server;
		rc = uv_poll_start(&server->listener, UV_READABLE, on_acceptable);
	}
	return rc == 0 ? 0 : error_system(err, -rc, "cannot watch the control socket");
}

/* ---- stopping ---- */

static struct timespec in_ms(int64_t ms)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t ns = now.tv_nsec + ms % 1000 * 1000000;
	return (struct timespec){ now.tv_sec + ms / 1000 + ns / 1000000000, ns % 1000000000 };
}

/* True when all sessions' threads have ended. */
static bool wait_for_sessions(struct control_server *server, int64_t ms)
{
	struct timespec until = in_ms(ms);
	pthread_mutex_lock(&server->lock);
	int rc = 0;
	while (server->sessions > 0 && rc == 0)
		rc = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	bool ended = server->sessions == 0;
	pthread_mutex_unlock(&server->lock);
	return ended;
}

static void for_sessions(struct control_server *server, void (*function)(struct session *session))
{
	for (struct client *client = server->clients; client != NULL; client = client->next) {
		if (client->session != NULL)
			function(client->session);
	}
}

void control_server_stop(struct control_server *server)
{
	if (server->listen_fd >= 0) {
		uv_poll_stop(&server->listener);
		unlink(server->path);
		close(TAKE_FD(server->listen_fd));
	}
	for_sessions(server, session_finish);
	if (wait_for_sessions(server, GRACE_MS))
		return;
	for_sessions(server, session_interrupt);
	if (wait_for_sessions(server, GIVE_UP_MS))
		return;
	for_sessions(server, session_abort);
	if (!wait_for_sessions(server, GIVE_UP_MS))
		log_warn("node", LOG_NONE, "an expression of a console does not end; it is left behind");
}

int control_server_take_restart_client(struct control_server *server)
{
	return server != NULL ? TAKE_FD(server->restart_fd) : -1;
}

bool control_server_has_stragglers(struct control_server *server)
{
	return server != NULL && !wait_for_sessions(server, 0);
}

void control_server_free(struct control_server *server)
{
	if (server == NULL)
		return;
	uv_loop_t *loop = &server->node->main.loop;
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	for (struct client *client = server->clients; client != NULL; client = client->next) {
		if (client->stopping)
			client->fd = -1;
		if (!uv_is_closing((uv_handle_t *)&client->poll))
			uv_close((uv_handle_t *)&client->poll, on_client_closed);
	}
	if (server->path[0] != '\0') {
		uv_close((uv_handle_t *)&server->listener, NULL);
		uv_close((uv_handle_t *)&server->accept_pause, NULL);
	}
	while (server->client_count > 0)
		uv_run(loop, UV_RUN_ONCE);
	uv_run(loop, UV_RUN_NOWAIT);
	if (server->restart_fd >= 0)
		close(server->restart_fd);
	pthread_mutex_destroy(&server->lock);
	pthread_cond_destroy(&server->changed);
	free(server);
}
