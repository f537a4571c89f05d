/* SPDX-License-Identifier: MIT */
/*
 * The layers, and the check of what they come to.
 *
 * Settings of a component are an array sorted by key, so that a big configuration costs a binary search a key. Layers
 * are laid over each other first and checked once at the end: a value that a later layer replaces is never complained
 * about, and maps are checked as merged.
 */
#include "node/config/config.h"

#include "base/scope.h"
#include "base/term.h"
#include "node/config/providers.h"
#include "node/config/runtime_config.h"
#include "node/config/schema.h"

#include <stdlib.h>
#include <string.h>

const struct config_component *config_component(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->count; i++) {
		if (strcmp(config->components[i].name, name) == 0)
			return &config->components[i];
	}
	return NULL;
}

static int compare_settings(const void *a, const void *b)
{
	return strcmp(((const struct setting *)a)->key, ((const struct setting *)b)->key);
}

static struct setting *find_setting(const struct config_component *component, const char *key)
{
	struct setting wanted = { .key = key };
	return bsearch(&wanted, component->settings, component->count, sizeof(wanted), compare_settings);
}

struct setting *config_setting(const struct config *config, const char *component, const char *key)
{
	const struct config_component *found = config_component(config, component);
	return found == NULL ? NULL : find_setting(found, key);
}

const char *config_variable(void *context, const char *name)
{
	const struct release *release = context;
	const struct {
		const char *name;
		const char *value;
	} known[] = {
		{ "RELEASE_ROOT", release->root },   { "RELEASE_NAME", release->name },
		{ "RELEASE_VSN", release->version }, { "RELEASE_DATA", release->data },
		{ "RELEASE_TMP", release->tmp },
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	}
	return getenv(name);
}

/* ---- from the schema ---- */

static void declare(struct arena *arena, const struct sys_component *from, struct config_component *out)
{
	const struct value *schema = from->schema;
	size_t count = schema != NULL && schema->type == VALUE_MAP ? schema->map.count : 0;
	*out = (struct config_component){ .name = from->name, .count = count };
	out->settings = arena_array(arena, count + 1, sizeof(*out->settings));
	for (size_t i = 0; i < count; i++) {
		const struct member *member = &schema->map.members[i];
		struct value *fallback = value_get(member->value, "default");
		out->settings[i] = (struct setting){
			.key = arena_copy(arena, member->key),
			.schema = member->value,
			.value = fallback != NULL && fallback->type != VALUE_NULL ? fallback : NULL,
			.is_default = true,
		};
	}
	qsort(out->settings, count, sizeof(*out->settings), compare_settings);
}

/* ---- layers ---- */

static void unknown(struct report *report, const struct origin *origin, const char *what, const char *word,
		    const char *where, const char *const *names, size_t count)
{
	const char *near = term_suggest(word, names, count);
	if (near != NULL)
		report_error(report, origin, "unknown %s '%s'%s (did you mean '%s'?)", what, word, where, near);
	else
		report_error(report, origin, "unknown %s '%s'%s", what, word, where);
}

static void unknown_key(struct arena *arena, struct report *report, const struct config_component *component,
			const struct origin *origin, const char *key)
{
	const char **names = arena_array(arena, component->count + 1, sizeof(*names));
	for (size_t i = 0; i < component->count; i++)
		names[i] = component->settings[i].key;
	unknown(report, origin, "key", key, arena_printf(arena, " of component '%s'", component->name), names,
		component->count);
}

static void lay(struct arena *arena, struct setting *setting, struct value *over)
{
	if (over->type == VALUE_NULL) {
		struct value *fallback = value_get(setting->schema, "default");
		setting->value = fallback != NULL && fallback->type != VALUE_NULL ? fallback : NULL;
		setting->is_default = true;
		return;
	}
	bool merge = setting->value != NULL && setting->value->type == VALUE_MAP && over->type == VALUE_MAP;
	setting->value = merge ? value_merge(arena, setting->value, over) : over;
	setting->value->origin = over->origin;
	setting->is_default = false;
}

static void apply_layer(struct config *config, const struct sys *sys, struct report *report, const char *name,
			const struct value *settings, const struct origin *origin)
{
	const struct config_component *component = config_component(config, name);
	if (component == NULL) {
		if (!sys_project_has(sys, name))
			unknown(report, origin, "component", name, "", sys->project_components,
				sys->project_component_count);
		return;
	}
	if (settings->type == VALUE_NULL)
		return;
	if (settings->type != VALUE_MAP) {
		report_error(report, origin, "%s: expected a map of settings, got %s", name,
			     value_type_name(settings->type));
		return;
	}
	for (size_t i = 0; i < settings->map.count; i++) {
		const struct member *member = &settings->map.members[i];
		struct setting *setting = find_setting(component, member->key.data);
		const struct origin *where = member->value->origin.file != NULL ? &member->value->origin : origin;
		if (setting == NULL)
			unknown_key(config->arena, report, component, where, member->key.data);
		else
			lay(config->arena, setting, member->value);
	}
}

static void apply_sys(struct config *config, const struct sys *sys, struct report *report)
{
	const struct value *all = sys->config;
	for (size_t i = 0; all != NULL && all->type == VALUE_MAP && i < all->map.count; i++) {
		const struct member *member = &all->map.members[i];
		apply_layer(config, sys, report, member->key.data, member->value, &member->value->origin);
	}
}

/* ---- checking ---- */

struct schema_context config_schema_context(const struct config *config, struct arena *arena)
{
	return (struct schema_context){ .arena = arena,
					.variable = config_variable,
					.context = (void *)config->release };
}

static void check_setting(const struct config *config, const struct config_component *component,
			  struct setting *setting, struct report *report)
{
	if (setting->value == NULL) {
		if (schema_is_required(setting->schema))
			report_error(report, &setting->schema->origin, "%s.%s is required and not set", component->name,
				     setting->key);
		return;
	}
	struct schema_context context = config_schema_context(config, config->arena);
	context.report = report;
	if (setting->value->type >= VALUE_LIST) /* what else has parts to speak of? */
		context.label = arena_printf(config->arena, "%s.%s", component->name, setting->key);
	struct error err;
	struct value *normal;
	if (schema_check(&context, setting->schema, setting->value, &normal, &err) == 0)
		setting->value = normal;
	else if (err.message[0] != '\0') /* else each part has its own line */
		report_error(report, &setting->value->origin, "%s.%s: %s", component->name, setting->key, err.message);
}

static void check_all(const struct config *config, struct report *report)
{
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		for (size_t j = 0; j < component->count; j++)
			check_setting(config, component, &component->settings[j], report);
	}
}

/* ---- all of it ---- */

struct loading {
	struct config *config;
	const struct sys *sys;
	struct report *report;
	const struct config_layers *layers;
	const struct config_layer *applied; /* the last one that lies; NULL: none does */
};

static void apply_pending(struct loading *loading)
{
	for (;;) {
		const struct config_layer *next =
			loading->applied != NULL ? loading->applied->next : loading->layers->first;
		if (next == NULL)
			return;
		apply_layer(loading->config, loading->sys, loading->report, next->component, next->settings,
			    &next->origin);
		loading->applied = next;
	}
}

static struct value *so_far(void *context, const char *name)
{
	struct loading *loading = context;
	apply_pending(loading);
	const struct config_component *component = config_component(loading->config, name);
	if (component == NULL)
		return NULL;
	struct value *map = value_map(loading->config->arena);
	for (size_t i = 0; i < component->count; i++) {
		if (component->settings[i].value != NULL)
			value_map_add(loading->config->arena, map, slice_of(component->settings[i].key),
				      component->settings[i].value);
	}
	return map;
}

/* Providers, then runtime.lua; a failure of one does not keep the others from telling theirs. */
static int collect(struct arena *arena, const struct release *release, const struct sys *sys, struct report *report,
		   struct config_layers *layers, struct error *err)
{
	struct provider_run run = {
		.arena = arena, .release = release, .sys = sys, .report = report, .layers = layers
	};
	providers_run(&run);
	if (sys->runtime_config == NULL)
		return 0;
	struct error why;
	int rc = runtime_config_run(arena, release, sys, sys->runtime_config, sys->runtime_shown, layers, &why);
	if (rc == -ERROR_INVALID)
		report_line(report, why.message);
	else if (rc != 0)
		return error_set(err, why.code, "%s", why.message);
	return 0;
}

int config_load(struct arena *arena, const struct release *release, const struct sys *sys, struct report *report,
		struct config *out, struct error *err)
{
	struct config config = { .arena = arena, .release = release, .count = sys->component_count };
	struct config_layers layers = { .so_far = so_far };
	struct loading loading = { &config, sys, report, &layers, NULL };
	layers.context = &loading;
	config.components = arena_array(arena, sys->component_count + 1, sizeof(*config.components));
	for (size_t i = 0; i < sys->component_count; i++)
		declare(arena, &sys->components[i], &config.components[i]);
	apply_sys(&config, sys, report);
	int rc = collect(arena, release, sys, report, &layers, err);
	if (rc != 0)
		return rc;
	apply_pending(&loading);
	check_all(&config, report);
	if (report->errors > 0)
		return report_to_error(report, err);
	*out = config;
	return 0;
}

void config_done(struct config *config)
{
	for (size_t i = 0; i < config->count; i++) {
		for (size_t j = 0; j < config->components[i].count; j++)
			arena_done(&config->components[i].settings[j].own);
	}
	*config = (struct config){ 0 };
}
