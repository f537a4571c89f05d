/* SPDX-License-Identifier: MIT */
/* `kvnode remote`: a console on the running node of this name. */
#include "base/control.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/console/console.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t ended_by;

static void on_signal(int signal_number)
{
	if (signal_number == SIGINT) {
		console_interrupt();
		return;
	}
	ended_by = signal_number;
	console_hang_up();
}

/* The terminal is put in order before the signal has its way. */
static void watch_signals(void)
{
	static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaction(watched[i], &action, NULL);
}

static int run_console(int fd)
{
	int code = console_run(fd, watch_signals);
	if (ended_by != 0) {
		signal(ended_by, SIG_DFL);
		raise(ended_by);
	}
	return code;
}

/* Without XDG_RUNTIME_DIR, too: the node may have been started by a service manager. */
static int connect_node(const struct release *release, int *fd, struct error *err)
{
	char dir[4096];
	int rc = control_dir(dir, sizeof(dir), release->tmp, false, err);
	if (rc == 0)
		rc = control_connect(dir, release->node, fd, err);
	if (rc != -ERROR_NOT_FOUND || getenv("XDG_RUNTIME_DIR") == NULL)
		return rc;
	unsetenv("XDG_RUNTIME_DIR");
	rc = control_dir(dir, sizeof(dir), release->tmp, false, err);
	return rc == 0 ? control_connect(dir, release->node, fd, err) : rc;
}

int command_remote(const struct command_options *options)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE_FD int fd = -1;
	SCOPE_FD int cookie_fd = options->cookie_fd; /* for nodes on other hosts: a local socket needs none */
	struct release release;
	struct error err;
	int rc = release_read(&arena, &release, &err);
	if (rc == 0 && options->argc > 0)
		rc = error_set(&err, ERROR_USAGE, "unexpected argument '%s'", options->argv[0]);
	if (rc == 0 && release.distribution == DISTRIBUTION_NAME)
		rc = channel_open(&release, TAKE_FD(cookie_fd), &fd, &err);
	/* --dist-listen may have put it elsewhere than its name says */
	if (rc == -ERROR_NOT_FOUND || (rc == 0 && fd < 0))
		rc = connect_node(&release, &fd, &err);
	if (rc == -ERROR_NOT_FOUND)
		fprintf(stderr, "ERROR: %s is not running\n", release.node);
	else if (rc != 0)
		fprintf(stderr, "ERROR: %s\n", err.message);
	if (rc != 0)
		return error_exit_code(err.code);
	return run_console(fd);
}
