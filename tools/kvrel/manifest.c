/* SPDX-License-Identifier: MIT */
#include "manifest.h"

#include "packages.h"

#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"

#include <stdio.h>

enum { ENTRIES_MAX = 1 << 20 };

static void set_text(struct arena *arena, struct value *map, const char *key, const char *text)
{
	if (text)
		value_map_add(arena, map, slice_of(key), value_string(arena, slice_of(text)));
}

static void set_int(struct arena *arena, struct value *map, const char *key, int64_t number)
{
	value_map_add(arena, map, slice_of(key), value_int(arena, number));
}

static struct value *origin_tree(struct arena *arena, const struct plan_entry *entry)
{
	struct value *map = value_map(arena);
	set_text(arena, map, "kind", plan_origin_name(entry->origin));
	set_text(arena, map, "name", entry->origin_name);
	set_text(arena, map, "version", entry->origin_version);
	if (entry->change == CHANGE_STRIP)
		set_text(arena, map, "change", "unneeded symbols removed");
	if (entry->change == CHANGE_EDIT_LOADER)
		set_text(arena, map, "change", "host paths replaced by ones that cannot exist");
	return map;
}

static struct value *entry_tree(struct arena *arena, const struct plan_entry *entry)
{
	static const char *const types[] = { "folder", "file", "file", "link" };
	struct value *map = value_map(arena);
	set_text(arena, map, "path", entry->path);
	set_text(arena, map, "type", types[entry->kind]);
	if (entry->kind == PLAN_LINK)
		set_text(arena, map, "target", entry->text.data);
	else
		set_text(arena, map, "mode", arena_printf(arena, "%04o", (unsigned)entry->mode));
	if (entry->kind == PLAN_FILE || entry->kind == PLAN_TEXT) {
		set_int(arena, map, "size", (int64_t)entry->size_bytes);
		if (!entry->secret)
			set_text(arena, map, "sha256", entry->sha256);
	}
	if (entry->kind != PLAN_DIR)
		value_map_add(arena, map, SLICE("origin"), origin_tree(arena, entry));
	return map;
}

static struct value *components_tree(struct arena *arena, const struct spec_release *release)
{
	struct value *list = value_list(arena);
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		struct value *map = value_map(arena);
		set_text(arena, map, "name", component->name);
		set_text(arena, map, "version", component->version);
		set_text(arena, map, "mode", component_mode_name(release->members[i].mode));
		set_text(arena, map, "license", component->license);
		value_list_add(arena, list, map);
	}
	return list;
}

static struct value *packages_tree(struct arena *arena, const struct manifest_info *info)
{
	struct value *list = value_list(arena);
	for (size_t i = 0; i < info->package_count; i++) {
		struct value *map = value_map(arena);
		set_text(arena, map, "name", info->packages[i].name);
		set_text(arena, map, "version", info->packages[i].version);
		set_text(arena, map, "architecture", info->packages[i].architecture);
		set_text(arena, map, "source", info->packages[i].source);
		set_text(arena, map, "source_version", info->packages[i].source_version);
		value_list_add(arena, list, map);
	}
	return list;
}

struct slice manifest_write(struct arena *arena, const struct manifest_info *info, const struct plan *plan)
{
	struct value *map = value_map(arena), *release = value_map(arena), *files = value_list(arena);
	set_text(arena, release, "name", info->release->name);
	set_text(arena, release, "version", info->release->version);
	set_int(arena, map, "format", 1);
	value_map_add(arena, map, SLICE("release"), release);
	set_text(arena, map, "runtime", info->runtime_version);
	set_int(arena, map, "source_date", info->source_date);
	value_map_add(arena, map, SLICE("components"), components_tree(arena, info->release));
	value_map_add(arena, map, SLICE("packages"), packages_tree(arena, info));
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->entries[i].path, "releases/start.data") != 0)
			value_list_add(arena, files, entry_tree(arena, &plan->entries[i]));
	value_map_add(arena, map, SLICE("files"), files);
	SCOPE(buf_done) struct buf out = { 0 };
	json_write(&out, map, 1);
	buf_append_char(&out, '\n');
	return (struct slice){ arena_copy(arena, buf_slice(&out)), out.size };
}

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool read_mode(const struct value *tree, mode_t *out)
{
	const char *text = value_text(value_get(tree, "mode"), NULL);
	unsigned mode;
	if (!text || strlen(text) > 5 || strspn(text, "01234567") != strlen(text) || sscanf(text, "%o", &mode) != 1)
		return false;
	*out = mode;
	return true;
}

static const char *read_entry(const struct value *tree, struct manifest_entry *out)
{
	const char *type = value_text(value_get(tree, "type"), "");
	const struct value *size = value_get(tree, "size"), *origin = value_get(tree, "origin");
	*out = (struct manifest_entry){ .path = value_text(value_get(tree, "path"), NULL) };
	if (!out->path || !path_is_inside(out->path))
		return "a path is missing or leads out of the bundle";
	out->origin = value_text(value_get(origin, "kind"), "generated");
	out->origin_name = value_text(value_get(origin, "name"), NULL);
	out->origin_version = value_text(value_get(origin, "version"), NULL);
	if (strcmp(type, "link") == 0) {
		out->kind = PLAN_LINK;
		out->target = value_text(value_get(tree, "target"), NULL);
		return out->target ? NULL : "a link has no target";
	}
	if (!read_mode(tree, &out->mode))
		return "a mode is missing or no octal number";
	if (strcmp(type, "folder") == 0) {
		out->kind = PLAN_DIR;
		return NULL;
	}
	if (strcmp(type, "file") != 0)
		return "a type is none of file, folder, link";
	out->kind = PLAN_FILE;
	out->sha256 = value_text(value_get(tree, "sha256"), NULL);
	if (out->sha256 && !is_sha256(out->sha256))
		return "a digest is no SHA-256";
	if (!size || size->type != VALUE_INT || size->integer < 0)
		return "a size is missing or negative";
	out->size_bytes = (uint64_t)size->integer;
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;
	return strcmp(x->path, y->path);
}

int manifest_parse(struct arena *arena, struct slice text, const char *name, struct manifest *out, struct error *err)
{
	struct value *tree;
	int status = json_parse(arena, text, name, &tree, err);
	if (status < 0)
		return status;
	const struct value *format = value_get(tree, "format"), *files = value_get(tree, "files");
	const struct value *date = value_get(tree, "source_date");
	if (!format || format->type != VALUE_INT)
		return error_set(err, ERROR_INVALID, "'%s' is no manifest of a bundle", name);
	if (format->integer != 1)
		return error_set(err, ERROR_UNSUPPORTED, "'%s' has format %lld; this kvrel reads format 1", name,
				 (long long)format->integer);
	struct manifest manifest = { .tree = tree };
	manifest.release = value_text(value_path(tree, "release.name"), NULL);
	manifest.version = value_text(value_path(tree, "release.version"), NULL);
	manifest.runtime_version = value_text(value_get(tree, "runtime"), NULL);
	manifest.source_date = date && date->type == VALUE_INT ? date->integer : 0;
	if (!manifest.release || !manifest.version || !manifest.runtime_version || !files ||
	    files->type != VALUE_LIST || files->list.count > ENTRIES_MAX)
		return error_set(err, ERROR_INVALID, "'%s' lacks release, runtime or files", name);
	manifest.entries = arena_array(arena, files->list.count + 1, sizeof(*manifest.entries));
	for (size_t i = 0; i < files->list.count; i++) {
		const char *wrong = read_entry(files->list.items[i], &manifest.entries[manifest.count++]);
		if (wrong)
			return error_set(err, ERROR_INVALID, "'%s', file %zu: %s", name, i + 1, wrong);
	}
	qsort(manifest.entries, manifest.count, sizeof(*manifest.entries), by_path);
	*out = manifest;
	return 0;
}

static int key_to_entry(const void *key, const void *entry)
{
	return strcmp(key, ((const struct manifest_entry *)entry)->path);
}

const struct manifest_entry *manifest_find(const struct manifest *manifest, const char *path)
{
	return manifest->count
		       ? bsearch(path, manifest->entries, manifest->count, sizeof(*manifest->entries), key_to_entry)
		       : NULL;
}
