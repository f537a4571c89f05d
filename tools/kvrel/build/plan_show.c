/* SPDX-License-Identifier: MIT */
/* A plan for people and, as JSON, for programs. Sizes are those of the sources: nothing was stripped yet. */
#include "build/plan.h"

#include "base/value.h"

#include <sys/stat.h>

void plan_show(const struct plan *plan, bool verbose, struct buf *out)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		if (entry->kind == PLAN_DIR)
			buf_printf(out, "%04o %s/", (unsigned)entry->mode, entry->path);
		else if (entry->kind == PLAN_LINK)
			buf_printf(out, "link %s -> %.*s", entry->path, SLICE_FMT(entry->text));
		else
			buf_printf(out, "%04o %s", (unsigned)entry->mode, entry->path);
		if (entry->kind == PLAN_FILE && entry->source)
			buf_printf(out, "  <- %s%s", entry->source,
				   entry->change == CHANGE_STRIP         ? " (stripped)"
				   : entry->change == CHANGE_EDIT_LOADER ? " (edited)"
									 : "");
		if (verbose && entry->kind != PLAN_DIR)
			buf_printf(out, "  [%s: %s]", plan_origin_name(entry->origin), entry->why);
		buf_append_char(out, '\n');
	}
}

static void set_text(struct arena *arena, struct value *map, const char *key, const char *text)
{
	if (text)
		value_map_add(arena, map, slice_of(key), value_string(arena, slice_of(text)));
}

static void set_size(struct arena *arena, struct value *map, const struct plan_entry *entry)
{
	struct stat st;
	int64_t bytes = entry->kind == PLAN_TEXT ? (int64_t)entry->text.size : -1;
	if (entry->kind == PLAN_FILE && entry->source && stat(entry->source, &st) == 0)
		bytes = st.st_size;
	if (bytes >= 0)
		value_map_add(arena, map, SLICE("source_bytes"), value_int(arena, bytes));
}

static struct value *entry_tree(struct arena *arena, const struct plan_entry *entry)
{
	static const char *const kinds[] = { "folder", "file", "file", "link" };
	struct value *map = value_map(arena);
	set_text(arena, map, "path", entry->path);
	set_text(arena, map, "kind", kinds[entry->kind]);
	if (entry->kind == PLAN_LINK)
		set_text(arena, map, "target", arena_copy(arena, entry->text));
	else
		set_text(arena, map, "mode", arena_printf(arena, "%04o", (unsigned)entry->mode));
	set_size(arena, map, entry);
	set_text(arena, map, "source", entry->source);
	set_text(arena, map, "change",
		 entry->change == CHANGE_STRIP         ? "strip"
		 : entry->change == CHANGE_EDIT_LOADER ? "edit"
						       : NULL);
	set_text(arena, map, "origin", plan_origin_name(entry->origin));
	set_text(arena, map, "why", entry->why);
	return map;
}

struct value *plan_tree(struct arena *arena, const struct plan *plan)
{
	struct value *list = value_list(arena);
	for (size_t i = 0; i < plan->count; i++)
		value_list_add(arena, list, entry_tree(arena, &plan->entries[i]));
	return list;
}
