/* SPDX-License-Identifier: MIT */
/*
 * The effective configuration: for each component of the release and each setting that it declares, one normalised
 * value with the place it came from.
 *
 * Layers, later wins, maps merge by key: component.yaml defaults ← sys.yaml (what releases.yaml says) ←
 * config providers, in order ← runtime.lua.
 * config_load() checks all of it and reports all mistakes; a configuration with mistakes is never handed on.
 * Settings are changed afterwards by config_set() and config_replace() alone, on the main thread.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "node/config/report.h"
#include "node/config/sys.h"

struct setting {
	const char *key;
	const struct value *schema;
	struct value *value; /* NULL: unset and without a default */
	bool is_default;
	struct arena own; /* holds the value after config_set() */
};

struct config_component {
	const char *name;
	struct setting *settings; /* by key */
	size_t count;
};

struct config {
	struct config_component *components; /* in the order of sys.yaml */
	size_t count;
	const struct release *release;
	struct arena *arena;
};

/* -INVALID: the report has the mistakes; other codes only in err. */
int config_load(struct arena *arena, const struct release *release, const struct sys *sys, struct report *report,
		struct config *out, struct error *err);
void config_done(struct config *config);

const struct config_component *config_component(const struct config *config, const char *name);
struct setting *config_setting(const struct config *config, const char *component, const char *key);

/*
 * Checks `given` and makes it the setting's value. The old value stays readable until config_settle(); config_undo()
 * brings it back instead.
 */
struct config_change {
	struct setting *setting;
	struct value *old_value;
	struct arena old_arena;
	bool old_default;
};
int config_set(struct config *config, const char *component, const char *key, const struct value *given,
	       struct config_change *change, struct error *err);
/* The same with a value that was checked already, of another configuration; it is copied. */
void config_replace(struct setting *setting, const struct setting *fresh, struct config_change *change);
void config_settle(struct config_change *change);
void config_undo(struct config_change *change);

/* What ${NAME} stands for in paths: the RELEASE_* of the release in `context`, else the environment. */
const char *config_variable(void *context, const char *name);
struct schema_context;
struct schema_context config_schema_context(const struct config *config, struct arena *arena);

/* The whole configuration with origins, as status and `config` show it; secrets masked. */
struct value *config_describe(const struct config *config, struct arena *arena);
/* The same with the secrets, for the running node to compare with its own. */
struct value *config_disclose(const struct config *config, struct arena *arena);
/* The whole as `bin/NAME config` prints it. */
void config_show(const struct config *config, bool json, struct buf *out);
/* One setting; a text without quotes unless `json`. NOT_FOUND when there is none of this name. */
int config_show_one(const struct config *config, const char *path, bool json, struct buf *out, struct error *err);
/* What a restart would change: component → key → {running, next, needs_restart}. `next` is config_disclose()'s. */
struct value *config_diff(const struct config *running, const struct value *next, struct arena *arena);
void config_show_diff(const struct value *diff, bool json, struct buf *out);
/* A deep copy into another arena. */
struct value *config_copy_value(struct arena *arena, const struct value *from);

#endif
