/* SPDX-License-Identifier: MIT */
#include "node/process/signals.h"

#include "base/scope.h"
#include "node/process/heart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };

static int pipe_fds[2] = { -1, -1 };
static volatile sig_atomic_t stops_asked;
static _Atomic(void (*)(void)) interrupt_handler;
static uv_poll_t poll_handle;
static void (*signal_callback)(void *context, int signal_number);
static void *signal_context;

static void end_at_once(void)
{
	static const char message[] = "kvnode: second signal: stopping at once\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
	(void)ignored;
	heart_end();
	_exit(1);
}

static void on_signal(int signal_number)
{
	int saved = errno;
	void (*interrupt)(void) = atomic_load(&interrupt_handler);
	if (signal_number == SIGINT && interrupt != NULL) {
		interrupt();
		errno = saved;
		return;
	}
	if ((signal_number == SIGTERM || signal_number == SIGINT) && ++stops_asked > 1)
		end_at_once();
	unsigned char byte = (unsigned char)signal_number;
	ssize_t ignored = write(pipe_fds[1], &byte, 1); /* a full pipe holds enough of them */
	(void)ignored;
	errno = saved;
}

int signals_begin(struct error *err)
{
	if (pipe_fds[0] < 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return error_system(err, errno, "cannot make the pipe for signals");
	stops_asked = 0;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
		if (sigaction(watched[i], &action, NULL) != 0)
			return error_system(err, errno, "cannot handle signal %d", watched[i]);
		sigaddset(&set, watched[i]);
	}
	/* what the image before this one held back */
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

bool signals_stop_asked(void)
{
	return stops_asked > 0;
}

bool signals_hold_stops(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signals_stop_asked();
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	(void)handle;
	(void)status;
	(void)events;
	unsigned char bytes[64];
	ssize_t got;
	while ((got = read(pipe_fds[0], bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < got; i++)
			signal_callback(signal_context, bytes[i]);
	}
}

int signals_watch(uv_loop_t *loop, void (*callback)(void *context, int signal_number), void *context, struct error *err)
{
	signal_callback = callback;
	signal_context = context;
	int rc = uv_poll_init(loop, &poll_handle, pipe_fds[0]);
	if (rc == 0)
		rc = uv_poll_start(&poll_handle, UV_READABLE, on_readable);
	return rc == 0 ? 0 : error_system(err, -rc, "cannot watch for signals");
}

void signals_redirect_interrupt(void (*on_interrupt)(void))
{
	atomic_store(&interrupt_handler, on_interrupt);
}
