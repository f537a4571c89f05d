/* SPDX-License-Identifier: MIT */
/* start_console: the console on the node's own terminal, which the log goes through. */
#include "node/console/console_internal.h"

#include "base/log.h"
#include "base/scope.h"
#include "node/control/control_server.h"
#include "node/node.h"
#include "node/process/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	const struct node *node;
	pthread_t thread;
	int fd;
	int log_fds[2]; /* never closed: another thread may be writing a record */
	bool running;
} attached = { .fd = -1, .log_fds = { -1, -1 } };

/* The log goes through the console, which knows where the line is that is being typed. */
static int take_log(const struct node *node, struct error *err)
{
	if (isatty(STDERR_FILENO) != 1)
		return 0;
	if (pipe2(attached.log_fds, O_CLOEXEC) != 0)
		return error_system(err, errno, "cannot make a pipe for the log");
	fcntl(attached.log_fds[0], F_SETFL, O_NONBLOCK);
	log_setup(attached.log_fds[1], log_level(), node->flags.log_format);
	return 0;
}

static void give_log_back(void)
{
	char rest[CONSOLE_READ_BYTES];
	ssize_t got;
	if (attached.log_fds[0] < 0)
		return;
	log_setup(STDERR_FILENO, log_level(), attached.node->flags.log_format);
	while ((got = read(attached.log_fds[0], rest, sizeof(rest))) > 0)
		console_say(STDERR_FILENO, (struct slice){ rest, (size_t)got });
}

static void *run_attached(void *unused)
{
	(void)unused;
	(void)console_converse_over(attached.fd, attached.log_fds[0], NULL);
	give_log_back();
	/* the session ends with its client; from here on Ctrl-C stops the node */
	shutdown(attached.fd, SHUT_RDWR);
	signals_redirect_interrupt(NULL);
	if (attached.node->state == NODE_RUNNING)
		console_say(STDOUT_FILENO, SLICE("The console is closed, the node goes on; Ctrl-C stops it.\n"));
	return NULL;
}

int console_attach(struct node *node, struct error *err)
{
	int fds[2];
	if (isatty(STDIN_FILENO) != 1)
		return error_set(err, ERROR_FAILED, "stdin is no terminal");
	int rc = console_open_signals(err);
	if (rc != 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return error_system(err, errno, "cannot make a pair of sockets");
	attached.node = node;
	rc = take_log(node, err);
	if (rc != 0)
		return rc;
	attached.fd = fds[1];
	rc = control_server_attach(node->control, fds[0], err);
	if (rc != 0)
		return rc;
	int failed = pthread_create(&attached.thread, NULL, run_attached, NULL);
	if (failed != 0)
		return error_system(err, failed, "cannot start the console's thread");
	attached.running = true;
	signals_redirect_interrupt(console_interrupt);
	return 0;
}

void console_detach(void)
{
	if (!attached.running)
		return;
	shutdown(attached.fd, SHUT_RDWR);
	pthread_join(attached.thread, NULL);
	attached.running = false;
	close(TAKE_FD(attached.fd));
}
