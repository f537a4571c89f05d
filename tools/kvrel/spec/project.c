/* SPDX-License-Identifier: MIT */
#include "spec/project.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COMPONENT_FILE "component.yaml"

/* Room for a thousand releases of two hundred components, and a bound on what a hostile file can make us hold. */
enum { YAML_BYTES_MAX = 16 << 20, YAML_DEPTH_MAX = 64 };

/* "NAME:12:7: error: text" or "NAME: error: text" back into its parts: the reader of YAML stops at its first mistake
 * and knows only text. */
static const char *split_position(const char *message, const char *name, struct origin *origin)
{
	size_t size = strlen(name);
	if (strncmp(message, name, size) != 0 || message[size] != ':')
		return message;
	const char *text = message + size + 1;
	unsigned line, column;
	int used = 0;
	if (sscanf(text, "%u:%u:%n", &line, &column, &used) == 2 && used > 0) {
		origin->line = line;
		origin->column = column;
		text += used;
	}
	if (strncmp(text, " error: ", 8) == 0)
		return text + 8;
	return text + (*text == ' ');
}

static void hear_mistake(void *context, const struct origin *at, const char *message)
{
	const struct reader *reader = context;
	diagnostics_unreadable(reader->diagnostics, at, message);
}

static struct yaml_limits limits(const struct reader *reader)
{
	return (struct yaml_limits){ .size_bytes = YAML_BYTES_MAX,
				     .depth = YAML_DEPTH_MAX,
				     .mistake = hear_mistake,
				     .context = (void *)reader };
}

static const struct value *yaml_result(const struct reader *reader, const char *name, int result,
				       const struct value *value, const struct error *err)
{
	struct origin origin = { .file = name };
	if (result == 0)
		return value;
	const char *text = split_position(err->message, name, &origin);
	reader_mistake(reader, &origin, "%s", text);
	return NULL;
}

const struct value *reader_parse(const struct reader *reader, struct slice text, const char *name)
{
	const struct yaml_limits bounds = limits(reader);
	struct value *value = NULL;
	struct error err;
	int result = yaml_parse(reader->arena, text, name, &bounds, &value, &err);
	return yaml_result(reader, name, result, value, &err);
}

const struct value *reader_parse_file(const struct reader *reader, const char *path, const char *name)
{
	const struct yaml_limits bounds = limits(reader);
	struct value *value = NULL;
	struct error err;
	int result = yaml_read(reader->arena, path, name, &bounds, &value, &err);
	return yaml_result(reader, name, result, value, &err);
}

struct finder {
	const struct reader *reader;
	const char *build_dir;
	struct part *parts;
	size_t count, capacity;
};

static struct part *add_part(struct finder *finder)
{
	if (finder->count == finder->capacity) {
		size_t capacity = finder->capacity ? 2 * finder->capacity : 16;
		struct part *grown = arena_array(finder->reader->arena, capacity, sizeof(*grown));
		if (finder->count)
			memcpy(grown, finder->parts, finder->count * sizeof(*grown));
		finder->parts = grown;
		finder->capacity = capacity;
	}
	return &finder->parts[finder->count++];
}

static void read_folder(struct finder *finder, const char *dir)
{
	struct arena *arena = finder->reader->arena;
	const char *file = path_join(arena, dir, COMPONENT_FILE);
	const char *shown = path_relative(arena, finder->reader->project_dir, file);
	for (size_t i = 0; i < finder->count; i++)
		if (strcmp(finder->parts[i].component.file, file) == 0)
			return;
	struct part part = { 0 };
	const struct value *document = reader_parse_file(finder->reader, file, shown);
	if (!document || !part_read(finder->reader, document, dir, &part))
		part = (struct part){ .component = { .name = path_base(dir), .dir = dir } };
	part.component.file = file;
	if (!part.component.origin.file)
		part.component.origin = (struct origin){ .file = shown };
	part_find_library(arena, finder->reader->project_dir, finder->build_dir, &part);
	*add_part(finder) = part;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool has_component(struct arena *arena, const char *dir)
{
	return fs_exists(path_join(arena, dir, COMPONENT_FILE));
}

/* `folder` itself, else its direct sub-folders, in byte order. */
static int search_folder(struct finder *finder, const char *folder)
{
	struct arena *arena = finder->reader->arena;
	if (has_component(arena, folder))
		read_folder(finder, folder);
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, not_hidden, NULL);
	if (count < 0)
		return -errno;
	const char **dirs = arena_array(arena, (size_t)count, sizeof(char *));
	for (int i = 0; i < count; i++) {
		dirs[i] = path_join(arena, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	for (int i = 0; i < count; i++)
		if (has_component(arena, dirs[i]))
			read_folder(finder, dirs[i]);
	return 0;
}

static void search_listed(struct finder *finder, const struct value *folder)
{
	const struct reader *reader = finder->reader;
	struct error err;
	if (folder->type != VALUE_STRING || folder->string.size == 0) {
		reader_mistake(reader, &folder->origin, "'components' %s must be a list of folders, not %s",
			       reader->where, reader_describe(reader, folder));
		return;
	}
	const char *path = path_absolute(reader->arena, reader->project_dir, folder->string.data);
	int result = search_folder(finder, path);
	if (result == 0)
		return;
	error_system(&err, -result, "cannot search the folder '%s' for components", folder->string.data);
	reader_mistake(reader, &folder->origin, "%s", err.message);
}

static int compare_parts(const void *left, const void *right)
{
	const struct part *a = left, *b = right;
	int order = strcmp(a->component.name, b->component.name);
	return order ? order : strcmp(a->component.file, b->component.file);
}

static void report_twins(const struct reader *reader, const struct project *project)
{
	for (size_t i = 1; i < project->count; i++) {
		const struct spec_component *first = &project->parts[i - 1].component,
					    *second = &project->parts[i].component;
		if (strcmp(first->name, second->name) == 0)
			reader_mistake(reader, &second->origin, "component '%s' is declared twice, also in %s",
				       second->name, path_relative(reader->arena, reader->project_dir, first->file));
	}
}

void project_find(const struct reader *reader, const struct value *folders, const char *build_dir, struct project *out)
{
	struct finder finder = { .reader = reader, .build_dir = build_dir };
	if (folders)
		for (size_t i = 0; i < folders->list.count; i++)
			search_listed(&finder, folders->list.items[i]);
	else /* the default folder may be missing */
		search_folder(&finder, path_join(reader->arena, reader->project_dir, "core"));
	if (finder.count)
		qsort(finder.parts, finder.count, sizeof(*finder.parts), compare_parts);
	*out = (struct project){ .parts = finder.parts, .count = finder.count };
	out->names = arena_array(reader->arena, out->count, sizeof(char *));
	out->components = arena_array(reader->arena, out->count, sizeof(*out->components));
	for (size_t i = 0; i < out->count; i++) {
		out->components[i] = out->parts[i].component;
		out->names[i] = out->parts[i].component.name;
	}
	report_twins(reader, out);
	project_bind(reader, out);
}

static int compare_name(const void *key, const void *item)
{
	return slice_compare(*(const struct slice *)key, slice_of(((const struct part *)item)->component.name));
}

struct part *project_part(const struct project *project, struct slice name)
{
	if (project->count == 0)
		return NULL;
	return bsearch(&name, project->parts, project->count, sizeof(*project->parts), compare_name);
}

void project_unknown(const struct reader *reader, const struct project *project, const struct origin *origin,
		     struct slice name)
{
	const char *word = reader_printable(reader, name);
	const char *hint = reader_suggest(reader, word, project->names, project->count);
	if (project->count == 0)
		hint = "; no component.yaml was found in the folders of 'components'";
	reader_mistake(reader, origin, "unknown component '%s' %s%s", word, reader->where, hint);
}

static void bind_part(const struct reader *outer, const struct project *project, struct part *part)
{
	if (!part->dependencies)
		return;
	struct reader reader = *outer;
	reader.where = arena_printf(outer->arena, "in the dependencies of '%s'", part->component.name);
	part->needs = arena_array(outer->arena, part->dependencies->list.count, sizeof(*part->needs));
	for (size_t i = 0; i < part->dependencies->list.count; i++) {
		const struct value *name = part->dependencies->list.items[i];
		struct part *needed = project_part(project, name->string);
		if (needed)
			part->needs[part->need_count++] = needed;
		else
			project_unknown(&reader, project, &name->origin, name->string);
	}
}

struct path_of_parts {
	struct part **items;
	size_t count;
};

static void report_cycle(const struct reader *reader, const struct path_of_parts *path, const struct part *again)
{
	struct buf text = { 0 };
	size_t i = path->count;
	while (i > 0 && path->items[i - 1] != again)
		i--;
	for (i--; i < path->count; i++)
		buf_printf(&text, "%s -> ", path->items[i]->component.name);
	reader_mistake(reader, &again->dependencies->origin, "dependency cycle: %s%s", buf_string(&text),
		       again->component.name);
	buf_done(&text);
}

static void visit(const struct reader *reader, struct part *part, struct path_of_parts *path)
{
	if (part->visit == PART_DONE)
		return;
	if (part->visit == PART_OPEN) {
		report_cycle(reader, path, part);
		return;
	}
	part->visit = PART_OPEN;
	path->items[path->count++] = part;
	for (size_t i = 0; i < part->need_count; i++)
		visit(reader, part->needs[i], path);
	path->count--;
	part->visit = PART_DONE;
}

void project_bind(const struct reader *reader, struct project *project)
{
	for (size_t i = 0; i < project->count; i++)
		bind_part(reader, project, &project->parts[i]);
	struct path_of_parts path = { arena_array(reader->arena, project->count, sizeof(struct part *)), 0 };
	for (size_t i = 0; i < project->count; i++)
		visit(reader, &project->parts[i], &path);
}
