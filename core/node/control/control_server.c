/* SPDX-License-Identifier: MIT */
/* The listener of the control socket, and the end of its clients. */
#include "node/control/control_internal.h"

#include "base/log.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CLIENTS_BESIDE_SESSIONS = 256, /* who ask short questions */
	ACCEPT_PAUSE_MS = 100,
	GRACE_MS = 500,    /* for expressions that run while the node stops */
	GIVE_UP_MS = 1000, /* … and for those that do not end then */
};

static void on_acceptable(uv_poll_t *handle, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct control_server *server = timer->data;
	uv_poll_start(&server->listener, UV_READABLE, on_acceptable);
}

/* In place of HELLO: who is just hung up on takes the node for dead. */
static void turn_away(int fd)
{
	static const char reason[] = "\1too many commands at a time are asked of it; try again";
	char frame[CONTROL_HEADER_BYTES + sizeof(reason) - 1];
	control_header(frame, CONTROL_DONE, sizeof(reason) - 1);
	memcpy(frame + CONTROL_HEADER_BYTES, reason, sizeof(reason) - 1);
	(void)!send(fd, frame, sizeof(frame), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
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
	if (control_check_peer(fd, NULL) != 0)
		close(fd);
	else if (server->client_count >= CLIENTS_BESIDE_SESSIONS + server->node->flags.console_sessions)
		turn_away(fd);
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
	clock_gettime(CLOCK_MONOTONIC, &now);
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
		rc = pthread_cond_clockwait(&server->changed, &server->lock, CLOCK_MONOTONIC, &until);
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

void control_server_tell_stopping(const struct control_server *server, const char *text)
{
	char frame[CONTROL_HEADER_BYTES + ERROR_MESSAGE_BYTES];
	if (server == NULL)
		return;
	int size = snprintf(frame + CONTROL_HEADER_BYTES, ERROR_MESSAGE_BYTES, "%s\n", text);
	if (size >= ERROR_MESSAGE_BYTES)
		size = ERROR_MESSAGE_BYTES - 1;
	control_header(frame, CONTROL_ERR, (size_t)size);
	for (const struct client *client = server->clients; client != NULL; client = client->next) {
		if (client->stopping && client->fd >= 0)
			(void)!send(client->fd, frame, CONTROL_HEADER_BYTES + (size_t)size,
				    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
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
		client_free_later(client);
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
