/* SPDX-License-Identifier: MIT */
/*
 * Commands for the running node, over its control socket: no second image is loaded. The node tells the outcome; `stop`
 * trusts the kernel alone and waits until the process is gone. The process id is what the kernel says of the socket's
 * other end, which is right in this process's own pid namespace.
 */
#include "client.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum {
	SOON_MS = 1000,    /* then it is asked whether an answer is to be expected at all */
	PID_MS = 2 * 1000, /* for a node that boots */
	AGAIN_MS = 50,
	PAUSE_MS = 5, /* who hangs up on everybody is not asked all the time */
};

char session_frame[CONTROL_FRAME_MAX];

/* ---- reaching the node ---- */

/* By SIGSTOP or a debugger: it will not answer, however long one waits. */
static bool is_halted(const struct session *session)
{
	char state = session->pid > 0 ? client_process_state(session->pid) : '\0';

	return state == 'T' || state == 't';
}

static int failed(struct error *err)
{
	error_wrap(err, "%s", environ_get("RELEASE_NODE"));
	return report_error(err);
}

static int refuse_silence(const struct session *session, int waited_ms, struct error *err)
{
	int pid = (int)session->pid;

	if (is_halted(session))
		return error_set(err, ERROR_FAILED,
				 "its process %d is halted by a signal; to let it go on type: kill -CONT %d", pid, pid);
	return error_set(err, ERROR_TRY_AGAIN, "it has not answered within %d s: it boots, is overloaded or hangs%s",
			 waited_ms / 1000, pid ? arena_printf(&session->launch->arena, " (process %d)", pid) : "");
}

/* It has hung up; `unread`: an errno when it has not read what we sent, else 0. */
static int refuse_end(int unread, struct error *err)
{
	error_set(err, ERROR_NOT_FOUND, "it closed the connection");
	err->errnum = unread;
	return -(int)ERROR_NOT_FOUND;
}

/* The next frame; everything else than a frame is an error, NOT_FOUND when the node has hung up. */
static int next_frame(struct session *session, int timeout_ms, char *type, struct slice *payload, struct error *err)
{
	int soon_ms = timeout_ms > SOON_MS ? SOON_MS : timeout_ms;
	int r = session_wait(session, soon_ms, err);

	if (r == 0 && soon_ms < timeout_ms && !is_halted(session))
		r = session_wait(session, timeout_ms - soon_ms, err);
	if (r < 0)
		return r;
	if (r == 0)
		return refuse_silence(session, timeout_ms, err);
	r = session_receive(session, type, payload, err);
	if (r == 0 || (r < 0 && err->errnum == ECONNRESET))
		return refuse_end(r < 0 ? ECONNRESET : 0, err);
	return r < 0 ? r : 0;
}

int session_greet(struct session *session, int timeout_ms, struct error *err)
{
	struct slice payload;
	char type;
	int r = next_frame(session, timeout_ms, &type, &payload, err);

	if (r < 0)
		return r;
	if (type == CONTROL_DONE && payload.size > 1)
		return error_set(err, ERROR_TRY_AGAIN, "%.*s", (int)payload.size - 1, payload.data + 1);
	if (type != CONTROL_HELLO || payload.size < 5 || payload.data[0] != CONTROL_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "it speaks another version of the control protocol");
	if (!session->shown_pid)
		for (size_t i = 1; i < 5; i++)
			session->shown_pid = session->shown_pid << 8 | (unsigned char)payload.data[i];
	session->greeted = true;
	return 0;
}

int session_refuse_absent(struct launch *launch)
{
	const char *node = environ_get("RELEASE_NODE");
	pid_t holder = client_holder(launch, node, NULL);

	if (holder)
		return report("%s is not running: its process %d boots or stops", node, (int)holder);
	return report("%s is not running", node);
}

static int connect_here(struct session *session, struct error *err)
{
	const char *node = environ_get("RELEASE_NODE");
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int r = client_connect(session->launch, node, &session->fd, err);

	if (r < 0)
		return r;
	if (getsockopt(session->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return error_system(err, errno, "cannot tell the process id of %s", node);
	session->pid = session->shown_pid = peer.pid;
	return 0;
}

/* 0, or an exit code after a report. */
static int open_here(struct launch *launch, struct session *session)
{
	struct error err;
	int r = connect_here(session, &err);

	if (r == -(int)ERROR_NOT_FOUND)
		return session_refuse_absent(launch);
	return r < 0 ? report_error(&err) : 0;
}

/*
 * Over TLS, also on this host: the cookie decides. Only what does not listen where its name says (--dist-listen) is
 * asked through its socket here. A node on this host is known by its process, too: `stop` watches that.
 */
static int open_by_name(struct launch *launch, struct session *session)
{
	struct session here = { .fd = -1 };
	struct error err;

	while (channel_start(launch, &session->fd, &session->child, &err) == 0 &&
	       session_greet(session, ANSWER_MS, &err) < 0) {
		enum channel_end end = session_channel_end(session);

		if (end != CHANNEL_HUNG_UP)
			return end == CHANNEL_NOBODY ? open_here(launch, session) : EXIT_FAILED;
		if (err.code != ERROR_NOT_FOUND || client_now_ms() > session->opened_ms + ANSWER_MS)
			return failed(&err);
		poll(NULL, 0, AGAIN_MS); /* it stops, or restarts */
	}
	if (session->fd < 0)
		return report_error(&err);
	if (client_connect(launch, environ_get("RELEASE_NODE"), &here.fd, NULL) == 0) {
		struct ucred peer;
		socklen_t size = sizeof(peer);

		if (getsockopt(here.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
			session->pid = peer.pid;
		close(here.fd);
	}
	return 0;
}

int session_open(struct launch *launch, struct session *session)
{
	*session = (struct session){ .launch = launch, .fd = -1, .opened_ms = client_now_ms() };
	if (strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0)
		return open_by_name(launch, session);
	unsetenv("RELEASE_COOKIE");
	return open_here(launch, session);
}

enum channel_end session_channel_end(struct session *session)
{
	pid_t child = session->child;

	close(session->fd);
	session->fd = -1;
	session->child = 0;
	return channel_end(child);
}

/* Prints OUT and ERR until DONE; *code and *text (valid until the next frame) are what DONE says. */
int session_converse(struct session *session, int timeout_ms, int *code, struct slice *text, struct error *err)
{
	for (;;) {
		struct slice payload;
		char type;
		int r = next_frame(session, timeout_ms, &type, &payload, err);

		if (r < 0)
			return r;
		if (type == CONTROL_DONE && payload.size >= 1) {
			*code = (unsigned char)payload.data[0];
			*text = slice_trim((struct slice){ payload.data + 1, payload.size - 1 });
			return 0;
		}
		session->heard = true;
		session->wants_stdin = session->wants_stdin || type == CONTROL_WANT;
		if (type == CONTROL_OUT || type == CONTROL_ERR)
			r = fs_write_all(type == CONTROL_OUT ? STDOUT_FILENO : STDERR_FILENO, payload.data,
					 payload.size, err);
		if (r < 0)
			return error_wrap(err, "cannot write the output");
	}
}

/* It hung up, as a node does that restarts: the next image is asked instead, when it is on this host. */
static bool asks_again(struct session *session)
{
	if (client_now_ms() > session->opened_ms + ANSWER_MS)
		return false;
	if (session->child)
		(void)session_channel_end(session);
	else
		close(TAKE_FD(session->fd));
	session->greeted = false;
	poll(NULL, 0, PAUSE_MS);
	return connect_here(session, NULL) == 0;
}

static int greet(struct session *session, struct error *err)
{
	while (!session->greeted) {
		int r = session_greet(session, ANSWER_MS, err);

		if (r < 0 && (r != -(int)ERROR_NOT_FOUND || !asks_again(session)))
			return r;
	}
	return 0;
}

/* It never said a word: it was killed a moment ago, and its socket outlived it. */
static bool is_absent(const struct session *session, const struct error *err)
{
	return !session->greeted && err->code == ERROR_NOT_FOUND;
}

static int greet_and_send(struct session *session, enum control_type type, struct slice payload, struct error *err)
{
	int r = greet(session, err);

	if (r < 0)
		return r;
	r = control_send(session->fd, type, payload, err);
	return r < 0 && err->errnum == EPIPE ? refuse_end(EPIPE, err) : r;
}

/* Asking twice must not do something twice. */
static bool may_ask_again(const struct session *session, enum control_type type, const struct error *err)
{
	bool is_question = type == CONTROL_PING || type == CONTROL_STATUS || type == CONTROL_CONFIG;
	bool unread = !session->heard && err->errnum;

	return err->code == ERROR_NOT_FOUND && (unread || is_question);
}

/* One request and its outcome. 0, or the exit code after a report. */
int session_ask(struct session *session, enum control_type type, struct slice payload, int timeout_ms,
		struct slice *text)
{
	struct error err;
	int code = EXIT_FAILED;

	while (greet_and_send(session, type, payload, &err) < 0 ||
	       session_converse(session, timeout_ms, &code, text, &err) < 0) {
		if (is_absent(session, &err))
			return report("%s is not running", environ_get("RELEASE_NODE"));
		if (may_ask_again(session, type, &err) && asks_again(session))
			continue;
		/* somebody else's stop: the end of the process is what counts, if it can be watched */
		if (type == CONTROL_STOP && err.code == ERROR_NOT_FOUND && session->pid > 0)
			return EXIT_DONE;
		return failed(&err);
	}
	if (code && text->size)
		report("%.*s", SLICE_FMT(*text));
	return code;
}

int client_ask(struct launch *launch, enum control_type type, struct slice payload, int timeout_ms)
{
	struct session session;
	struct slice text;
	int code = session_open(launch, &session);

	return code ? code : session_ask(&session, type, payload, timeout_ms, &text);
}

bool client_find(struct launch *launch, pid_t *pid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	bool found;
	int fd;

	if (client_connect(launch, environ_get("RELEASE_NODE"), &fd, NULL) < 0)
		return false;
	found = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
	close(fd);
	*pid = peer.pid;
	return found;
}

int client_greet(struct launch *launch)
{
	struct session session;
	struct error err;
	pid_t running;
	int code;

	if (strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0) {
		(void)client_find(launch, &running); /* waits for one that restarts */
		return 0;
	}
	code = session_open(launch, &session);
	if (code)
		return code;
	if (greet(&session, &err) < 0)
		return is_absent(&session, &err) ? report("%s is not running", environ_get("RELEASE_NODE"))
						 : failed(&err);
	close(session.fd);
	return 0;
}

/* ---- the commands ---- */

int command_ping(struct launch *launch)
{
	int code = client_ask(launch, CONTROL_PING, (struct slice){ 0 }, ANSWER_MS);

	if (code)
		return code;
	puts("pong");
	return flush_stdout();
}

/* Does the node that was reached go on to serve? It listens before it has booted, and closes when that fails. */
static bool comes_up(struct session *session)
{
	char byte;

	/* one that hangs has a process id, too */
	return is_halted(session) || session_wait(session, PID_MS, NULL) <= 0 ||
	       recv(session->fd, &byte, 1, MSG_PEEK) > 0;
}

int command_pid(struct launch *launch)
{
	struct session session;
	int code = session_open(launch, &session);

	if (code)
		return code;
	if (session.pid && !comes_up(&session) && !asks_again(&session))
		return report("%s is not running", environ_get("RELEASE_NODE"));
	printf("%d\n", (int)(session.pid ? session.pid : session.shown_pid));
	return flush_stdout();
}

int command_status(struct launch *launch)
{
	bool json = launch->arg_count == 1 && strcmp(launch->args[0], "--json") == 0;

	if (launch->arg_count && !json)
		return report("'status' knows no argument but --json, got: %s",
			      launch->args[strcmp(launch->args[0], "--json") == 0]);
	return client_ask(launch, CONTROL_STATUS, json ? SLICE("json") : SLICE("text"), ANSWER_MS);
}
