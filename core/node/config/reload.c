/* SPDX-License-Identifier: MIT */
#include "node/config/reload.h"

#include "base/log.h"
#include "base/scope.h"
#include "node/config/schema.h"
#include "node/node.h"
#include "node/process/heart.h"
#include "node/process/logfile.h"

#include <string.h>

struct counts {
	unsigned changed, refused, waiting;
};

/* ---- one setting ---- */

static int tell(struct component *component, const struct config_change *change, struct error *err)
{
	if (component->state != COMPONENT_STARTED)
		return 0;
	const char *name = component->sys->name;
	const char *key = change->setting->key;
	if (!schema_is_live(change->setting->schema) || component->table->config_changed == NULL)
		return error_set(err, ERROR_FAILED,
				 "%s.%s cannot change while the component runs; set it in the configuration and "
				 "restart the node",
				 name, key);
	error_set(&component->view.failure, ERROR_FAILED, "refused without a reason");
	if (component->table->config_changed(component->instance, key) == 0)
		return 0;
	return error_set(err, ERROR_FAILED, "%s.%s: %s", name, key, component->view.failure.message);
}

static int settle(struct component *component, struct config_change *change, struct error *err)
{
	int rc = tell(component, change, err);
	if (rc == 0)
		config_settle(change);
	else
		config_undo(change);
	return rc;
}

int reload_setting(struct node *node, struct component *component, const char *key, const struct value *value,
		   struct error *err)
{
	struct config_change change;
	int rc = config_set(&node->config, component->sys->name, key, value, &change, err);
	return rc != 0 ? rc : settle(component, &change, err);
}

/* ---- all of them ---- */

static bool is_same(const struct value *a, const struct value *b)
{
	return a == NULL || b == NULL ? a == b : value_equal(a, b);
}

static void reload_one(struct component *component, struct setting *setting, const struct setting *fresh,
		       struct counts *counts)
{
	const char *name = component->sys->name;
	struct config_change change;
	struct error err;
	if (is_same(setting->value, fresh->value))
		return;
	const struct log_field key = LOG_S("key", setting->key);
	bool live =
		schema_is_live(setting->schema) && component->table != NULL && component->table->config_changed != NULL;
	if (component->state == COMPONENT_STARTED && !live) {
		counts->waiting++;
		log_notice(name, LOG_FIELDS(key), "the new value of '%s' needs a restart", setting->key);
		return;
	}
	config_replace(setting, fresh, &change);
	if (settle(component, &change, &err) != 0) {
		counts->refused++;
		log_warn(name, LOG_FIELDS(key), "%s", err.message);
		return;
	}
	counts->changed++;
	log_notice(name, LOG_FIELDS(key), "'%s' has changed", setting->key);
}

static void reload_component(struct node *node, const struct config_component *now,
			     const struct config_component *fresh, struct counts *counts)
{
	struct component *component = component_find(&node->components, now->name);
	for (size_t i = 0; i < now->count && i < fresh->count; i++) /* of the same component.yaml */
		reload_one(component, &now->settings[i], &fresh->settings[i], counts);
}

static void wait_for_restart(const char *flag, bool differs, struct counts *counts)
{
	if (!differs)
		return;
	counts->waiting++;
	log_notice("node", LOG_FIELDS(LOG_S("flag", flag)), "the new value of '%s' needs a restart", flag);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void reload_flags(struct node *node, const struct flags *fresh, struct counts *counts)
{
	struct flags *now = &node->flags;
	counts->changed += now->log_level != fresh->log_level || now->log_format != fresh->log_format ||
			   now->shutdown_timeout_ms != fresh->shutdown_timeout_ms ||
			   now->log_max_bytes != fresh->log_max_bytes || now->log_files != fresh->log_files ||
			   now->console_sessions != fresh->console_sessions ||
			   now->max_restarts != fresh->max_restarts || now->max_restarts_ms != fresh->max_restarts_ms;
	if (now->log_level != fresh->log_level || now->log_format != fresh->log_format)
		log_setup(STDERR_FILENO, fresh->log_level, fresh->log_format);
	now->log_level = fresh->log_level;
	now->log_format = fresh->log_format;
	now->shutdown_timeout_ms = fresh->shutdown_timeout_ms;
	now->log_max_bytes = fresh->log_max_bytes;
	now->log_files = fresh->log_files;
	now->console_sessions = fresh->console_sessions;
	now->max_restarts = fresh->max_restarts;
	now->max_restarts_ms = fresh->max_restarts_ms;
	logfile_limit(now->log_max_bytes, now->log_files);
	wait_for_restart("--workers", now->workers != fresh->workers, counts);
	wait_for_restart("--max-connections", now->max_connections_asked != fresh->max_connections_asked, counts);
	wait_for_restart("--idle-timeout", now->idle_timeout_ms != fresh->idle_timeout_ms, counts);
	wait_for_restart("--write-timeout", now->write_timeout_ms != fresh->write_timeout_ms, counts);
	wait_for_restart("--max-output", now->max_output_bytes != fresh->max_output_bytes, counts);
	wait_for_restart("--heart", now->heart != fresh->heart, counts);
	wait_for_restart("--console-memory", now->console_memory_bytes != fresh->console_memory_bytes, counts);
	wait_for_restart("--dist-listen", !is_same_text(now->dist_listen, fresh->dist_listen), counts);
	wait_for_restart("--dist-heartbeat", now->dist_heartbeat_ms != fresh->dist_heartbeat_ms, counts);
	wait_for_restart("--dist-memory", now->dist_memory_bytes != fresh->dist_memory_bytes, counts);
}

static void log_mistakes(const struct report *report, const struct error *err)
{
	struct slice rest = buf_slice(&report->text);
	struct slice line;
	if (rest.size == 0)
		log_error("node", LOG_NONE, "%s", err->message);
	while (report_next_line(&rest, &line))
		log_error("node", LOG_NONE, "%.*s", SLICE_FMT(line));
	log_error("node", LOG_NONE, "the configuration has mistakes: nothing was changed");
}

/* Of the release that runs, whatever start.data says by now: another version needs a restart. */
static int load(struct node *node, struct arena *arena, struct flags *flags, struct config *config,
		struct report *report, struct error *err)
{
	struct sys sys;
	flags_init(flags);
	int rc = flags_read(arena, node->release.vm_args, release_shown(&node->release, node->release.vm_args), flags,
			    report, err);
	if (rc == 0 && report->errors > 0)
		rc = report_to_error(report, err);
	if (rc == 0)
		rc = flags_apply_env(flags, err);
	if (rc == 0)
		rc = sys_load(arena, &node->release, &sys, err);
	return rc != 0 ? rc : config_load(arena, &node->release, &sys, report, config, err);
}

static void reload_settings(struct node *node, const struct config *fresh, struct counts *counts)
{
	for (size_t i = 0; i < node->config.count; i++) {
		const struct config_component *now = &node->config.components[i];
		const struct config_component *next = config_component(fresh, now->name);
		if (next != NULL)
			reload_component(node, now, next, counts);
	}
	log_notice("node",
		   LOG_FIELDS(LOG_I("changed", counts->changed), LOG_I("refused", counts->refused),
			      LOG_I("need_restart", counts->waiting)),
		   "the configuration was read again");
}

void reload(struct node *node)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(report_done) struct report report = { 0 };
	struct flags flags;
	struct config fresh = { 0 };
	struct counts counts = { 0 };
	struct error err;
	heart_before_silence();
	notify_reloading();
	if (load(node, &arena, &flags, &fresh, &report, &err) != 0) {
		log_mistakes(&report, &err);
	} else {
		report_log_warnings(&report);
		reload_flags(node, &flags, &counts);
		reload_settings(node, &fresh, &counts);
	}
	config_done(&fresh);
	notify_manager("READY=1");
}
