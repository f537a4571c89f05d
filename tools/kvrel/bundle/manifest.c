/* SPDX-License-Identifier: MIT */
#include "bundle/manifest.h"

#include "build/packages.h"

#include "base/json.h"
#include "base/scope.h"

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
	if (entry->linked_count) {
		struct value *list = value_list(arena);
		for (size_t i = 0; i < entry->linked_count; i++)
			value_list_add(arena, list, value_string(arena, slice_of(entry->linked[i])));
		value_map_add(arena, map, SLICE("contains"), list);
	}
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
	for (size_t i = 0; i < info->packages->count; i++) {
		const struct package *package = &info->packages->packages[i];
		struct value *map = value_map(arena);
		set_text(arena, map, "name", package->name);
		set_text(arena, map, "version", package->version);
		set_text(arena, map, "architecture", package->architecture);
		set_text(arena, map, "source", package->source);
		set_text(arena, map, "source_version", package->source_version);
		value_list_add(arena, list, map);
	}
	return list;
}

static void add_entry(void *context, struct arena *arena, struct value *list, size_t index)
{
	const struct plan *plan = context;
	if (strcmp(plan->entries[index].path, "releases/start.data") != 0)
		value_list_add(arena, list, entry_tree(arena, &plan->entries[index]));
}

int manifest_write(struct arena *arena, const struct manifest_info *info, const struct plan *plan, int fd,
		   struct error *err)
{
	struct value *map = value_map(arena), *release = value_map(arena);
	set_text(arena, release, "name", info->release->name);
	set_text(arena, release, "version", info->release->version);
	set_int(arena, map, "format", 1);
	value_map_add(arena, map, SLICE("release"), release);
	set_text(arena, map, "runtime", info->runtime_version);
	set_int(arena, map, "source_date", info->source_date);
	value_map_add(arena, map, SLICE("components"), components_tree(arena, info->release));
	value_map_add(arena, map, SLICE("packages"), packages_tree(arena, info));
	const struct json_list files = { "files", plan->count, add_entry, (void *)plan };
	return json_write_lists(fd, map, &files, 1, 1, err);
}
