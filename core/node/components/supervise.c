/* SPDX-License-Identifier: MIT */
/*
 * A component fails on any thread, perhaps inside one of its own locks; what follows happens on the main thread.
 *
 * What depends on it is stopped first, in reverse, then the component itself, all at once: nobody may go on working
 * with something that is not there. After a pause, longer with each failure, it is started again, and then what was
 * stopped for its sake. When it failed more often than --max-restarts within --max-seconds, its mode decides: permanent
 * and transient end the node (a failure is never a normal end), temporary stays failed.
 */
#include "node/components/supervise.h"

#include "base/log.h"
#include "node/node.h"
#include "node/process/deadline.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 50, PAUSE_MAX_MS = 5000 };

struct failed_job {
	struct main_job job;
	struct component *component;
	struct error reason;
};

/* ---- stopping ---- */

static void stop_one(struct component *component)
{
	struct node *node = component->view.node;
	atomic_store(&node->activity, component->sys->name);
	component_give_back(&node->components, component);
}

/* Stops what depends on it, directly or not; later ones in start order can depend on earlier ones only. */
static void stop_dependants(struct component *failed)
{
	struct components *components = &failed->view.node->components;
	for (size_t i = components->count; i-- > 0;) {
		struct component *other = &components->items[i];
		if (other == failed || !component_requires(other, failed->sys->name))
			continue;
		stop_dependants(other);
		if (other->state != COMPONENT_STARTED)
			continue;
		other->restart.resume = true;
		log_notice(other->sys->name, LOG_FIELDS(LOG_S("failed", failed->sys->name)),
			   "stopped until '%s' runs again", failed->sys->name);
		stop_one(other);
	}
}

static void stop_failed(struct component *component)
{
	struct node *node = component->view.node;
	struct error err;
	if (deadline_start(node, node->flags.shutdown_timeout_ms, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
	stop_dependants(component);
	stop_one(component);
	deadline_cancel();
}

/* ---- starting again ---- */

static void plan(struct component *component);

static void start_failed(struct component *component, const struct error *err)
{
	component->reason = *err;
	log_error(component->sys->name, LOG_NONE, "not restarted: %s", err->message);
	plan(component);
}

static bool has_what_it_requires(const struct component *component)
{
	const struct components *components = &component->view.node->components;
	for (size_t i = 0; i < component->sys->require_count; i++) {
		if (component_find(components, component->sys->requires[i])->state != COMPONENT_STARTED)
			return false;
	}
	return true;
}

void supervise_resume(struct node *node)
{
	struct components *components = &node->components;
	struct error err;
	for (size_t i = 0; i < components->count; i++) {
		struct component *other = &components->items[i];
		if (!other->restart.resume || !has_what_it_requires(other))
			continue;
		other->restart.resume = false;
		if (component_start(components, other, false, &err) != 0)
			start_failed(other, &err);
	}
}

/* One whose dependency has failed as well waits for that: it is no failure of its own. */
static void start_again(struct component *component)
{
	struct node *node = component->view.node;
	struct error err;
	if (!has_what_it_requires(component)) {
		component->restart.resume = true;
		return;
	}
	component->restarts++;
	if (component_start(&node->components, component, false, &err) != 0) {
		start_failed(component, &err);
		return;
	}
	log_notice(component->sys->name, LOG_FIELDS(LOG_I("restarts", component->restarts)), "restarted");
	supervise_resume(node);
}

static void on_pause_over(uv_timer_t *timer)
{
	struct component *component = timer->data;
	if (!component->restart.pending || component->view.node->state != NODE_RUNNING)
		return;
	component->restart.pending = false;
	if (component->state != COMPONENT_STARTED)
		start_again(component);
}

static bool may_restart(struct component *component, int64_t now_ms)
{
	const struct flags *flags = &component->view.node->flags;
	struct restart_plan *restart = &component->restart;
	unsigned kept = 0;
	for (unsigned i = 0; i < restart->count; i++) {
		if (now_ms - restart->at_ms[i] < flags->max_restarts_ms)
			restart->at_ms[kept++] = restart->at_ms[i];
	}
	restart->count = kept;
	if (kept >= flags->max_restarts || kept == COMPONENT_RESTARTS_MAX)
		return false;
	restart->at_ms[restart->count++] = now_ms;
	return true;
}

static void give_up(struct component *component)
{
	struct node *node = component->view.node;
	const struct flags *flags = &node->flags;
	log_error(component->sys->name,
		  LOG_FIELDS(LOG_S("mode", component_mode_name(component->sys->mode)),
			     LOG_I("max_restarts", flags->max_restarts),
			     LOG_I("max_seconds", flags->max_restarts_ms / 1000)),
		  "failed too often; it is not restarted any more");
	if (component->sys->mode < MODE_TRANSIENT)
		return;
	error_set(&node->failure, component->reason.code, "component '%s' failed: %s", component->sys->name,
		  component->reason.message);
	node_end(node, NODE_END_FAILURE, node->failure.message);
}

/* The next attempt, or none any more. */
static void plan(struct component *component)
{
	struct node *node = component->view.node;
	struct restart_plan *restart = &component->restart;
	if (!may_restart(component, node_now_ms())) {
		give_up(component);
		return;
	}
	unsigned doublings = restart->count > 8 ? 8 : restart->count - 1;
	int pause_ms = PAUSE_MS << doublings;
	if (!restart->has_timer) {
		uv_timer_init(&node->main.loop, &restart->timer);
		restart->timer.data = component;
		restart->has_timer = true;
	}
	restart->pending = true;
	uv_timer_start(&restart->timer, on_pause_over, (uint64_t)(pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS),
		       0);
}

/* ---- failing ---- */

static void handle(struct main_job *job)
{
	struct failed_job *failed = (struct failed_job *)job;
	struct component *component = failed->component;
	struct node *node = component->view.node;
	if (node->state < NODE_STOPPING && component->state == COMPONENT_STARTED) {
		component->reason = failed->reason;
		log_error(component->sys->name, LOG_FIELDS(LOG_S("mode", component_mode_name(component->sys->mode))),
			  "failed: %s", failed->reason.message);
		component_fail(&node->components, component);
		stop_failed(component);
		plan(component);
	}
	free(failed);
}

void supervise_failed(struct component *component, const struct error *reason)
{
	struct failed_job *failed = malloc(sizeof(*failed));
	if (failed == NULL) {
		log_error(component->sys->name, LOG_NONE, "failed: %s", reason->message);
		abort();
	}
	*failed = (struct failed_job){ .job.run = handle, .component = component, .reason = *reason };
	mainloop_post(&component->view.node->main, &failed->job);
}
