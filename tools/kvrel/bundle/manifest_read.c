/* SPDX-License-Identifier: MIT */
/*
 * A manifest grows with its bundle: as values, 100,000 files take half a gigabyte. So what kvrel wrote is read entry by
 * entry, each into an arena that is emptied after it. A manifest of any other shape is read as a whole, as is one with
 * a mistake, which then has its line.
 */
#include "bundle/manifest.h"

#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1 << 20 };
/* Sums of all sizes must fit, whatever a manifest says. */
#define SIZE_MAX_BYTES (INT64_C(1) << 42)

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool read_mode(const struct value *tree, mode_t *out)
{
	const char *text = value_text(value_get(tree, "mode"), NULL);
	unsigned mode;
	if (!text || strlen(text) > 4 || strspn(text, "01234567") != strlen(text) || sscanf(text, "%o", &mode) != 1 ||
	    (mode & ~0777u))
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
	out->change = value_text(value_get(origin, "change"), NULL);
	if (strcmp(type, "link") == 0) {
		out->kind = PLAN_LINK;
		out->target = value_text(value_get(tree, "target"), NULL);
		return out->target ? NULL : "a link has no target";
	}
	if (!read_mode(tree, &out->mode))
		return "a mode is missing or none that a bundle has";
	if (strcmp(type, "folder") == 0) {
		out->kind = PLAN_DIR;
		return NULL;
	}
	if (strcmp(type, "file") != 0)
		return "a type is none of file, folder, link";
	out->kind = PLAN_FILE;
	out->sha256 = value_text(value_get(tree, "sha256"), NULL);
	if (out->sha256 ? !is_sha256(out->sha256) : strcmp(out->path, "releases/COOKIE") != 0)
		return "a digest is missing or no SHA-256";
	if (!size || size->type != VALUE_INT || size->integer < 0 || size->integer > SIZE_MAX_BYTES)
		return "a size is missing or makes no sense";
	out->size_bytes = (uint64_t)size->integer;
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;
	return strcmp(x->path, y->path);
}

static const char *read_head(const struct value *tree, struct manifest *out)
{
	const struct value *date = value_get(tree, "source_date");
	out->tree = tree;
	out->release = value_text(value_path(tree, "release.name"), NULL);
	out->version = value_text(value_path(tree, "release.version"), NULL);
	out->runtime_version = value_text(value_get(tree, "runtime"), NULL);
	out->source_date = date && date->type == VALUE_INT ? date->integer : 0;
	return out->release && out->version && out->runtime_version ? NULL : "lacks release, runtime or files";
}

static int check_format(const struct value *tree, const char *name, struct error *err)
{
	const struct value *format = value_get(tree, "format");
	if (!format || format->type != VALUE_INT)
		return error_set(err, ERROR_INVALID, "'%s' is no manifest of a bundle", name);
	if (format->integer != 1)
		return error_set(err, ERROR_UNSUPPORTED, "'%s' has format %lld; this kvrel reads format 1", name,
				 (long long)format->integer);
	return 0;
}

static int parse_whole(struct arena *arena, struct slice text, const char *name, struct manifest *out,
		       struct error *err)
{
	struct value *tree;
	int status = json_parse(arena, text, name, &tree, err);
	if (status == 0)
		status = check_format(tree, name, err);
	if (status < 0)
		return status;
	const struct value *files = value_get(tree, "files");
	struct manifest manifest = { 0 };
	if (read_head(tree, &manifest) || !files || files->type != VALUE_LIST || files->list.count > ENTRIES_MAX)
		return error_set(err, ERROR_INVALID, "'%s' lacks release, runtime or files", name);
	manifest.entries = arena_array(arena, files->list.count + 1, sizeof(*manifest.entries));
	for (size_t i = 0; i < files->list.count; i++) {
		const char *wrong = read_entry(files->list.items[i], &manifest.entries[manifest.count++]);
		if (wrong)
			return error_set(err, ERROR_INVALID, "'%s', file %zu: %s", name, i + 1, wrong);
	}
	*out = manifest;
	return 0;
}

/* The text before the list of files, closed, and the list's items. As manifest_write() lays them out: no string can
 * hold the line that parts them, and nothing follows the list. */
static bool split(struct arena *arena, struct slice text, struct slice *head, struct slice *items)
{
	static const char opening[] = ",\n \"files\": [", closing[] = "\n ]\n}\n";
	const char *at = text.size ? memmem(text.data, text.size, opening, sizeof(opening) - 1) : NULL;
	size_t ends = sizeof(closing) - 1;
	if (!at || text.size < ends || memcmp(text.data + text.size - ends, closing, ends) != 0)
		return false;
	const char *first = at + sizeof(opening) - 1, *last = text.data + text.size - ends;
	if (first > last)
		return false;
	*head = slice_of(arena_printf(arena, "%.*s}", (int)(at - text.data), text.data));
	*items = (struct slice){ first, last - first };
	return true;
}

static const char *kept(struct arena *arena, const char *text, const char *previous)
{
	if (!text || (previous && strcmp(text, previous) == 0))
		return text ? previous : NULL;
	return arena_string(arena, text);
}

/* Neighbours come from the same place mostly: its name is kept once. */
static void keep_entry(struct arena *arena, struct manifest_entry *entry, const struct manifest_entry *before)
{
	entry->path = arena_string(arena, entry->path);
	entry->sha256 = kept(arena, entry->sha256, NULL);
	entry->target = kept(arena, entry->target, NULL);
	entry->origin = kept(arena, entry->origin, before ? before->origin : NULL);
	entry->origin_name = kept(arena, entry->origin_name, before ? before->origin_name : NULL);
	entry->origin_version = kept(arena, entry->origin_version, before ? before->origin_version : NULL);
	entry->change = kept(arena, entry->change, before ? before->change : NULL);
}

static bool parse_items(struct arena *arena, struct slice items, const char *name, struct manifest *out)
{
	/* an entry of a file takes over a hundred bytes, so this is room enough */
	size_t most = items.size / 32 + 1;
	if (most > ENTRIES_MAX)
		most = ENTRIES_MAX;
	SCOPE_FREE struct manifest_entry *entries = calloc(most, sizeof(*entries));
	while (entries && out->count < most) {
		SCOPE(arena_done) struct arena scratch = { 0 };
		struct value *tree;
		if (json_parse_next(&scratch, &items, name, &tree, NULL) < 0 || read_entry(tree, &entries[out->count]))
			return false;
		keep_entry(arena, &entries[out->count], out->count ? &entries[out->count - 1] : NULL);
		out->count++;
		items = slice_trim(items);
		if (items.size == 0)
			break;
		if (*items.data != ',')
			return false;
		items.data++;
		items.size--;
	}
	if (!entries || items.size)
		return false;
	out->entries = arena_array(arena, out->count + 1, sizeof(*out->entries));
	memcpy(out->entries, entries, out->count * sizeof(*entries));
	return true;
}

static bool parse_by_entry(struct arena *arena, struct slice text, const char *name, struct manifest *out)
{
	struct slice head, items;
	struct value *tree;
	struct manifest manifest = { 0 };
	if (!split(arena, text, &head, &items) || json_parse(arena, head, name, &tree, NULL) < 0 ||
	    check_format(tree, name, NULL) < 0 || value_get(tree, "files") || read_head(tree, &manifest) ||
	    !parse_items(arena, items, name, &manifest))
		return false;
	*out = manifest;
	return true;
}

int manifest_parse(struct arena *arena, struct slice text, const char *name, struct manifest *out, struct error *err)
{
	struct manifest manifest;
	if (!parse_by_entry(arena, text, name, &manifest)) {
		int status = parse_whole(arena, text, name, &manifest, err);
		if (status < 0)
			return status;
	}
	qsort(manifest.entries, manifest.count, sizeof(*manifest.entries), by_path);
	for (size_t i = 1; i < manifest.count; i++)
		if (strcmp(manifest.entries[i - 1].path, manifest.entries[i].path) == 0)
			return error_set(err, ERROR_INVALID, "'%s' lists '%s' twice", name, manifest.entries[i].path);
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
