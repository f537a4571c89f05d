/* SPDX-License-Identifier: MIT */
/* What changes between two bundles: versions, components, packages, files. By their manifests, which verify() proves.
 */
#include "build/build.h"
#include "bundle/content.h"

#include "base/scope.h"

static void set(struct arena *arena, struct value *map, const char *key, struct value *value)
{
	value_map_add(arena, map, slice_of(key), value);
}

static void set_text(struct arena *arena, struct value *map, const char *key, const char *text)
{
	if (text)
		set(arena, map, key, value_string(arena, slice_of(text)));
}

static const struct value *named(const struct value *list, const char *name)
{
	for (size_t i = 0; list && list->type == VALUE_LIST && i < list->list.count; i++)
		if (strcmp(value_text(value_get(list->list.items[i], "name"), ""), name) == 0)
			return list->list.items[i];
	return NULL;
}

/* {name, old, new}: what `keys` of two entries say; NULL when they say the same. */
static struct value *change(struct arena *arena, const char *name, const struct value *old_entry,
			    const struct value *new_entry)
{
	static const char *const keys[] = { "version", "mode" };
	struct value *map = value_map(arena);
	bool differs = !old_entry || !new_entry;
	set_text(arena, map, "name", name);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *before = value_text(value_get(old_entry, keys[i]), NULL);
		const char *after = value_text(value_get(new_entry, keys[i]), NULL);
		set_text(arena, map, arena_printf(arena, "old_%s", keys[i]), before);
		set_text(arena, map, arena_printf(arena, "new_%s", keys[i]), after);
		differs = differs || (before && after ? strcmp(before, after) != 0 : before != after);
	}
	set_text(arena, map, "what", !old_entry ? "added" : !new_entry ? "removed" : "changed");
	return differs ? map : NULL;
}

/* components or packages: lists of maps with a name. */
static struct value *diff_named(struct arena *arena, const struct value *old_list, const struct value *new_list)
{
	struct value *out = value_list(arena);
	for (size_t i = 0; old_list && old_list->type == VALUE_LIST && i < old_list->list.count; i++) {
		const char *name = value_text(value_get(old_list->list.items[i], "name"), "");
		struct value *found = change(arena, name, old_list->list.items[i], named(new_list, name));
		if (found)
			value_list_add(arena, out, found);
	}
	for (size_t i = 0; new_list && new_list->type == VALUE_LIST && i < new_list->list.count; i++) {
		const char *name = value_text(value_get(new_list->list.items[i], "name"), "");
		if (!named(old_list, name))
			value_list_add(arena, out, change(arena, name, NULL, new_list->list.items[i]));
	}
	return out;
}

static bool same_entry(const struct manifest_entry *a, const struct manifest_entry *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == PLAN_LINK)
		return strcmp(a->target, b->target) == 0;
	if (a->mode != b->mode || a->size_bytes != b->size_bytes)
		return false;
	return !a->sha256 || !b->sha256 ? a->sha256 == b->sha256 : strcmp(a->sha256, b->sha256) == 0;
}

static void add_file(struct arena *arena, struct value *list, const struct manifest_entry *before,
		     const struct manifest_entry *after)
{
	struct value *map = value_map(arena);
	set_text(arena, map, "path", before ? before->path : after->path);
	set_text(arena, map, "what", !before ? "added" : !after ? "removed" : "changed");
	if (before && before->kind == PLAN_FILE)
		set(arena, map, "old_size", value_int(arena, (int64_t)before->size_bytes));
	if (after && after->kind == PLAN_FILE)
		set(arena, map, "new_size", value_int(arena, (int64_t)after->size_bytes));
	value_list_add(arena, list, map);
}

/* Both are sorted by path: one pass. Folders are no news of their own. */
static struct value *diff_files(struct arena *arena, const struct manifest *old, const struct manifest *new)
{
	struct value *out = value_list(arena);
	for (size_t i = 0, j = 0; i < old->count || j < new->count;) {
		const struct manifest_entry *a = i < old->count ? &old->entries[i] : NULL;
		const struct manifest_entry *b = j < new->count ? &new->entries[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
		if (order < 0 && a->kind != PLAN_DIR)
			add_file(arena, out, a, NULL);
		else if (order > 0 && b->kind != PLAN_DIR)
			add_file(arena, out, NULL, b);
		else if (order == 0 && !same_entry(a, b))
			add_file(arena, out, a, b);
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

static uint64_t total(const struct manifest *manifest)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < manifest->count; i++)
		bytes += manifest->entries[i].size_bytes;
	return bytes;
}

static struct value *summary(struct arena *arena, const struct manifest *manifest)
{
	struct value *map = value_map(arena);
	set_text(arena, map, "release", manifest->release);
	set_text(arena, map, "version", manifest->version);
	set_text(arena, map, "runtime", manifest->runtime_version);
	set(arena, map, "size", value_int(arena, (int64_t)total(manifest)));
	return map;
}

int bundle_diff(struct arena *arena, const char *old_bundle, const char *new_bundle, struct value **out,
		struct error *err)
{
	struct content before, after;
	int status = content_read(arena, old_bundle, 0, &before, err);
	if (status == 0)
		status = content_read(arena, new_bundle, 0, &after, err);
	if (status < 0)
		return status;
	const struct manifest *old = &before.current->manifest, *new = &after.current->manifest;
	struct value *map = value_map(arena);
	set(arena, map, "old", summary(arena, old));
	set(arena, map, "new", summary(arena, new));
	set(arena, map, "components",
	    diff_named(arena, value_get(old->tree, "components"), value_get(new->tree, "components")));
	set(arena, map, "packages",
	    diff_named(arena, value_get(old->tree, "packages"), value_get(new->tree, "packages")));
	set(arena, map, "files", diff_files(arena, old, new));
	*out = map;
	return 0;
}
