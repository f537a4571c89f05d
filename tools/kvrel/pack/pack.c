/* SPDX-License-Identifier: MIT */
/*
 * The step `tar`: one version of a bundle as _build/NAME-VERSION.tar.zst, and the symbols that stripping took out as
 * NAME-VERSION-debug.tar.zst, found by build id.
 *
 * Entries are relative to the bundle root and only this version's, so that it unpacks over an older one. The manifest
 * says what goes in, and each file is checked against it on the way.
 */
#include "pack/pack.h"
#include "build/build_steps.h"
#include "build/existing.h"
#include "build/transform.h"
#include "pack/compress.h"
#include "pack/file_sink.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <limits.h>
#include <stdio.h>

enum { ITEMS_EXTRA = 2 };

static int to_compressor(void *context, const void *data, size_t size, struct error *err)
{
	return compressor_write(context, data, size, err);
}

static void free_compressor(struct compressor **compressor)
{
	compressor_free(*compressor);
}

static void free_tar(struct tar **tar)
{
	tar_free(*tar);
}

int bundle_add_entry(struct tar *tar, const struct bundle *bundle, const struct manifest_entry *entry, const char *path,
		     struct error *err)
{
	char source[PATH_MAX];
	int length = snprintf(source, sizeof(source), "%s/%s", bundle->root, entry->path);
	if (length < 0 || (size_t)length >= sizeof(source))
		return error_set(err, ERROR_LIMIT, "the path of '%s' is too long", entry->path);
	if (entry->kind == PLAN_DIR)
		return tar_add_dir(tar, path, entry->mode, err);
	if (entry->kind == PLAN_LINK)
		return tar_add_link(tar, path, entry->target, err);
	return tar_add_file(tar, path, entry->mode, source, entry->sha256, err);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct manifest_entry *)a)->path, ((const struct manifest_entry *)b)->path);
}

struct manifest_entry *bundle_entries(const struct bundle *bundle, size_t *count)
{
	const struct manifest *manifest = bundle->manifest;
	struct manifest_entry *entries = arena_array(bundle->arena, manifest->count + ITEMS_EXTRA, sizeof(*entries));
	const char *own = arena_printf(bundle->arena, "releases/%s/manifest.json", manifest->version);
	const char *const more[ITEMS_EXTRA] = { own, "releases/start.data" };
	memcpy(entries, manifest->entries, manifest->count * sizeof(*entries));
	for (size_t i = 0; i < ITEMS_EXTRA; i++)
		entries[manifest->count + i] =
			(struct manifest_entry){ .path = more[i], .kind = PLAN_FILE, .mode = 0644 };
	*count = manifest->count + ITEMS_EXTRA;
	qsort(entries, *count, sizeof(*entries), by_path);
	return entries;
}

int bundle_open(struct build *build, struct bundle *out, struct error *err)
{
	struct existing existing;
	int status = existing_read(build->arena, build->release->path, &existing, err);
	if (status < 0)
		return status;
	const struct installed *installed = existing_version(&existing, build->release->version);
	if (!installed || !installed->readable)
		return error_set(err, ERROR_FAILED, "the manifest of release %s-%s in '%s' cannot be read",
				 build->release->name, build->release->version, existing.root);
	*out = (struct bundle){ build->arena, existing.root, &installed->manifest };
	return 0;
}

struct packing {
	struct arena *arena;
	const char *path;
	int level; /* of zstd; 0: gzip */
	int64_t time;
	int (*fill)(struct tar *tar, void *context, struct error *err);
	void *context;
	char sha256[DIGEST_HEX_BYTES];
	uint64_t bytes;
};

static int write_zstd(struct packing *packing, struct error *err)
{
	SCOPE(free_compressor) struct compressor *compressor = NULL;
	SCOPE(free_tar) struct tar *tar = NULL;
	int status = compressor_new(packing->path, packing->level, &compressor, err);
	if (status == 0)
		status = tar_new(to_compressor, compressor, packing->time, &tar, err);
	if (status == 0)
		status = packing->fill(tar, packing->context, err);
	if (status == 0)
		status = tar_finish(tar, err);
	if (status == 0)
		status = compressor_finish(compressor, packing->sha256, &packing->bytes, err);
	return status;
}

/* The digest is that of the tar here too, so it is hashed in a pass of its own. */
static int write_gzip(struct packing *packing, const char *path, char sha256[DIGEST_HEX_BYTES], struct error *err)
{
	SCOPE(file_sink_done) struct file_sink sink = { .fd = -1 };
	SCOPE(free_tar) struct tar *tar = NULL;
	int status = file_sink_open(packing->arena, path, &sink, err);
	if (status == 0)
		status = (path ? tar_new_gzip : tar_new)(file_sink_write, &sink, packing->time, &tar, err);
	if (status == 0)
		status = packing->fill(tar, packing->context, err);
	if (status == 0)
		status = tar_finish(tar, err);
	if (status == 0)
		status = file_sink_finish(&sink, sha256, err);
	packing->bytes = sink.bytes;
	return status;
}

static int write_archive(struct packing *packing, struct error *err)
{
	char compressed[DIGEST_HEX_BYTES];
	if (packing->level)
		return write_zstd(packing, err);
	int status = write_gzip(packing, NULL, packing->sha256, err);
	return status < 0 ? status : write_gzip(packing, packing->path, compressed, err);
}

void build_say_packing(struct build *build, const char *path)
{
	build->options->progress(build->options->context, "* packing %s", path_base(path));
}

const char *build_archive_path(struct build *build, const char *kind)
{
	const char *suffix = build->release->compression ? ".tar.zst" : ".tar.gz";
	return build_artifact_path(build, arena_printf(build->arena, "%s%s", kind, suffix));
}

static int fill_bundle(struct tar *tar, void *context, struct error *err)
{
	const struct bundle *bundle = context;
	size_t count;
	const struct manifest_entry *entries = bundle_entries(bundle, &count);
	for (size_t i = 0; i < count; i++) {
		int status = bundle_add_entry(tar, bundle, &entries[i], entries[i].path, err);
		if (status < 0)
			return status;
	}
	return 0;
}

struct symbols {          /* one file of the debug archive */
	const char *path; /* .build-id/ab/cdef….debug */
	const char *file;
};

struct debug {
	struct symbols *items;
	size_t count;
};

static int fill_debug(struct tar *tar, void *context, struct error *err)
{
	const struct debug *debug = context;
	char folder[32] = "";
	int status = tar_add_dir(tar, ".build-id", 0755, err);
	for (size_t i = 0; i < debug->count && status == 0; i++) {
		const char *path = debug->items[i].path;
		if (strncmp(folder, path, 12) != 0) {
			snprintf(folder, sizeof(folder), "%.12s", path);
			status = tar_add_dir(tar, folder, 0755, err);
		}
		if (status == 0)
			status = tar_add_file(tar, path, 0644, debug->items[i].file, NULL, err);
	}
	return status;
}

static int by_symbols(const void *a, const void *b)
{
	return strcmp(((const struct symbols *)a)->path, ((const struct symbols *)b)->path);
}

/* A file without a build id cannot be found by one; the launcher is built without symbols. */
static int find_symbols(struct build *build, struct debug *out, struct error *err)
{
	const struct plan *plan = build->plan;
	struct debug debug = { .items = arena_array(build->arena, plan->count + 1, sizeof(*debug.items)) };
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		struct elf_info *elf;
		if (entry->change != CHANGE_STRIP || !elf_is(entry->source))
			continue;
		int status = elf_inspect(build->arena, entry->source, &elf, err);
		if (status < 0)
			return status;
		if (!elf->build_id || strlen(elf->build_id) < 4)
			continue;
		struct symbols *item = &debug.items[debug.count];
		status = transform_debug(build->arena, entry->source, build->cache_dir, &item->file, err);
		if (status < 0)
			return status;
		item->path = arena_printf(build->arena, ".build-id/%.2s/%s.debug", elf->build_id, elf->build_id + 2);
		debug.count++;
	}
	qsort(debug.items, debug.count, sizeof(*debug.items), by_symbols);
	size_t kept = 0; /* the same file may be in the bundle twice */
	for (size_t i = 0; i < debug.count; i++)
		if (!kept || strcmp(debug.items[kept - 1].path, debug.items[i].path) != 0)
			debug.items[kept++] = debug.items[i];
	debug.count = kept;
	*out = debug;
	return 0;
}

void build_add_artifact(struct build *build, const char *path)
{
	struct build_result *result = build->result;
	const char **grown = arena_array(build->arena, result->artifact_count + 1, sizeof(*grown));
	if (result->artifact_count)
		memcpy(grown, result->artifacts, result->artifact_count * sizeof(*grown));
	grown[result->artifact_count++] = path;
	result->artifacts = grown;
}

const char *build_artifact_path(struct build *build, const char *suffix)
{
	return arena_printf(build->arena, "%s/_build/%s-%s%s", build->spec->project_dir, build->release->name,
			    build->release->version, suffix);
}

static int pack_debug(struct build *build, struct error *err)
{
	struct debug debug;
	int status = find_symbols(build, &debug, err);
	if (status < 0 || !debug.count)
		return status;
	struct packing packing = { .arena = build->arena,
				   .path = build_archive_path(build, "-debug"),
				   .level = build->release->compression,
				   .time = build->source_date,
				   .fill = fill_debug,
				   .context = &debug };
	build_say_packing(build, packing.path);
	status = write_archive(&packing, err);
	if (status < 0)
		return status;
	build_say(build, "* packed %s (%.1f MB)", path_base(packing.path), (double)packing.bytes / 1e6);
	build_add_artifact(build, packing.path);
	return 0;
}

int bundle_pack(struct build *build, const char *path, int level, struct error *err)
{
	struct bundle bundle;
	int status = bundle_open(build, &bundle, err);
	struct packing packing = { .arena = build->arena,
				   .path = path,
				   .level = level,
				   .time = build->source_date,
				   .fill = fill_bundle,
				   .context = &bundle };
	return status < 0 ? status : write_zstd(&packing, err);
}

int build_tar(struct build *build, struct error *err)
{
	struct bundle bundle;
	int status = bundle_open(build, &bundle, err);
	struct packing packing = { .arena = build->arena,
				   .path = build_archive_path(build, ""),
				   .level = build->release->compression,
				   .time = build->source_date,
				   .fill = fill_bundle,
				   .context = &bundle };
	build_say_packing(build, packing.path);
	if (status == 0)
		status = write_archive(&packing, err);
	if (status < 0)
		return error_wrap(err, "cannot pack release '%s'", build->release->name);
	build_say(build, "* packed %s (%.1f MB, tar sha256:%s)", path_base(packing.path), (double)packing.bytes / 1e6,
		  packing.sha256);
	build_add_artifact(build, packing.path);
	return pack_debug(build, err);
}
