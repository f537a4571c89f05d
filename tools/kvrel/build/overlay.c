/* SPDX-License-Identifier: MIT */
#include "build/overlay.h"

#include "base/exchange.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#include <stdlib.h>

struct scan {
	struct plan *plan;
	const char *folder;
	const char *why;
};

static bool is_the_nodes(const char *path)
{
	static const char *const folders[] = { "data", "tmp" };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		size_t length = strlen(folders[i]);
		if (strncmp(path, folders[i], length) == 0 && (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

/* What says what the bundle is: written by kvrel after the overlays, or while it replaces a bundle. */
static bool is_kvrels(const char *path)
{
	static const char *const names[] = { "start.data", "manifest.json", "sbom.spdx.json", "sbom.cdx.json" };
	struct slice head, rest, version, name;
	if (strcmp(path, EXCHANGE_LIST) == 0 || strcmp(path, "releases/start.data") == 0)
		return true;
	if (!slice_split(slice_of(path), '/', &head, &rest) || !slice_is(head, "releases") ||
	    !slice_split(rest, '/', &version, &name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_is(name, names[i]))
			return true;
	return false;
}

/* Manifests and bills of materials are JSON: another name would be another file to them. */
static int check_text(const struct scan *scan, const char *text, struct error *err)
{
	struct slice all = slice_of(text);
	if (slice_utf8_prefix(all) == all.size)
		return 0;
	return error_set(err, ERROR_INVALID, "%s: the name '%s' is no UTF-8; rename it", scan->why,
			 text_printable(scan->plan->arena, all, ""));
}

static void add_file(struct scan *scan, const char *path, const struct stat *st)
{
	struct plan_entry *entry = plan_add(scan->plan, PLAN_FILE, path, FROM_OVERLAY, scan->why);
	entry->source = path_join(scan->plan->arena, scan->folder, path);
	entry->mode = st->st_mode & 0111 ? 0755 : 0644;
	entry->secret = strcmp(path, "releases/COOKIE") == 0;
	if (entry->secret)
		entry->mode = 0600;
}

static int add_link(struct scan *scan, const char *path, struct error *err)
{
	struct arena *arena = scan->plan->arena;
	SCOPE(buf_done) struct buf target = { 0 };
	int status = fs_read_link(path_join(arena, scan->folder, path), &target, err);
	if (status < 0)
		return status;
	const char *text = buf_string(&target);
	status = check_text(scan, text, err);
	if (status < 0)
		return status;
	const char *lands = path_clean(arena, path_join(arena, path_dir(arena, path), text));
	if (*text == '/' || !path_is_inside(lands))
		return error_set(
			err, ERROR_INVALID,
			"%s: the link '%s' leads out of the bundle, to '%s'; make it relative or copy its target",
			scan->why, path, text);
	plan_add(scan->plan, PLAN_LINK, arena_string(arena, path), FROM_OVERLAY, scan->why)->text =
		slice_of(arena_string(arena, text));
	return 0;
}

static int visit(void *context, const char *relative, const struct stat *st, struct error *err)
{
	struct scan *scan = context;
	struct arena *arena = scan->plan->arena;
	if (is_the_nodes(relative))
		return error_set(err, ERROR_INVALID,
				 "%s: '%s' is where the running node keeps its files; use another folder", scan->why,
				 relative);
	if (is_kvrels(relative))
		return error_set(err, ERROR_INVALID, "%s: '%s' is written by kvrel itself; remove it", scan->why,
				 relative);
	int status = check_text(scan, relative, err);
	if (status < 0)
		return status;
	if (S_ISLNK(st->st_mode))
		return add_link(scan, relative, err);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return error_set(err, ERROR_INVALID, "%s: '%s' is neither a file, a folder nor a link; remove it",
				 scan->why, relative);
	const char *path = arena_string(arena, relative);
	if (S_ISDIR(st->st_mode))
		plan_add(scan->plan, PLAN_DIR, path, FROM_OVERLAY, scan->why);
	else
		add_file(scan, path, st);
	return 0;
}

int overlay_scan(struct plan *plan, const char *folder, const char *shown, struct error *err)
{
	struct scan scan = { .plan = plan, .folder = folder };
	scan.why = arena_printf(plan->arena, "overlay '%s'", shown);
	return fs_walk(folder, visit, &scan, err);
}

/* ---- what their libraries need ----------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The file names of the whole bundle, sorted. */
static const char **file_names(const struct plan *plan)
{
	const char **names = arena_array(plan->arena, plan->count + 1, sizeof(*names));
	for (size_t i = 0; i < plan->count; i++)
		names[i] = path_base(plan->entries[i].path);
	qsort(names, plan->count, sizeof(*names), by_text);
	return names;
}

static void check_needs(const struct plan *plan, const struct plan_entry *entry, const char **names, overlay_warn *warn,
			void *context)
{
	struct elf_info *elf;
	if (!elf_is(entry->source) || elf_inspect(plan->arena, entry->source, &elf, NULL) < 0 || elf->interpreter)
		return;
	for (size_t i = 0; i < elf->needed_count; i++) {
		const char *name = path_base(elf->needed[i]);
		if (!bsearch(&name, names, plan->count, sizeof(*names), by_text))
			warn(context, arena_printf(plan->arena,
						   "%s: '%s' needs '%s', which is not in the bundle; name it under "
						   "'libraries' in the component.yaml of the component that opens it",
						   entry->why, entry->path, name));
	}
}

void overlay_check_needs(const struct plan *plan, overlay_warn *warn, void *context)
{
	const char **names = NULL;
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		if (entry->origin != FROM_OVERLAY || entry->kind != PLAN_FILE)
			continue;
		names = names ? names : file_names(plan);
		check_needs(plan, entry, names, warn, context);
	}
}
