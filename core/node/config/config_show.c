/* SPDX-License-Identifier: MIT */
/* A configuration as people and programs see it: `bin/NAME config`, and what differs between two. */
#include "node/config/config.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/term.h"
#include "node/config/schema_parts.h"

enum { ORIGIN_COLUMN = 48 };

/* ---- showing ---- */

static const struct origin *origin_of(const struct setting *setting)
{
	return setting->value != NULL ? &setting->value->origin : &setting->schema->origin;
}

static struct value *shown_value(struct arena *arena, const struct setting *setting, bool secrets)
{
	if (secrets && setting->value != NULL)
		return setting->value;
	return schema_masked(arena, setting->schema, setting->value);
}

static struct value *shown_origin(struct arena *arena, const struct setting *setting)
{
	char position[512];
	const struct origin *origin = origin_of(setting);
	const char *text = origin->file != NULL ? origin_text(origin, position, sizeof(position)) : "unknown";
	return value_string(arena, slice_of(text));
}

static struct value *describe_setting(struct arena *arena, const struct setting *setting, bool secrets)
{
	struct value *entry = value_map(arena);
	value_map_add(arena, entry, SLICE("value"), shown_value(arena, setting, secrets));
	value_map_add(arena, entry, SLICE("origin"), shown_origin(arena, setting));
	value_map_add(arena, entry, SLICE("default"), value_bool(arena, setting->is_default));
	return entry;
}

static struct value *describe(const struct config *config, struct arena *arena, bool secrets)
{
	struct value *all = value_map(arena);
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		struct value *map = value_map(arena);
		for (size_t j = 0; j < component->count; j++)
			value_map_add(arena, map, slice_of(component->settings[j].key),
				      describe_setting(arena, &component->settings[j], secrets));
		value_map_add(arena, all, slice_of(component->name), map);
	}
	return all;
}

struct value *config_describe(const struct config *config, struct arena *arena)
{
	return describe(config, arena, false);
}

struct value *config_disclose(const struct config *config, struct arena *arena)
{
	return describe(config, arena, true);
}

/* ---- everything, or one setting ---- */

static void write_value(struct buf *out, const struct setting *setting)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	json_write(out, shown_value(&arena, setting, false), 0);
}

static void write_line(struct buf *out, const char *component, const struct setting *setting)
{
	char position[512];
	size_t before = out->size;
	buf_printf(out, "%s.%s = ", component, setting->key);
	write_value(out, setting);
	const struct origin *origin = origin_of(setting);
	int gap = ORIGIN_COLUMN - (int)(out->size - before);
	buf_printf(out, "%*s  # %s%s\n", gap > 0 ? gap : 0, "",
		   origin->file != NULL ? origin_text(origin, position, sizeof(position)) : "unknown",
		   setting->is_default ? " (default)" : "");
}

void config_show(const struct config *config, bool json, struct buf *out)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	if (json) {
		json_write(out, config_describe(config, &arena), 2);
		buf_append_char(out, '\n');
		return;
	}
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		for (size_t j = 0; j < component->count; j++)
			write_line(out, component->name, &component->settings[j]);
	}
}

static int no_setting(struct arena *arena, const struct config *config, const char *path, struct error *err)
{
	size_t count = 0;
	for (size_t i = 0; i < config->count; i++)
		count += config->components[i].count;
	const char **names = arena_array(arena, count + 1, sizeof(*names));
	count = 0;
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		for (size_t j = 0; j < component->count; j++)
			names[count++] = arena_printf(arena, "%s.%s", component->name, component->settings[j].key);
	}
	const char *near = term_suggest(path, names, count);
	if (near != NULL)
		return error_set(err, ERROR_NOT_FOUND, "there is no setting '%s' (did you mean '%s'?)", path, near);
	return error_set(err, ERROR_NOT_FOUND, "there is no setting '%s'; expected COMPONENT.KEY", path);
}

int config_show_one(const struct config *config, const char *path, bool json, struct buf *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct slice component;
	struct slice key;
	slice_split(slice_of(path), '.', &component, &key);
	const struct setting *setting = config_setting(config, arena_copy(&arena, component), arena_copy(&arena, key));
	if (setting == NULL)
		return no_setting(&arena, config, path, err);
	bool plain = !json && setting->value != NULL && setting->value->type == VALUE_STRING &&
		     !schema_is_secret(setting->schema);
	if (plain)
		buf_append_slice(out, setting->value->string);
	else
		write_value(out, setting);
	buf_append_char(out, '\n');
	return 0;
}

/* ---- what differs ---- */

struct difference {
	const char *component;
	const char *key;
	const struct setting *running; /* NULL: the running node does not know it */
	const struct value *next;      /* {value, origin}; NULL: the next boot does not know it */
};

static bool is_null(const struct value *value)
{
	return value == NULL || value->type == VALUE_NULL;
}

static bool differs(const struct difference *it)
{
	const struct value *now = it->running != NULL ? it->running->value : NULL;
	const struct value *next = value_get(it->next, "value");
	if (is_null(now) || is_null(next))
		return is_null(now) != is_null(next);
	return !value_equal(now, next);
}

/* What the running node does not know, it cannot tell from a secret. */
static struct value *masked(struct arena *arena, const struct difference *it, struct value *value)
{
	if (it->running == NULL && !is_null(value))
		return value_string(arena, SLICE(SCHEMA_MASK));
	return it->running == NULL ? value : schema_masked(arena, it->running->schema, value);
}

static struct value *next_side(struct arena *arena, const struct difference *it)
{
	if (it->next == NULL)
		return value_null(arena);
	struct value *side = value_map(arena);
	value_map_add(arena, side, SLICE("value"), masked(arena, it, value_get(it->next, "value")));
	value_map_add(arena, side, SLICE("origin"), value_get(it->next, "origin"));
	return side;
}

static struct value *running_side(struct arena *arena, const struct difference *it)
{
	if (it->running == NULL)
		return value_null(arena);
	struct value *side = value_map(arena);
	value_map_add(arena, side, SLICE("value"), shown_value(arena, it->running, false));
	value_map_add(arena, side, SLICE("origin"), shown_origin(arena, it->running));
	return side;
}

static void add_difference(struct arena *arena, struct value *all, const struct difference *it)
{
	if (!differs(it))
		return;
	struct value *component = value_get(all, it->component);
	if (component == NULL) {
		component = value_map(arena);
		value_map_add(arena, all, slice_of(it->component), component);
	}
	struct value *entry = value_map(arena);
	value_map_add(arena, entry, SLICE("running"), running_side(arena, it));
	value_map_add(arena, entry, SLICE("next"), next_side(arena, it));
	bool live = it->running != NULL && it->next != NULL && schema_is_live(it->running->schema);
	value_map_add(arena, entry, SLICE("needs_restart"), value_bool(arena, !live));
	value_map_add(arena, component, slice_of(it->key), entry);
}

struct value *config_diff(const struct config *running, const struct value *next, struct arena *arena)
{
	struct value *all = value_map(arena);
	for (size_t i = 0; i < running->count; i++) {
		const struct config_component *component = &running->components[i];
		const struct value *other = value_get(next, component->name);
		for (size_t j = 0; j < component->count; j++) {
			const struct setting *setting = &component->settings[j];
			add_difference(arena, all,
				       &(struct difference){ component->name, setting->key, setting,
							     value_get(other, setting->key) });
		}
	}
	for (size_t i = 0; next->type == VALUE_MAP && i < next->map.count; i++) {
		const struct member *component = &next->map.members[i];
		for (size_t j = 0; component->value->type == VALUE_MAP && j < component->value->map.count; j++) {
			const struct member *setting = &component->value->map.members[j];
			if (config_setting(running, component->key.data, setting->key.data) == NULL)
				add_difference(arena, all,
					       &(struct difference){ component->key.data, setting->key.data, NULL,
								     setting->value });
		}
	}
	return all;
}

static void write_difference(struct buf *out, const char *component, const struct member *setting)
{
	const struct value *next = value_get(setting->value, "next");
	buf_printf(out, "%s.%s: ", component, setting->key.data);
	const struct value *now = value_path(setting->value, "running.value");
	const struct value *then = value_get(next, "value");
	if (now != NULL)
		json_write(out, now, 0);
	else
		buf_append_string(out, "(none)");
	buf_append_string(out, " -> ");
	if (then != NULL)
		json_write(out, then, 0);
	else
		buf_append_string(out, "(none)");
	buf_printf(out, "  # %s, %s\n", value_text(value_get(next, "origin"), "gone"),
		   value_get(setting->value, "needs_restart")->boolean ? "needs a restart"
								       : "can change while it runs");
}

void config_show_diff(const struct value *diff, bool json, struct buf *out)
{
	if (json) {
		json_write(out, diff, 2);
		buf_append_char(out, '\n');
		return;
	}
	for (size_t i = 0; i < diff->map.count; i++) {
		const struct member *component = &diff->map.members[i];
		for (size_t j = 0; j < component->value->map.count; j++)
			write_difference(out, component->key.data, &component->value->map.members[j]);
	}
	if (diff->map.count == 0)
		buf_append_string(out, "no difference\n");
}
