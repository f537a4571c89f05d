/* SPDX-License-Identifier: MIT */
#include "manifest.h"

#include "base/json.h"
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1 << 20 };

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
