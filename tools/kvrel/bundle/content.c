/* SPDX-License-Identifier: MIT */
#include "bundle/content.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MANIFESTS_MAX = 4096 };

struct content_item *content_add(struct content_builder *builder, const char *path, struct error *err)
{
	if (builder->count == CONTENT_ITEMS_MAX) {
		error_set(err, ERROR_LIMIT, "'%s' holds over %d entries", builder->shown, CONTENT_ITEMS_MAX);
		return NULL;
	}
	if (builder->count == builder->capacity) {
		size_t capacity = builder->capacity ? 2 * builder->capacity : 256;
		struct content_item *grown = arena_array(builder->arena, capacity, sizeof(*grown));
		if (builder->count)
			memcpy(grown, builder->items, builder->count * sizeof(*grown));
		builder->items = grown;
		builder->capacity = capacity;
	}
	struct content_item *item = &builder->items[builder->count++];
	*item = (struct content_item){ .path = arena_string(builder->arena, path) };
	return item;
}

/* The version that a path like releases/VERSION/manifest.json speaks of. */
static bool is_manifest(const char *path, struct slice *version)
{
	struct slice head, rest, name;
	return slice_split(slice_of(path), '/', &head, &rest) && slice_is(head, "releases") &&
	       slice_split(rest, '/', version, &name) && slice_is(name, "manifest.json");
}

bool content_keeps_text(const char *path)
{
	struct slice version;
	return strcmp(path, "releases/start.data") == 0 || is_manifest(path, &version);
}

int content_keep_text(struct content_builder *builder, const char *path, struct slice text, struct error *err)
{
	struct slice version;
	struct slice copy = { arena_copy(builder->arena, text), text.size };
	if (!is_manifest(path, &version)) {
		builder->start_data = copy.data;
		return 0;
	}
	if (builder->manifest_count == MANIFESTS_MAX)
		return error_set(err, ERROR_LIMIT, "'%s' holds over %d versions", builder->shown, MANIFESTS_MAX);
	if (!builder->manifests)
		builder->manifests = arena_array(builder->arena, MANIFESTS_MAX, sizeof(*builder->manifests));
	struct content_manifest *out = &builder->manifests[builder->manifest_count];
	out->version = arena_copy(builder->arena, version);
	out->text = copy;
	int status = manifest_parse(builder->arena, copy, path, &out->manifest, err);
	if (status < 0 && !(builder->wants & CONTENT_LENIENT))
		return error_wrap(err, "'%s'", builder->shown);
	if (status < 0)
		out->unreadable = arena_string(builder->arena, err ? err->message : "it cannot be read");
	builder->manifest_count++;
	return 0;
}

/* What the node makes, and what a file system has in its root: no part of the bundle, and perhaps not readable. */
static bool is_beside(const char *path)
{
	static const char *const folders[] = { "data", "tmp", "lost+found" };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (strcmp(path, folders[i]) == 0)
			return true;
	return false;
}

/* Where a bundle is the root itself, /proc, /dev and the like are mounted beside what is its own. */
static bool is_mounted_beside(const struct content_builder *builder, const char *path, dev_t device)
{
	static const char *const own[] = { "bin", "lib", "releases", "share" };
	if (device == builder->device || strchr(path, '/') || strncmp(path, "runtime-", 8) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strcmp(path, own[i]) == 0)
			return false;
	return true;
}

static int read_file(struct content_builder *builder, struct content_item *item, const char *file, struct error *err)
{
	char digest[DIGEST_HEX_BYTES];
	if (content_keeps_text(item->path)) {
		SCOPE(buf_done) struct buf text = { 0 };
		int status = fs_read(file, CONTENT_TEXT_MAX, &text, err);
		if (status == 0)
			status = content_keep_text(builder, item->path, buf_slice(&text), err);
		if (status < 0)
			return status;
	}
	if (builder->wants & CONTENT_ELF)
		content_note_elf(builder, item, file);
	/* the cookie has no digest to compare with, and its owner alone may read it */
	if (!(builder->wants & CONTENT_DIGESTS) || strcmp(item->path, "releases/COOKIE") == 0)
		return 0;
	int status = digest_file(file, digest, &item->size_bytes, err);
	if (status == 0)
		item->sha256 = arena_string(builder->arena, digest);
	return status;
}

static int visit(void *context, const char *relative, const struct stat *st, struct error *err)
{
	struct content_builder *builder = context;
	if (is_beside(relative) || is_mounted_beside(builder, relative, st->st_dev))
		return FS_SKIP;
	struct content_item *item = content_add(builder, relative, err);
	if (!item)
		return -ERROR_LIMIT;
	const char *file = path_join(builder->arena, builder->shown, item->path);
	item->mode = st->st_mode & 07777;
	item->size_bytes = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	item->kind = S_ISDIR(st->st_mode) ? PLAN_DIR : S_ISLNK(st->st_mode) ? PLAN_LINK : PLAN_FILE;
	if (S_ISLNK(st->st_mode)) {
		SCOPE(buf_done) struct buf target = { 0 };
		int status = fs_read_link(file, &target, err);
		item->target = arena_string(builder->arena, buf_string(&target));
		return status;
	}
	return S_ISREG(st->st_mode) ? read_file(builder, item, file, err) : 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct content_item *)a)->path, ((const struct content_item *)b)->path);
}

static int by_version(const void *a, const void *b)
{
	return strcmp(((const struct content_manifest *)a)->version, ((const struct content_manifest *)b)->version);
}

static int finish(struct content_builder *builder, struct content *out, struct error *err)
{
	struct content content = { .items = builder->items,
				   .count = builder->count,
				   .manifests = builder->manifests,
				   .manifest_count = builder->manifest_count,
				   .start_data = builder->start_data };
	bool lenient = builder->wants & CONTENT_LENIENT;
	if (!content.manifest_count && !(lenient && content.start_data))
		return error_set(err, ERROR_INVALID, "'%s' is no bundle: it has no releases/VERSION/manifest.json",
				 builder->shown);
	if (content.count)
		qsort(content.items, content.count, sizeof(*content.items), by_path);
	if (content.manifest_count)
		qsort(content.manifests, content.manifest_count, sizeof(*content.manifests), by_version);
	struct slice version = { 0 }, runtime;
	if (content.start_data)
		slice_split(slice_trim(slice_of(content.start_data)), ' ', &runtime, &version);
	for (size_t i = 0; i < content.manifest_count; i++)
		if (slice_is(version, content.manifests[i].version))
			content.current = &content.manifests[i];
	if (!content.current && !lenient)
		return error_set(
			err, ERROR_INVALID,
			"'%s' is no whole bundle: releases/start.data is missing or names a version that is not in "
			"it",
			builder->shown);
	*out = content;
	return 0;
}

int content_read(struct arena *arena, const char *path, unsigned wants, struct content *out, struct error *err)
{
	struct content_builder builder = { .arena = arena, .shown = path, .wants = wants, .scratch_fd = -1 };
	struct stat st;
	if (stat(path, &st) < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	builder.device = st.st_dev;
	bool folder = S_ISDIR(st.st_mode);
	if (!folder && !S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "'%s' is neither a folder nor a file", path);
	if (!folder)
		builder.wants &= ~(unsigned)CONTENT_LENIENT;
	int status = folder ? fs_walk(path, visit, &builder, err) : content_read_archive(&builder, path, err);
	if (builder.scratch_fd >= 0)
		close(builder.scratch_fd);
	if (status == 0)
		status = finish(&builder, out, err);
	if (status == 0)
		out->archive = !folder;
	return status;
}

static int key_to_item(const void *key, const void *item)
{
	return strcmp(key, ((const struct content_item *)item)->path);
}

const struct content_item *content_find(const struct content *content, const char *path)
{
	return content->count ? bsearch(path, content->items, content->count, sizeof(*content->items), key_to_item)
			      : NULL;
}
