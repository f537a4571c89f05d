/* SPDX-License-Identifier: MIT */
/*
 * One poll() waits for the user, signals, the node and, on a node's own terminal, its log, so that everything is seen
 * at an idle prompt, too. The user comes first, who may want to end a flood of the others; and the log before the
 * node's words, because the node waits for those who read its log.
 */
#include "node/console/console_internal.h"

#include "base/scope.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	EXPLAIN_MS = 1000,         /* after an interrupt that ended nothing */
	LEAVE_MS = 3000,           /* for what the node still says to who has left */
	AHEAD_MAX_BYTES = 64 << 10 /* typed while the node looks for completions */
};

/* ---- signals ---- */

static int wake_fd = -1;
static _Atomic bool hung_up;
#define WAKE_INTERRUPT UINT64_C(1)
#define WAKE_LOOK      (UINT64_C(1) << 32)

static void wake(uint64_t why)
{
	ssize_t ignored = write(wake_fd, &why, sizeof(why));
	(void)ignored;
}

void console_interrupt(void)
{
	wake(WAKE_INTERRUPT);
}

void console_resize(void)
{
	wake(WAKE_LOOK);
}

void console_hang_up(void)
{
	atomic_store(&hung_up, true);
	wake(WAKE_LOOK);
}

bool console_hung_up(void)
{
	return atomic_load(&hung_up);
}

static void on_resize(int signal_number)
{
	int saved = errno;
	(void)signal_number;
	console_resize();
	errno = saved;
}

int console_open_signals(struct error *err)
{
	if (wake_fd < 0)
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		return error_system(err, errno, "cannot make an eventfd");
	struct sigaction action = { .sa_handler = on_resize, .sa_flags = SA_RESTART };
	sigaction(SIGWINCH, &action, NULL);
	return 0;
}

/* ---- waiting ---- */

static bool wants_input(const struct console *console)
{
	return console->prompted && !console->left && !console->end_of_input &&
	       (!console->asked || console->input.size < AHEAD_MAX_BYTES);
}

static int patience_ms(const struct console *console)
{
	if (console_has_left(console))
		return console->runs ? -1 : LEAVE_MS;
	return console->interrupted && !console->explained ? EXPLAIN_MS : -1;
}

enum console_event console_wait(const struct console *console)
{
	struct pollfd fds[] = {
		{ .fd = wake_fd, .events = POLLIN },
		{ .fd = console->log_fd, .events = POLLIN },
		{ .fd = console->fd, .events = POLLIN },
		{ .fd = wants_input(console) ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int ready;
	while ((ready = poll(fds, ARRAY_LEN(fds), patience_ms(console))) < 0) {
		if (errno != EINTR)
			return CONSOLE_ERROR;
	}
	if (ready == 0)
		return CONSOLE_SILENCE;
	uint64_t why;
	if (fds[0].revents != 0 && read(wake_fd, &why, sizeof(why)) > 0)
		return why % WAKE_LOOK > 0 ? CONSOLE_INTERRUPT : CONSOLE_LOOK;
	if (fds[3].revents != 0)
		return CONSOLE_INPUT;
	return fds[1].revents != 0 ? CONSOLE_LOG : CONSOLE_NODE;
}

int console_read_more(struct console *console, struct error *err)
{
	struct pollfd stdin_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char *room = buf_reserve(&console->input, CONSOLE_READ_BYTES);
	ssize_t got = room != NULL ? read(STDIN_FILENO, room, CONSOLE_READ_BYTES) : 0;
	if (got > 0)
		console->input.size += (size_t)got;
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		console->end_of_input = true;
	else if (errno == EAGAIN) /* a pipe that somebody made non-blocking */
		(void)poll(&stdin_fd, 1, -1);
	return got < 0 && console->end_of_input ? error_system(err, errno, "cannot read stdin") : 0;
}
