/* SPDX-License-Identifier: MIT */
/* `kvnode start`: boot, run, stop; and becoming the next image of this process when a restart is asked for. */
#include "base/control.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/console/console.h"
#include "node/control/control_server.h"
#include "node/process/crash.h"
#include "node/process/handover.h"
#include "node/process/heart.h"
#include "node/process/namelock.h"
#include "node/process/signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH_S = 1 };

static int failed(struct node *node, const struct report *report, const struct error *err)
{
	command_report(report, err);
	heart_end();
	notify_failed(&node->notify, err);
	node_stop(node);
	if (signals_stop_asked())
		return 0; /* a stop was asked for, so this is no failure of the boot */
	return error_exit_code(err->code);
}

/* The clients of a socket unit would wait for ever: nobody accepts from what it holds open. */
static int refuse_given_sockets(struct error *err)
{
	const char *pid = getenv("LISTEN_PID");
	int64_t number;
	if (pid == NULL || !slice_to_int64(slice_of(pid), &number) || number != getpid())
		return 0;
	return error_set(err, ERROR_UNSUPPORTED,
			 "socket activation (LISTEN_FDS) is not supported yet: disable the .socket unit of this "
			 "service, the node opens its ports itself");
}

/* It was to come back, but somebody wants it to end. */
static int stop_after_all(struct node *node, int client)
{
	struct error why;
	error_set(&why, ERROR_FAILED, "the node was stopped while it restarted");
	namelock_leave(node);
	log_info("node", LOG_NONE, "%s has stopped", node->release.node);
	node->notify.restart_fd = client;
	notify_failed(&node->notify, &why);
	return 0;
}

/* The launcher derives everything afresh: env.sh may say something else now, start.data another version. */
static int execute_again(struct node *node)
{
	struct error err;
	const char *program = node->release.launcher;
	const char *arguments[] = { program, node->console ? "start_console" : "start", NULL };
	int client = control_server_take_restart_client(node->control);
	if (signals_hold_stops()) /* what comes from here on is the next image's, and ends that */
		return stop_after_all(node, client);
	handover_prepare(node, "restart", handover_cookie(node));
	if (client >= 0 && notify_hand_over(client, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
	execv(program, (char *const *)arguments);
	error_system(&err, errno, "cannot execute %s", program);
	log_error("node", LOG_NONE, "restart failed: %s", err.message);
	notify_init(&node->notify, -1);
	notify_failed(&node->notify, &err);
	return 1;
}

static int run(struct node *node)
{
	struct error err;
	if (node->console && console_attach(node, &err) != 0)
		log_warn("node", LOG_NONE, "no console: %s", err.message);
	node_run(node);
	if (node->ending != NODE_END_FAILURE)
		heart_end();
	signals_redirect_interrupt(NULL); /* from here on Ctrl-C means hurry */
	if (node->ending == NODE_END_RESTART)
		notify_reloading();
	else
		notify_manager("STOPPING=1");
	node_stop(node);
	console_detach();
	if (node->ending == NODE_END_RESTART)
		return execute_again(node);
	if (node->ending == NODE_END_FAILURE) {
		fprintf(stderr, "kvnode: error: %s\n", node->failure.message);
		return 1;
	}
	log_info("node", LOG_NONE, "%s has stopped", node->release.node);
	return 0;
}

static void *flush_streams(void *unused)
{
	(void)unused;
	fflush(NULL);
	return NULL;
}

/* An expression that was left behind may wait in a stream, and keep it locked for as long. */
static _Noreturn void leave_at_once(int code)
{
	struct timespec until;
	pthread_t thread;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FLUSH_S;
	if (pthread_create(&thread, NULL, flush_streams, NULL) == 0)
		(void)pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until);
	_exit(code);
}

int command_start(const struct command_options *options)
{
	static struct node node; /* too big for a frame, and other threads point into it */
	const struct node_options node_options = {
		.argv = options->argv,
		.argc = options->argc,
		.cookie_fd = options->cookie_fd,
		.ready_fd = options->ready_fd,
		.console = options->console,
	};
	SCOPE(report_done) struct report report = { 0 };
	struct error err;
	int rc = node_prepare(&node, &node_options, &report, &err);
	if (rc == 0) {
		report_log_warnings(&report);
		rc = refuse_given_sockets(&err);
	}
	if (rc == 0)
		rc = heart_start(&node, &err);
	if (rc == 0)
		rc = signals_begin(&err);
	if (rc == 0)
		rc = crash_begin(&err);
	if (rc == 0)
		rc = node_boot(&node, &err);
	int code = rc == 0 ? run(&node) : failed(&node, &report, &err);
	bool left_behind = control_server_has_stragglers(node.control);
	node_done(&node);
	if (left_behind)
		leave_at_once(code);
	return code;
}
