/* SPDX-License-Identifier: MIT */
#include "spec/settings.h"

#include "base/text.h"
#include "base/yaml.h"

static const struct setting *find_setting(const struct part *part, struct slice key)
{
	for (size_t i = 0; i < part->setting_count; i++)
		if (slice_is(key, part->settings[i].key))
			return &part->settings[i];
	return NULL;
}

static void unknown_setting(const struct reader *reader, const struct part *part, const struct member *member)
{
	const char **names = arena_array(reader->arena, part->setting_count, sizeof(char *));
	for (size_t i = 0; i < part->setting_count; i++)
		names[i] = part->settings[i].key;
	const char *key = reader_printable(reader, member->key);
	const char *hint = reader_suggest(reader, key, names, part->setting_count);
	if (part->setting_count == 0)
		hint = ", which declares no settings";
	else if (*hint == '\0')
		hint = arena_printf(reader->arena, "; it declares %s", reader_join(reader, names, part->setting_count));
	reader_mistake(reader, &member->origin, "unknown setting '%s' of component '%s'%s", key, part->component.name,
		       hint);
}

static void check_component(const struct reader *reader, const struct part *part, const struct member *member)
{
	const struct value *settings = member->value;
	/* an unsound component.yaml has its own mistakes: more about its settings would only hide them */
	if (!part->sound || settings->type == VALUE_NULL)
		return;
	if (settings->type != VALUE_MAP) {
		reader_mistake(reader, &settings->origin, "the settings of component '%s' must be a map, not %s",
			       part->component.name, reader_describe(reader, settings));
		return;
	}
	for (size_t i = 0; i < settings->map.count; i++) {
		const struct member *item = &settings->map.members[i];
		const struct setting *setting = find_setting(part, item->key);
		if (setting)
			schema_check(reader, part->component.name, setting, item->value);
		else
			unknown_setting(reader, part, item);
	}
}

void settings_check(const struct reader *reader, const struct project *project, const struct value *config)
{
	for (size_t i = 0; config && i < config->map.count; i++) {
		const struct member *member = &config->map.members[i];
		const struct part *part = project_part(project, member->key);
		if (part)
			check_component(reader, part, member);
		else
			project_unknown(reader, project, &member->origin, member->key);
	}
}

static void set_origin(struct value *value, const struct origin *origin)
{
	value->origin = *origin;
	if (value->type == VALUE_LIST)
		for (size_t i = 0; i < value->list.count; i++)
			set_origin(value->list.items[i], origin);
	if (value->type != VALUE_MAP)
		return;
	for (size_t i = 0; i < value->map.count; i++) {
		value->map.members[i].origin = *origin;
		set_origin(value->map.members[i].value, origin);
	}
}

/* {a: {b: value}} from "a.b". */
static struct value *nest(struct arena *arena, struct slice dotted, struct value *value)
{
	struct slice key, rest;
	struct value *map = value_map(arena);
	bool deeper = slice_split(dotted, '.', &key, &rest);
	value_map_add(arena, map, key, deeper ? nest(arena, rest, value) : value);
	set_origin(map, &value->origin);
	return map;
}

static bool is_dotted_path(struct slice path)
{
	struct slice key;
	size_t keys = 0;
	for (bool more = true; more; keys++) {
		more = slice_split(path, '.', &key, &path);
		if (key.size == 0)
			return false;
	}
	return keys >= 2;
}

static struct value *parse_set(const struct reader *reader, struct slice path, struct slice text)
{
	const struct origin origin = { .file = arena_printf(reader->arena, "--set %.*s", SLICE_FMT(path)) };
	struct value *value;
	struct error err;
	if (yaml_parse(reader->arena, text, origin.file, &YAML_LIMITS_DEFAULT, &value, &err) != 0) {
		const char *cause = strstr(err.message, " error: ");
		reader_mistake(reader, &origin, "the value is no YAML: %s", cause ? cause + 8 : err.message);
		return NULL;
	}
	set_origin(value, &origin);
	return nest(reader->arena, path, value);
}

int settings_from_options(const struct reader *reader, const char *const *sets, size_t count, struct value **out,
			  struct error *err)
{
	struct value *merged = NULL;
	for (size_t i = 0; i < count; i++) {
		struct slice path, text;
		if (!slice_split(slice_of(sets[i]), '=', &path, &text) || !is_dotted_path(path))
			return error_set(err, ERROR_USAGE, "--set needs component.key=value, not '%s'", sets[i]);
		struct value *set = parse_set(reader, path, text);
		if (set)
			merged = merged ? value_merge(reader->arena, merged, set) : set;
	}
	*out = merged;
	return 0;
}
