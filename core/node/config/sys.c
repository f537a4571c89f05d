/* SPDX-License-Identifier: MIT */
#include "node/config/sys.h"

#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { SYS_FORMAT = 1 };

static const char *const mode_names[] = { "none", "load", "temporary", "transient", "permanent" };
_Static_assert(ARRAY_LEN(mode_names) == MODE_COUNT, "a name for each mode");

const char *component_mode_name(enum component_mode mode)
{
	return mode_names[mode];
}

static int wrong(struct error *err, const struct value *where, const char *what)
{
	char position[512];
	return error_set(err, ERROR_INVALID, "%s: error: %s; build the release again",
			 where != NULL ? origin_text(&where->origin, position, sizeof(position)) : "sys.yaml", what);
}

static int read_mode(const struct value *value, enum component_mode *mode, struct error *err)
{
	const char *word = value_text(value, "permanent");
	for (size_t i = 0; i < MODE_COUNT; i++) {
		if (strcmp(mode_names[i], word) == 0) {
			*mode = (enum component_mode)i;
			return 0;
		}
	}
	return wrong(err, value, "unknown component mode");
}

static int read_strings(struct arena *arena, const struct value *list, const char ***out, size_t *count,
			struct error *err)
{
	size_t items = list != NULL && list->type == VALUE_LIST ? list->list.count : 0;
	const char **strings = arena_array(arena, items + 1, sizeof(*strings));
	for (size_t i = 0; i < items; i++) {
		strings[i] = value_text(list->list.items[i], NULL);
		if (strings[i] == NULL)
			return wrong(err, list, "expected a list of names");
	}
	*out = strings;
	*count = items;
	return 0;
}

/* component.yaml beside the library */
static int read_component_yaml(struct arena *arena, const struct release *release, struct sys_component *component,
			       struct error *err)
{
	const char *path = path_join(arena, component->dir, "component.yaml");
	component->yaml = release_shown(release, path);
	struct value *yaml = NULL;
	int rc = yaml_read(arena, path, component->yaml, &YAML_LIMITS_DEFAULT, &yaml, err);
	if (rc != 0)
		return error_wrap(err, "component '%s'", component->name);
	const char *file = value_text(value_get(yaml, "library"), NULL);
	if (file == NULL)
		file = arena_printf(arena, "%s.so", component->name);
	component->library = path_join(arena, component->dir, path_base(file));
	component->schema = value_get(yaml, "config");
	return read_strings(arena, value_get(yaml, "dependencies"), &component->requires, &component->require_count,
			    err);
}

static int read_component(struct arena *arena, const struct release *release, const struct value *entry,
			  struct sys_component *out, struct error *err)
{
	struct sys_component component = {
		.name = value_text(value_get(entry, "name"), ""),
		.version = value_text(value_get(entry, "version"), ""),
	};
	if (!text_is_name(slice_of(component.name)) || !text_is_version(slice_of(component.version)))
		return wrong(err, entry, "a component needs a name and a version");
	int rc = read_mode(value_get(entry, "mode"), &component.mode, err);
	if (rc != 0)
		return rc;
	component.dir = arena_printf(arena, "%s/lib/%s-%s", release->root, component.name, component.version);
	rc = read_component_yaml(arena, release, &component, err);
	if (rc == 0)
		*out = component;
	return rc;
}

/* A dependency starts before: it must stand earlier in the list. */
static int check_order(const struct sys *sys, struct error *err)
{
	for (size_t i = 0; i < sys->component_count; i++) {
		const struct sys_component *component = &sys->components[i];
		for (size_t j = 0; j < component->require_count; j++) {
			const struct sys_component *required = sys_component(sys, component->requires[j]);
			if (required == NULL || required >= component)
				return error_set(
					err, ERROR_INVALID,
					"component '%s' depends on '%s', which sys.yaml does not list before it; "
					"build the release again",
					component->name, component->requires[j]);
		}
	}
	return 0;
}

static int read_components(struct arena *arena, const struct release *release, const struct value *list,
			   struct sys *sys, struct error *err)
{
	if (list == NULL || list->type != VALUE_LIST)
		return wrong(err, list, "'components' must be a list");
	sys->components = arena_array(arena, list->list.count + 1, sizeof(*sys->components));
	for (size_t i = 0; i < list->list.count; i++) {
		struct sys_component component;
		int rc = read_component(arena, release, list->list.items[i], &component, err);
		if (rc != 0)
			return rc;
		if (sys_component(sys, component.name) != NULL)
			return wrong(err, list->list.items[i], "a component is listed twice");
		sys->components[sys->component_count++] = component;
	}
	return check_order(sys, err);
}

struct origin sys_origin(struct arena *arena, const char *text)
{
	struct origin origin = { 0 };
	char *file = arena_string(arena, text);
	uint32_t numbers[2] = { 0, 0 };
	size_t found = 0;
	for (char *colon; found < 2 && (colon = strrchr(file, ':')) != NULL; found++) {
		int64_t number;
		if (!slice_to_int64(slice_of(colon + 1), &number) || number < 0 || number > UINT32_MAX)
			break;
		*colon = '\0';
		numbers[1] = numbers[0];
		numbers[0] = (uint32_t)number;
	}
	origin.file = file;
	origin.line = numbers[0];
	origin.column = numbers[1];
	return origin;
}

static void set_origin(struct value *value, struct origin origin)
{
	value->origin = origin;
	for (size_t i = 0; value->type == VALUE_LIST && i < value->list.count; i++)
		set_origin(value->list.items[i], origin);
	for (size_t i = 0; value->type == VALUE_MAP && i < value->map.count; i++)
		set_origin(value->map.members[i].value, origin);
}

/* Origins come in the order of the settings: looking behind the last find makes a big map cheap. */
static struct value *find_setting(const struct value *settings, struct slice key, size_t *hint)
{
	size_t count = settings != NULL && settings->type == VALUE_MAP ? settings->map.count : 0;
	for (size_t i = 0; i < count; i++) {
		const struct member *member = &settings->map.members[(*hint + i) % count];
		if (slice_equal(member->key, key)) {
			*hint = (*hint + i + 1) % count;
			return member->value;
		}
	}
	return NULL;
}

/* The tree was just read and is nobody else's yet, so its origins may be put right in place. */
static void apply_origins(struct arena *arena, const struct value *config, const struct value *origins)
{
	const struct value *settings = NULL;
	struct slice component = { 0 };
	size_t hint = 0;
	for (size_t i = 0; origins != NULL && origins->type == VALUE_MAP && i < origins->map.count; i++) {
		const struct member *member = &origins->map.members[i];
		struct slice name;
		struct slice key;
		slice_split(member->key, '.', &name, &key);
		if (!slice_equal(name, component)) {
			component = name;
			settings = value_get(config, arena_copy(arena, name));
			hint = 0;
		}
		struct value *value = find_setting(settings, key, &hint);
		if (value == NULL)
			value = value_path(settings, arena_copy(arena, key));
		const char *text = value_text(member->value, NULL);
		if (value != NULL && text != NULL)
			set_origin(value, sys_origin(arena, text));
	}
}

static int check_head(const struct value *yaml, struct error *err)
{
	const struct value *format = value_get(yaml, "format");
	if (format == NULL || format->type != VALUE_INT)
		return wrong(err, yaml, "'format' is missing");
	if (format->integer != SYS_FORMAT)
		return error_set(err, ERROR_UNSUPPORTED, "sys.yaml has format %lld, this runtime reads format %d",
				 (long long)format->integer, SYS_FORMAT);
	const struct value *providers = value_get(yaml, "config_providers");
	if (providers != NULL && providers->type != VALUE_LIST)
		return wrong(err, providers, "'config_providers' must be a list");
	return 0;
}

static void read_runtime_config(struct arena *arena, const struct release *release, const struct value *yaml,
				struct sys *sys)
{
	const char *file = value_text(value_get(yaml, "runtime_config"), NULL);
	if (file == NULL)
		return;
	sys->runtime_config = path_join(arena, path_dir(arena, release->sys_config), file);
	sys->runtime_shown = value_text(value_get(yaml, "runtime_config_source"), "rel/runtime.lua");
}

int sys_load(struct arena *arena, const struct release *release, struct sys *out, struct error *err)
{
	struct value *yaml = NULL;
	int rc = yaml_read(arena, release->sys_config, release_shown(release, release->sys_config),
			   &YAML_LIMITS_DEFAULT, &yaml, err);
	if (rc == 0)
		rc = check_head(yaml, err);
	if (rc != 0)
		return rc;
	struct sys sys = {
		.release_name = value_text(value_path(yaml, "release.name"), release->name),
		.release_version = value_text(value_path(yaml, "release.version"), release->version),
		.config = value_get(yaml, "config"),
		.providers = value_get(yaml, "config_providers"),
	};
	read_runtime_config(arena, release, yaml, &sys);
	rc = read_strings(arena, value_get(yaml, "project_components"), &sys.project_components,
			  &sys.project_component_count, err);
	if (rc == 0)
		rc = read_components(arena, release, value_get(yaml, "components"), &sys, err);
	if (rc != 0)
		return rc;
	apply_origins(arena, value_get(yaml, "config"), value_get(yaml, "origins"));
	*out = sys;
	return 0;
}

const struct sys_component *sys_component(const struct sys *sys, const char *name)
{
	for (size_t i = 0; i < sys->component_count; i++) {
		if (strcmp(sys->components[i].name, name) == 0)
			return &sys->components[i];
	}
	return NULL;
}

bool sys_project_has(const struct sys *sys, const char *name)
{
	for (size_t i = 0; i < sys->project_component_count; i++) {
		if (strcmp(sys->project_components[i], name) == 0)
			return true;
	}
	return sys_component(sys, name) != NULL;
}
