/* SPDX-License-Identifier: MIT */
#include "node/config/providers.h"

#include "base/path.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "node/config/config.h"
#include "node/config/runtime_config.h"
#include "node/config/schema.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_FILES_MAX = 10000 };

void provider_failed(const struct provider_run *run, const char *format, ...)
{
	char message[ERROR_MESSAGE_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	report_error(run->report, &run->origin, "config provider '%.*s': %s", SLICE_FMT(run->entry->map.members[0].key),
		     message);
}

const char *provider_path(struct provider_run *run, const char *text)
{
	SCOPE(buf_done) struct buf path = { 0 };
	struct error err;
	const struct schema_context context = {
		.arena = run->arena,
		.variable = config_variable,
		.context = (void *)run->release,
	};
	if (schema_expand(&context, slice_of(text), &path, &err) != 0) {
		provider_failed(run, "%s", err.message);
		return NULL;
	}
	return path_absolute(run->arena, run->release->root, buf_string(&path));
}

static bool is_optional(const struct provider_run *run)
{
	const struct value *flag = value_get(run->entry, "optional");
	return flag != NULL && flag->type == VALUE_BOOL && flag->boolean;
}

void provider_take_document(struct provider_run *run, struct value *document)
{
	if (document->type == VALUE_NULL)
		return;
	if (document->type != VALUE_MAP) {
		report_error(run->report, &document->origin, "expected a map of components and their settings, got %s",
			     value_type_name(document->type));
		return;
	}
	for (size_t i = 0; i < document->map.count; i++) {
		const struct member *member = &document->map.members[i];
		config_layers_add(run->arena, run->layers, member->key.data, member->value, &member->origin);
	}
}

/* ---- texts: environment variables and credentials ---- */

static bool is_verbatim(const char *type)
{
	static const char *const types[] = { "string", "path", "enum", "node", "range" };
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

/* What is no YAML stays a text: the check of its type says what was expected, and shows no secret. */
static struct value *parse_text(struct provider_run *run, const struct value *schema, struct slice text,
				const char *origin)
{
	struct value *value = NULL;
	bool verbatim = schema == NULL || is_verbatim(value_text(value_get(schema, "type"), "string"));
	if (verbatim || yaml_parse(run->arena, text, origin, &YAML_LIMITS_DEFAULT, &value, NULL) != 0)
		value = value_string(run->arena, text);
	return value;
}

void provider_take_text(struct provider_run *run, struct slice component, struct slice dotted, struct slice text,
			const char *shown)
{
	const struct origin origin = { .file = shown };
	char *name = arena_copy(run->arena, component);
	const struct sys_component *known = sys_component(run->sys, name);
	struct slice key;
	struct slice rest;
	bool inside = slice_split(dotted, '.', &key, &rest);
	const struct member *declared = known != NULL ? value_member(known->schema, key) : NULL;
	struct value *value = parse_text(run, declared != NULL ? declared->value : NULL, text, shown);
	while (inside) { /* the innermost part of the path first */
		size_t dot = dotted.size;
		while (dotted.data[dot - 1] != '.')
			dot--;
		struct value *map = value_map(run->arena);
		value_map_add(run->arena, map, (struct slice){ dotted.data + dot, dotted.size - dot }, value);
		value = map;
		dotted.size = dot - 1;
		inside = memchr(dotted.data, '.', dotted.size) != NULL;
	}
	struct value *settings = value_map(run->arena);
	value_map_add(run->arena, settings, dotted, value);
	config_stamp(settings, &origin, false);
	config_layers_add(run->arena, run->layers, name, settings, &origin);
}

/* ---- files ---- */

/* May be missing and is. What is there and cannot be reached is a mistake also where it is optional. */
static bool may_skip(const struct provider_run *run, const char *path)
{
	struct stat st;
	return is_optional(run) && stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* A pipe that nobody writes to would hold the boot up for ever. */
static bool is_no_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static void take_file(struct provider_run *run, const char *path)
{
	if (is_no_file(path)) {
		provider_failed(run, "'%s' is no regular file", path);
		return;
	}
	struct value *document = NULL;
	struct error err;
	const char *shown = release_shown(run->release, path);
	int rc = yaml_read(run->arena, path, shown, &YAML_LIMITS_DEFAULT, &document, &err);
	if (rc == 0)
		provider_take_document(run, document);
	else if (rc == -ERROR_INVALID)
		report_line(run->report, err.message); /* has its own position */
	else
		provider_failed(run, "%s", err.message);
}

static void provider_yaml(struct provider_run *run)
{
	const char *path = provider_path(run, value_text(value_get(run->entry, "yaml"), ""));
	if (path != NULL && !may_skip(run, path))
		take_file(run, path);
}

static bool is_yaml(const struct dirent *entry)
{
	struct slice name = slice_of(entry->d_name);
	return name.data[0] != '.' && (slice_ends(name, SLICE(".yaml")) || slice_ends(name, SLICE(".yml")));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t list_folder(struct provider_run *run, DIR *dir, const char *path, const char **files)
{
	size_t count = 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL && count < FOLDER_FILES_MAX;) {
		if (is_yaml(entry))
			files[count++] = path_join(run->arena, path, entry->d_name);
	}
	qsort(files, count, sizeof(*files), by_name);
	return count;
}

static void provider_dir(struct provider_run *run)
{
	const char *path = provider_path(run, value_text(value_get(run->entry, "dir"), ""));
	if (path == NULL)
		return;
	DIR *dir = opendir(path);
	if (dir == NULL) {
		if (errno != ENOENT || !is_optional(run))
			provider_failed(run, "cannot read the folder '%s': %s", path, strerror(errno));
		return;
	}
	const char **files = arena_array(run->arena, FOLDER_FILES_MAX, sizeof(*files));
	size_t count = list_folder(run, dir, path, files);
	closedir(dir);
	if (count == FOLDER_FILES_MAX)
		provider_failed(run, "the folder '%s' holds %d files or more", path, FOLDER_FILES_MAX);
	for (size_t i = 0; i < count && count < FOLDER_FILES_MAX; i++)
		take_file(run, files[i]);
}

static void provider_lua(struct provider_run *run)
{
	const char *path = provider_path(run, value_text(value_get(run->entry, "lua"), ""));
	struct error err;
	if (path == NULL || may_skip(run, path))
		return;
	if (is_no_file(path)) {
		provider_failed(run, "'%s' is no regular file", path);
		return;
	}
	int rc = runtime_config_run(run->arena, run->release, run->sys, path, release_shown(run->release, path),
				    run->layers, &err);
	if (rc == -ERROR_INVALID)
		report_line(run->report, err.message);
	else if (rc != 0)
		provider_failed(run, "%s", err.message);
}

static const struct {
	const char *name;
	void (*run)(struct provider_run *run);
} kinds[] = {
	{ "yaml", provider_yaml }, { "dir", provider_dir },
	{ "env", provider_env },   { "credentials", provider_credentials },
	{ "exec", provider_exec }, { "lua", provider_lua },
};

/* kvrel has checked the list: what is wrong here was written by hand or by a newer kvrel. */
static void run_one(struct provider_run *run)
{
	const struct value *kind = run->entry->map.members[0].value;
	bool off = kind->type == VALUE_BOOL && !kind->boolean;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!slice_is(run->entry->map.members[0].key, kinds[i].name))
			continue;
		if (!off)
			kinds[i].run(run);
		return;
	}
	provider_failed(run, "this runtime does not know it; build the release again");
}

void providers_run(struct provider_run *run)
{
	const struct value *list = run->sys->providers;
	for (size_t i = 0; list != NULL && i < list->list.count; i++) {
		run->entry = list->list.items[i];
		run->origin = run->entry->origin;
		const char *origin = value_text(value_get(run->entry, "origin"), NULL);
		if (origin != NULL)
			run->origin = sys_origin(run->arena, origin);
		if (run->entry->type == VALUE_MAP && run->entry->map.count > 0)
			run_one(run);
		else
			report_error(run->report, &run->origin, "expected a config provider like {yaml: FILE}");
	}
}
