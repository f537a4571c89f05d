/* SPDX-License-Identifier: MIT */
/*
 * Settings of a component are an array sorted by key, so that a big configuration costs a binary search a key. Layers
 * are laid over each other first and checked once at the end: a value that a later layer replaces is never complained
 * about, and maps are checked as merged.
 */
#include "node/config.h"

#include "base/scope.h"
#include "base/term.h"
#include "node/runtime_config.h"
#include "node/schema.h"

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

static const char *path_variable(void *context, const char *name)
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

static struct schema_context schema_context(const struct config *config, struct arena *arena)
{
	return (struct schema_context){ .arena = arena, .variable = path_variable, .context = (void *)config->release };
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
	struct schema_context context = schema_context(config, config->arena);
	struct error err;
	struct value *normal;
	if (schema_check(&context, setting->schema, setting->value, &normal, &err) != 0)
		report_error(report, &setting->value->origin, "%s.%s: %s", component->name, setting->key, err.message);
	else
		setting->value = normal;
}

static void check_all(const struct config *config, struct report *report)
{
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		for (size_t j = 0; j < component->count; j++)
			check_setting(config, component, &component->settings[j], report);
	}
}

static int apply_runtime(struct config *config, const struct release *release, const struct sys *sys,
			 struct report *report, struct error *err)
{
	if (sys->runtime_config == NULL)
		return 0;
	struct runtime_layer *layer = NULL;
	struct error why;
	int rc = runtime_config_run(config->arena, release, sys, &layer, &why);
	if (rc == -ERROR_INVALID)
		report_line(report, why.message);
	else if (rc != 0)
		return error_set(err, why.code, "%s", why.message);
	for (; layer != NULL; layer = layer->next)
		apply_layer(config, sys, report, layer->component, layer->settings, &layer->origin);
	return 0;
}

int config_load(struct arena *arena, const struct release *release, const struct sys *sys, struct report *report,
		struct config *out, struct error *err)
{
	struct config config = { .arena = arena, .release = release, .count = sys->component_count };
	config.components = arena_array(arena, sys->component_count + 1, sizeof(*config.components));
	for (size_t i = 0; i < sys->component_count; i++)
		declare(arena, &sys->components[i], &config.components[i]);
	apply_sys(&config, sys, report);
	int rc = apply_runtime(&config, release, sys, report, err);
	if (rc != 0)
		return rc;
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

/* ---- changes at run time ---- */

/* A deep copy: what a console gives lives in the console's arena. */
struct value *config_copy_value(struct arena *arena, const struct value *from)
{
	struct value *copy = ARENA_NEW(arena, struct value);
	*copy = *from;
	if (from->origin.file != NULL)
		copy->origin.file = arena_string(arena, from->origin.file);
	copy->text = (struct slice){ 0 };
	if (from->type == VALUE_STRING)
		copy->string.data = arena_copy(arena, from->string);
	if (from->type == VALUE_LIST) {
		copy->list.items = arena_array(arena, from->list.count + 1, sizeof(*copy->list.items));
		for (size_t i = 0; i < from->list.count; i++)
			copy->list.items[i] = config_copy_value(arena, from->list.items[i]);
	}
	if (from->type == VALUE_MAP) {
		copy->map.members = arena_array(arena, from->map.count + 1, sizeof(*copy->map.members));
		for (size_t i = 0; i < from->map.count; i++) {
			const struct member *member = &from->map.members[i];
			copy->map.members[i] = (struct member){
				.key = { arena_copy(arena, member->key), member->key.size },
				.value = config_copy_value(arena, member->value),
			};
		}
	}
	return copy;
}

int config_set(struct config *config, const char *component, const char *key, const struct value *given,
	       struct config_change *change, struct error *err)
{
	const struct config_component *found = config_component(config, component);
	if (found == NULL)
		return error_set(err, ERROR_NOT_FOUND, "unknown component '%s'", component);
	struct setting *setting = find_setting(found, key);
	if (setting == NULL)
		return error_set(err, ERROR_NOT_FOUND, "unknown key '%s' of component '%s'", key, component);
	struct arena own = { 0 };
	struct value *copy = config_copy_value(&own, given);
	struct schema_context context = schema_context(config, &own);
	struct value *normal = NULL;
	int rc = schema_check(&context, setting->schema, copy, &normal, err);
	if (rc != 0) {
		arena_done(&own);
		return error_wrap(err, "%s.%s", component, key);
	}
	*change = (struct config_change){ setting, setting->value, setting->own, setting->is_default };
	setting->value = normal;
	setting->own = own;
	setting->is_default = false;
	return 0;
}

void config_settle(struct config_change *change)
{
	arena_done(&change->old_arena);
}

void config_undo(struct config_change *change)
{
	arena_done(&change->setting->own);
	change->setting->value = change->old_value;
	change->setting->own = change->old_arena;
	change->setting->is_default = change->old_default;
}

/* ---- showing ---- */

static struct value *describe_setting(struct arena *arena, const struct setting *setting)
{
	char position[512];
	struct value *entry = value_map(arena);
	struct value *shown = setting->value;
	if (shown == NULL)
		shown = value_null(arena);
	else if (schema_is_secret(setting->schema))
		shown = value_string(arena, SLICE(CONFIG_MASK));
	value_map_add(arena, entry, SLICE("value"), shown);
	const struct origin *origin = setting->value != NULL ? &setting->value->origin : &setting->schema->origin;
	const char *text = origin->file != NULL ? origin_text(origin, position, sizeof(position)) : "unknown";
	value_map_add(arena, entry, SLICE("origin"), value_string(arena, slice_of(text)));
	value_map_add(arena, entry, SLICE("default"), value_bool(arena, setting->is_default));
	return entry;
}

struct value *config_describe(const struct config *config, struct arena *arena)
{
	struct value *all = value_map(arena);
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		struct value *map = value_map(arena);
		for (size_t j = 0; j < component->count; j++)
			value_map_add(arena, map, slice_of(component->settings[j].key),
				      describe_setting(arena, &component->settings[j]));
		value_map_add(arena, all, slice_of(component->name), map);
	}
	return all;
}
