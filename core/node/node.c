/* SPDX-License-Identifier: MIT */
/*
 * Boot and stop. Nothing is started before everything that can be checked has been checked: flags, configuration and
 * libraries first, then the lock that keeps a second node of this name away, then the components.
 */
#include "node/node.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/components/api.h"
#include "node/components/hooks.h"
#include "node/components/links.h"
#include "node/config/reload.h"
#include "node/control/control_server.h"
#include "node/control/status.h"
#include "node/process/crash.h"
#include "node/process/deadline.h"
#include "node/process/handover.h"
#include "node/process/heart.h"
#include "node/process/limits.h"
#include "node/process/logfile.h"
#include "node/process/namelock.h"
#include "node/process/signals.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINGER_MS = 500, LINKS_STOP_MS = 5000, FOLDER_MODE = 0750 };

static const char *const state_names[] = { "new", "prepared", "booting", "running", "stopping", "stopped" };
_Static_assert(ARRAY_LEN(state_names) == NODE_STATE_COUNT, "a name for each state");

#define TO(state) (1u << NODE_##state)
/* read by an assertion only */
__attribute__((unused)) static const unsigned allowed_moves[] = {
	[NODE_NEW] = TO(PREPARED),
	[NODE_PREPARED] = TO(BOOTING) | TO(STOPPING),
	[NODE_BOOTING] = TO(RUNNING) | TO(STOPPING),
	[NODE_RUNNING] = TO(STOPPING),
	[NODE_STOPPING] = TO(STOPPED),
	[NODE_STOPPED] = 0,
};

const char *node_state_name(enum node_state state)
{
	return state_names[state];
}

static void move(struct node *node, enum node_state next)
{
	assert((allowed_moves[node->state] & (1u << next)) != 0);
	node->state = next;
}

int64_t node_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- prepare: what can be checked without starting anything ---- */

static int read_flags(struct arena *arena, const struct release *release, const struct node_options *options,
		      struct flags *flags, struct report *report, struct error *err)
{
	flags_init(flags);
	int rc = flags_read(arena, release->vm_args, release_shown(release, release->vm_args), flags, report, err);
	if (rc != 0)
		return error_wrap(err, "RELEASE_VM_ARGS");
	if (options != NULL) {
		int taken = flags_take(arena, options->argv, options->argc, flags, report);
		if (taken < options->argc && report->errors == 0)
			report_error(report, NULL, "unexpected argument '%s'", options->argv[taken]);
	}
	if (report->errors > 0)
		return report_to_error(report, err);
	return 0;
}

int node_check_flags(const struct node *node, struct error *err)
{
	if (node->flags.dist_listen != NULL && node->release.distribution != DISTRIBUTION_NAME)
		return error_set(err, ERROR_USAGE, "flag '--dist-listen' needs RELEASE_DISTRIBUTION=name, it is %s",
				 distribution_name(node->release.distribution));
	return 0;
}

static int configure(struct arena *arena, const struct release *release, struct sys *sys, struct config *config,
		     struct report *report, struct error *err)
{
	struct timespec begin;
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	int rc = sys_load(arena, release, sys, err);
	if (rc == 0)
		rc = config_load(arena, release, sys, report, config, err);
	clock_gettime(CLOCK_MONOTONIC, &end);
	log_debug("config",
		  LOG_FIELDS(LOG_I("us", (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000)),
		  "the configuration was read");
	return rc;
}

int node_prepare(struct node *node, const struct node_options *options, struct report *report, struct error *err)
{
	*node = (struct node){
		.lock_fd = -1, .started_ms = node_now_ms(), .console = options->console, .activity = ""
	};
	node->terminal = isatty(STDIN_FILENO) == 1;
	node->boot_time_s = time(NULL);
	node->boot_reason = handover_take_reason(node);
	notify_init(&node->notify, options->ready_fd);
	int rc = release_read(&node->arena, &node->release, err);
	if (rc == 0)
		rc = read_flags(&node->arena, &node->release, options, &node->flags, report, err);
	if (rc != 0)
		return rc;
	log_setup(STDERR_FILENO, node->flags.log_level, node->flags.log_format);
	logfile_begin(node->flags.log_max_bytes, node->flags.log_files);
	rc = flags_apply_env(&node->flags, err);
	if (rc == 0 && options->cookie_fd >= 0)
		rc = release_read_cookie(options->cookie_fd, &node->cookie, err);
	if (rc == 0)
		rc = configure(&node->arena, &node->release, &node->sys, &node->config, report, err);
	if (rc == 0)
		rc = mainloop_init(&node->main, err);
	if (rc != 0)
		return rc;
	api_fill(&node->api);
	components_init(&node->components, node);
	move(node, NODE_PREPARED);
	return 0;
}

int node_load(struct node *node, struct error *err)
{
	return components_open(&node->components, err);
}

/* ---- boot ---- */

int node_net(struct node *node, struct net **out, struct error *err)
{
	if (node->net == NULL) {
		const struct net_options options = {
			.workers = node->flags.workers,
			.max_connections = node->flags.max_connections,
			.output_max_bytes = node->flags.max_output_bytes,
			.idle_timeout_ms = node->flags.idle_timeout_ms,
			.write_timeout_ms = node->flags.write_timeout_ms,
			.thread_begin = crash_guard_thread,
			.api = &node->api,
		};
		int rc = net_new(&options, out, err);
		if (rc != 0)
			return rc;
		pthread_mutex_lock(&node->components.lock); /* a component's own thread may look for it already */
		node->net = *out;
		net_hold(node->net, node->components.holders > 0);
		pthread_mutex_unlock(&node->components.lock);
	}
	*out = node->net;
	return 0;
}

int node_make_folders(const struct node *node, struct error *err)
{
	int rc = fs_make_dirs(node->release.data, FOLDER_MODE, err);
	if (rc != 0)
		return error_wrap(err, "RELEASE_DATA");
	rc = fs_make_dirs(node->release.tmp, FOLDER_MODE, err);
	return rc == 0 ? 0 : error_wrap(err, "RELEASE_TMP");
}

static bool is_cancelled(struct node *node)
{
	(void)node;
	return signals_stop_asked();
}

static void on_signal(void *context, int signal_number)
{
	struct node *node = context;
	if (signal_number == SIGHUP && !node->terminal) {
		reload(node);
		return;
	}
	if (signal_number == SIGUSR1) {
		if (!logfile_reopen())
			log_notice("node", LOG_FIELDS(LOG_S("signal", "SIGUSR1")), "there is no log file to reopen");
		return;
	}
	if (signal_number == SIGUSR2) {
		status_log(node);
		return;
	}
	node_end(node, NODE_END_STOP,
		 signal_number == SIGTERM  ? "SIGTERM"
		 : signal_number == SIGINT ? "SIGINT"
					   : "the terminal is gone");
}

static int start_everything(struct node *node, struct error *err)
{
	/* before the first port opens: who sees that may ask at once, and is answered when the main loop turns */
	int rc = control_server_new(node, &node->control, err);
	if (rc == 0 && node->control_dir != NULL)
		rc = control_server_listen(node->control, node->control_dir, err);
	if (rc != 0)
		return rc;
	namelock_settle(node);
	rc = links_start(node, err);
	if (rc == 0)
		rc = components_start(&node->components, is_cancelled, err);
	if (rc == 0)
		rc = signals_watch(&node->main.loop, on_signal, node, err);
	if (rc == 0)
		rc = tick_start(&node->tick, node, err);
	return rc;
}

int node_boot(struct node *node, struct error *err)
{
	int rc = node_check_flags(node, err);
	if (rc != 0)
		return rc;
	limits_raise(&node->flags);
	if (node->release.mode == RELEASE_EMBEDDED && (rc = node_load(node, err)) != 0)
		return rc;
	move(node, NODE_BOOTING);
	rc = node_make_folders(node, err);
	if (rc == 0)
		rc = namelock_take(node, err);
	if (rc == 0)
		rc = hook_run(node, HOOK_PRE_START, err);
	if (rc == 0)
		rc = start_everything(node, err);
	if (rc != 0)
		return rc;
	move(node, NODE_RUNNING);
	log_info("node",
		 LOG_FIELDS(LOG_S("release", node->sys.release_name), LOG_S("version", node->sys.release_version),
			    LOG_I("pid", getpid()), LOG_I("boot_ms", node_now_ms() - node->started_ms)),
		 "%s is ready", node->release.node);
	notify_ready(&node->notify);
	heart_beat();
	hook_try(node, HOOK_POST_START);
	return 0;
}

void node_run(struct node *node)
{
	mainloop_run(&node->main);
}

/* ---- stop ---- */

void node_end(struct node *node, enum node_ending ending, const char *reason)
{
	bool stops_after_all = node->ending == NODE_END_RESTART && ending == NODE_END_STOP;
	if (node->ending != NODE_END_NONE && !stops_after_all)
		return;
	node->ending = ending;
	if (ending != NODE_END_FAILURE)
		log_info("node", LOG_FIELDS(LOG_S("reason", reason != NULL ? reason : "asked")), "%s",
			 ending == NODE_END_RESTART ? "restarting" : "stopping");
	mainloop_leave(&node->main);
}

static void stopping_component(struct node *node, const char *name)
{
	atomic_store(&node->activity, arena_printf(&node->arena, "component '%s'", name));
}

static void drain(struct node *node)
{
	atomic_store(&node->activity, "connections");
	int64_t most = node->flags.shutdown_timeout_ms - LINGER_MS;
	if (!net_drain(node->net, most > 0 ? most : node->flags.shutdown_timeout_ms))
		log_warn("node", LOG_NONE, "some connections were closed before their requests were answered");
}

void node_stop(struct node *node)
{
	struct error err;
	if (node->state == NODE_NEW || node->state == NODE_STOPPED)
		return;
	bool served = node->state == NODE_RUNNING;
	move(node, NODE_STOPPING);
	if (deadline_start(node, node->flags.shutdown_timeout_ms, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
	if (served)
		hook_try(node, HOOK_PRE_STOP);
	if (node->net != NULL)
		net_stop_accepting(node->net);
	atomic_store(&node->activity, "consoles");
	if (node->ending == NODE_END_RESTART)
		namelock_announce_restart(node);
	if (node->control != NULL)
		control_server_stop(node->control);
	mainloop_close(&node->main);
	if (node->net != NULL)
		drain(node);
	atomic_store(&node->activity, "links to other nodes");
	dist_stop(node->dist, LINKS_STOP_MS);
	components_stop(&node->components, stopping_component);
	links_end(node);
	atomic_store(&node->activity, "worker threads");
	net_free(node->net);
	node->net = NULL;
	mainloop_flush(&node->main);
	if (served)
		hook_try(node, HOOK_POST_STOP);
	deadline_cancel();
	if (node->ending == NODE_END_NONE || node->ending == NODE_END_STOP)
		namelock_leave(node);
	move(node, NODE_STOPPED);
}

void node_done(struct node *node)
{
	if (control_server_has_stragglers(node->control))
		return;
	control_server_free(node->control);
	mainloop_done(&node->main);
	config_done(&node->config);
	release_forget_cookie(&node->cookie);
	if (node->lock_fd >= 0)
		close(node->lock_fd);
	arena_done(&node->arena);
}
