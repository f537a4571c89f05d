/* SPDX-License-Identifier: MIT */
/* Waiting for the node's next word, and what the user wants meanwhile: Ctrl-C, and stdin when it is asked for. */
#include "client.h"

#include "base/control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
	EXPLAIN_MS = 1000, /* after an interrupt that ended nothing */
	STDIN_BLOCK = 64 * 1024,
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

void session_catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* Answers WANT. Only what is asked for is taken: the rest stays for the commands behind this one. */
static int pass_stdin(struct session *session, struct error *err)
{
	static char block[STDIN_BLOCK];
	ssize_t got = read(STDIN_FILENO, block, sizeof(block));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got < 0 && errno == EBADF) /* there is none */
		got = 0;
	if (got < 0)
		return error_system(err, errno, "cannot read stdin");
	session->wants_stdin = false;
	return control_send(session->fd, CONTROL_INPUT, (struct slice){ block, (size_t)got }, err);
}

static int pass_interrupt(struct session *session, struct error *err)
{
	interrupted = 0;
	session->interrupted = true;
	return control_send(session->fd, CONTROL_INTERRUPT, (struct slice){ 0 }, err);
}

/* It ended nothing so far: the text is in a call of C, which is finished first. */
static void explain_interrupt(struct session *session)
{
	session->interrupted = false;
	fputs("the expression waits for a call that cannot be interrupted and ends after it; Ctrl-C again: do not "
	      "wait\n",
	      stderr);
}

int session_wait(struct session *session, int timeout_ms, struct error *err)
{
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		if (interrupted && pass_interrupt(session, err) < 0)
			return -(int)err->code;

		struct pollfd fds[2] = { { .fd = session->fd, .events = POLLIN },
					 { .fd = session->wants_stdin ? STDIN_FILENO : -1, .events = POLLIN } };
		bool explains = session->interrupted && timeout_ms == FOR_EVER;
		int wait_ms = explains ? EXPLAIN_MS : timeout_ms;
		struct timespec limit = { wait_ms / 1000, wait_ms % 1000 * 1000000L };
		int r = ppoll(fds, 2, wait_ms == FOR_EVER ? NULL : &limit, &none);

		if (r < 0 && errno != EINTR)
			return error_system(err, errno, "poll");
		if ((r == 0 && !explains) || (r > 0 && fds[0].revents))
			return r > 0;
		if (r == 0)
			explain_interrupt(session);
		if (r > 0 && pass_stdin(session, err) < 0)
			return -(int)err->code;
	}
}

/* Here, too, a second Ctrl-C ends the command: a node that hangs may owe us the rest of a frame. */
int session_receive(struct session *session, char *type, struct slice *payload, struct error *err)
{
	sigset_t set, usual;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, &usual);
	r = control_receive(session->fd, session_frame, sizeof(session_frame), type, payload, err);
	sigprocmask(SIG_SETMASK, &usual, NULL);
	return r;
}
