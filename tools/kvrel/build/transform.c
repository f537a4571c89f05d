/* SPDX-License-Identifier: MIT */
#include "build/transform.h"

#include "build/cache.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGE_BYTES_MAX = 256 << 20, TOOL_OUTPUT_BYTES = 4096 };

/* A tool of another version may make other bytes, so it is part of the key. */
static int find_tool(struct arena *arena, const char *name, const char **key, struct error *err)
{
	const char *path = getenv("PATH");
	struct slice rest = slice_of(path ? path : "/usr/bin:/bin"), folder;
	struct stat st;
	for (bool more = true; more;) {
		more = slice_split(rest, ':', &folder, &rest);
		const char *file = arena_printf(arena, "%.*s/%s", SLICE_FMT(folder), name);
		if (access(file, X_OK) == 0 && stat(file, &st) == 0) {
			*key = arena_printf(arena, "%s %lld %lld", name, (long long)st.st_size, (long long)st.st_mtime);
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND,
			 "'%s' is not installed (package binutils); install it, or set `strip: false`", name);
}

static int run_tool(const char *const *argv, struct error *err)
{
	SCOPE(buf_done) struct buf output = { 0 };
	int status, result;
	buf_init(&output, TOOL_OUTPUT_BYTES);
	result = proc_run(&(struct proc_options){ .argv = argv, .out = &output }, &status, err);
	if (result < 0)
		return result;
	return status == 0 ? 0 : error_set(err, ERROR_FAILED, "'%s' failed with exit code %d", argv[0], status);
}

/* What bears its name in the cache is believed ever after: it must not be half on the disk. */
static int sync_file(const char *path, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? error_system(err, errno, "cannot sync '%s'", path) : 0;
}

/* The cached result for this input and tool, made by `argv` with its last but one word the output's place. */
static int cached_by_tool(struct arena *arena, const char *cache_dir, const char *tool, const char *const *options,
			  const char *source, const char **out, struct error *err)
{
	char input[DIGEST_HEX_BYTES], name[DIGEST_HEX_BYTES];
	const char *key = NULL;
	int status = find_tool(arena, tool, &key, err);
	if (status == 0)
		status = digest_file(source, input, NULL, err);
	if (status == 0)
		status = digest_bytes(slice_of(arena_printf(arena, "%s %s %s", key, options[0], input)), name, err);
	if (status < 0)
		return status;
	const char *file = path_join(arena, cache_dir, name);
	if (!cache_has(file)) {
		const char *temporary = arena_printf(arena, "%s.%ld", file, (long)getpid());
		const char *argv[8] = { tool };
		size_t count = 1;
		while (*options)
			argv[count++] = *options++;
		argv[count++] = source;
		if (strcmp(tool, "strip") == 0)
			argv[count++] = "-o";
		argv[count++] = temporary;
		status = run_tool(argv, err);
		if (status == 0)
			status = sync_file(temporary, err);
		if (status == 0 && rename(temporary, file) < 0)
			status = error_system(err, errno, "cannot rename '%s'", temporary);
		if (status < 0) {
			unlink(temporary);
			return error_wrap(err, "cannot treat '%s'", source);
		}
	}
	*out = file;
	return 0;
}

static int strip_file(struct arena *arena, const char *source, const char *cache_dir, const char **out,
		      struct error *err)
{
	static const char *const options[] = { "--strip-unneeded", NULL };
	return cached_by_tool(arena, cache_dir, "strip", options, source, out, err);
}

int transform_debug(struct arena *arena, const char *source, const char *cache_dir, const char **out, struct error *err)
{
	static const char *const options[] = { "--only-keep-debug", NULL };
	return cached_by_tool(arena, cache_dir, "objcopy", options, source, out, err);
}

static int edit_loader(struct arena *arena, const char *source, const char *name, const char *cache_dir,
		       const char **out, struct error *err)
{
	char input[DIGEST_HEX_BYTES];
	int status = digest_file(source, input, NULL, err);
	if (status < 0)
		return status;
	/* 1: raise it when other strings are replaced */
	const char *file = arena_printf(arena, "%s/%s.closed1", cache_dir, input);
	if (!cache_has(file)) {
		SCOPE(buf_done) struct buf image = { 0 };
		status = fs_read(source, IMAGE_BYTES_MAX, &image, err);
		if (status == 0)
			status = edit_loader_image(image.data, image.size, name, err);
		if (status > 0)
			status = fs_replace(file, buf_slice(&image), 0644, err);
		if (status < 0)
			return status;
	}
	*out = file;
	return 0;
}

/* A file as it was when it was prepared: another size or time means another file. */
struct prepared {
	struct stat st;
	struct plan_entry entry;
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool recall(const struct build_shared *shared, const struct stat *st, struct plan_entry *entry)
{
	for (size_t i = 0; i < shared->prepared_count; i++) {
		const struct prepared *known = &shared->prepared[i];
		if (known->entry.change != entry->change || strcmp(known->entry.source, entry->source) != 0 ||
		    !is_same_file(&known->st, st))
			continue;
		entry->content = known->entry.content;
		entry->changed = known->entry.changed;
		entry->size_bytes = known->entry.size_bytes;
		memcpy(entry->sha256, known->entry.sha256, sizeof(entry->sha256));
		memcpy(entry->sha1, known->entry.sha1, sizeof(entry->sha1));
		return true;
	}
	return false;
}

static void remember(struct arena *arena, struct build_shared *shared, const struct stat *st,
		     const struct plan_entry *entry)
{
	if (shared->prepared_count == shared->prepared_capacity) {
		size_t capacity = shared->prepared_capacity ? 2 * shared->prepared_capacity : 64;
		struct prepared *grown = arena_array(arena, capacity, sizeof(*grown));
		if (shared->prepared_count)
			memcpy(grown, shared->prepared, shared->prepared_count * sizeof(*grown));
		shared->prepared = grown;
		shared->prepared_capacity = capacity;
	}
	shared->prepared[shared->prepared_count++] = (struct prepared){ *st, *entry };
}

/* Overlays may be any number of files, and are the releases' own mostly. */
static bool is_common(const struct plan_entry *entry)
{
	return entry->origin == FROM_RUNTIME || entry->origin == FROM_COMPONENT || entry->origin == FROM_PACKAGE;
}

static int prepare_file(struct plan *plan, struct plan_entry *entry, const char *cache_dir, struct error *err)
{
	int status = 0;
	entry->content = entry->source;
	if (entry->change == CHANGE_STRIP && elf_is(entry->source))
		status = strip_file(plan->arena, entry->source, cache_dir, &entry->content, err);
	else if (entry->change == CHANGE_EDIT_LOADER)
		status = edit_loader(plan->arena, entry->source, path_base(entry->path), cache_dir, &entry->content,
				     err);
	struct stat st;
	if (status == 0 && entry->content == entry->source && stat(entry->source, &st) == 0)
		entry->changed = st.st_ctim;
	if (status == 0)
		status = digest_file_twice(entry->content, entry->sha256, entry->sha1, &entry->size_bytes, err);
	return status;
}

static int digest_text(struct plan_entry *entry, struct error *err)
{
	SCOPE(digest_done) struct digest digest;
	int status = digest_begin(&digest, true, err);
	if (status == 0)
		status = digest_add(&digest, entry->text.data, entry->text.size, err);
	return status < 0 ? status : digest_end(&digest, entry->sha256, entry->sha1, err);
}

static int prepare_once(struct plan *plan, struct plan_entry *entry, const char *cache_dir, struct build_shared *shared,
			struct error *err)
{
	struct stat st;
	if (!shared || !is_common(entry) || stat(entry->source, &st) < 0)
		return prepare_file(plan, entry, cache_dir, err);
	if (recall(shared, &st, entry))
		return 0;
	int status = prepare_file(plan, entry, cache_dir, err);
	if (status == 0)
		remember(plan->arena, shared, &st, entry);
	return status;
}

int plan_prepare(struct plan *plan, const char *cache_dir, struct build_shared *shared, struct error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_entry *entry = &plan->entries[i];
		int status = 0;
		if (entry->kind == PLAN_FILE) {
			status = prepare_once(plan, entry, cache_dir, shared, err);
		} else if (entry->kind == PLAN_TEXT) {
			entry->size_bytes = entry->text.size;
			status = digest_text(entry, err);
		}
		if (status < 0)
			return status;
	}
	return 0;
}
