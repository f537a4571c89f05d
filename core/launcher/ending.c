/* SPDX-License-Identifier: MIT */
/*
 * Commands that end the running node, for good or to begin anew: how they know that it is over.
 *
 * stop trusts the kernel alone and waits until the process is gone. restart on this host is answered by the new image
 * itself, which inherits the connection. A node of another host cannot do that, since its end of the TLS connection
 * goes with the old image: its last connection is closed when everything in it has stopped, and whoever answers from
 * then on is the new one.
 */
#include "client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	SHUTDOWN_MS = 30 * 1000, /* kvnode's default of --shutdown-timeout, used when it does not tell its own */
	GRACE_MS = 5 * 1000,     /* on top of it, for the process to end */
	PATIENCE_MS = 2 * 1000,  /* for a node that boots to say a word */
	POLL_GONE_MS = 10,       /* without pidfd_open (Linux < 5.3) */
	RETURN_MS = 60 * 1000,   /* for the new image to listen */
	RETRY_FIRST_MS = 50,
	RETRY_MOST_MS = 1000,
};

/* ---- stop ---- */

/* Why the stop went wrong, should it; false when the node closed the connection. */
static bool hear_words(struct session *session)
{
	struct slice payload;
	char type;

	if (control_receive(session->fd, session_frame, sizeof(session_frame), &type, &payload, NULL) <= 0)
		return false;
	if (type == CONTROL_ERR && payload.size)
		session->complaint = arena_copy(&session->launch->arena, slice_trim(payload));
	return true;
}

static bool is_gone(const struct session *session, const struct pollfd *process, bool connected)
{
	if (process->fd >= 0)
		return process->revents != 0;
	/* a process of another pid namespace cannot be watched: the end of its connection has to do */
	return session->pid > 0 ? kill(session->pid, 0) != 0 && errno == ESRCH : !connected;
}

static bool wait_gone(struct session *session, int pidfd, int64_t timeout_ms)
{
	int64_t deadline = client_now_ms() + timeout_ms;
	struct pollfd watched[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = session->fd, .events = POLLIN } };

	for (;;) {
		int64_t left = deadline - client_now_ms();

		if (is_gone(session, &watched[0], watched[1].fd >= 0))
			return true;
		if (left <= 0)
			return false;
		poll(watched, 2, pidfd >= 0 || left < POLL_GONE_MS ? (int)left : POLL_GONE_MS);
		if (watched[1].fd >= 0 && watched[1].revents && !hear_words(session))
			watched[1].fd = -1;
	}
}

/* DONE may tell the node's own limit, in milliseconds. */
static int64_t shutdown_limit(struct slice text)
{
	int64_t limit;

	return slice_to_int64(text, &limit) && limit >= 0 && limit < INT_MAX - GRACE_MS ? limit : SHUTDOWN_MS;
}

/* Over its socket, or, when its main thread is busy (with a long boot, for instance), by the signal that means the
 * same. 0, or the exit code after a report. */
static int ask_to_stop(struct session *session, struct slice *text)
{
	struct error err;

	if (!session->greeted && session->pid > 0 && session_greet(session, PATIENCE_MS, &err) == -(int)ERROR_TRY_AGAIN)
		return kill(session->pid, SIGTERM) == 0 || errno == ESRCH
			       ? EXIT_DONE
			       : report("cannot stop process %d: %s", (int)session->pid, strerror(errno));
	return session_ask(session, CONTROL_STOP, (struct slice){ 0 }, ANSWER_MS, text);
}

static bool has_ended(pid_t pid)
{
	char state = client_process_state(pid);

	return state == 'Z' || state == 'X' || (!state && kill(pid, 0) != 0 && errno == ESRCH);
}

/* A process without a socket cannot be asked. One that boots is told by a signal, once: two mean to hurry. One that
 * stops goes. True when it went. */
static bool wait_for_absent(struct launch *launch)
{
	const char *node = environ_get("RELEASE_NODE");
	int64_t deadline = client_now_ms() + SHUTDOWN_MS + GRACE_MS;
	pid_t pid = 0, told = 0;
	bool boots;
	int fd, r;

	if (strcmp(environ_get("RELEASE_DISTRIBUTION"), "sname") != 0)
		return false;
	while ((r = client_connect_now(launch, node, &fd, NULL)) == -(int)ERROR_NOT_FOUND &&
	       client_now_ms() < deadline) {
		pid_t holder = client_holder(launch, node, &boots);

		if (!holder && !pid)
			return false;
		if (boots && told != holder && kill(holder, SIGTERM) == 0)
			told = holder;
		if (holder)
			pid = holder;
		else if (has_ended(pid)) /* else it restarts, or it ends right now */
			return true;
		poll(NULL, 0, POLL_GONE_MS);
	}
	if (r == 0)
		close(fd);
	return false;
}

int command_stop(struct launch *launch)
{
	struct session session;
	struct slice text = { 0 };
	int64_t limit;
	int pidfd, code;

	if (wait_for_absent(launch))
		return EXIT_DONE;
	code = session_open(launch, &session);
	if (code)
		return code;
	pidfd = session.pid > 0 ? (int)syscall(SYS_pidfd_open, session.pid, 0) : -1;
	code = ask_to_stop(&session, &text);
	if (code)
		return code;
	limit = shutdown_limit(text);
	if (wait_gone(&session, pidfd, limit + GRACE_MS))
		return session.complaint ? report("%s was ended: %s", environ_get("RELEASE_NODE"), session.complaint)
					 : EXIT_DONE;
	return report("%s (process %d) did not end within %d s", environ_get("RELEASE_NODE"), (int)session.pid,
		      (int)((limit + GRACE_MS) / 1000));
}

/* ---- restart ---- */

/* 0 once the new image serves. It answers when it has booted; when its boot fails it hangs up. */
static int wait_for_new_image(struct launch *launch)
{
	const char *node = environ_get("RELEASE_NODE");
	int64_t deadline = client_now_ms() + RETURN_MS;
	int64_t pause = RETRY_FIRST_MS;

	while (client_now_ms() < deadline) {
		struct session session = { .launch = launch, .fd = -1 };
		struct error err;

		if (channel_start(launch, &session.fd, &session.child, &err) < 0)
			return report_error(&err);
		if (session_greet(&session, ANSWER_MS, &err) == 0)
			return EXIT_DONE;
		if (session_channel_end(&session) != CHANNEL_NOBODY)
			return report("%s was stopped, and did not come back: its log says why", node);
		nanosleep(&(struct timespec){ pause / 1000, pause % 1000 * 1000000 }, NULL);
		pause = pause * 2 < RETRY_MOST_MS ? pause * 2 : RETRY_MOST_MS;
	}
	return report("%s was stopped, and does not listen again after %d s: its log says why", node, RETURN_MS / 1000);
}

static int restart_elsewhere(struct launch *launch, struct session *session)
{
	const char *node = environ_get("RELEASE_NODE");
	struct slice text;
	struct error err;
	int code = EXIT_DONE;

	if (control_send(session->fd, CONTROL_RESTART, (struct slice){ 0 }, &err) == 0 &&
	    session_converse(session, FOR_EVER, &code, &text, &err) == 0)
		return code ? report("%.*s", SLICE_FMT(text)) : EXIT_DONE;
	if (err.code != ERROR_NOT_FOUND) {
		error_wrap(&err, "%s", node);
		return report_error(&err);
	}
	(void)session_channel_end(session);
	return wait_for_new_image(launch);
}

int command_restart(struct launch *launch)
{
	bool by_name = strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0;
	struct session session = { .launch = launch, .fd = -1 };
	struct slice text;
	int code = 0;

	if (!by_name || client_connect(launch, environ_get("RELEASE_NODE"), &session.fd, NULL) != 0)
		code = session_open(launch, &session);
	if (code)
		return code;
	if (session.child)
		return restart_elsewhere(launch, &session);
	unsetenv("RELEASE_COOKIE");
	return session_ask(&session, CONTROL_RESTART, (struct slice){ 0 }, FOR_EVER, &text);
}
