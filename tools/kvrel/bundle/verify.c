/* SPDX-License-Identifier: MIT */
/*
 * Every file against the manifests. Where versions share a unit, the one that starts says what it must be.
 *
 * A mode may be stricter than written down (somebody unpacked under a tight umask), never looser, and the owner's x bit
 * must be right. data/, tmp/ and an operator's releases/COOKIE are no part of the bundle, nor is a
 * file system's lost+found, nor what is mounted beside the bundle's own folders.
 */
#include "build/build.h"
#include "bundle/content.h"

#include "base/exchange.h"
#include "base/scope.h"

#define COOKIE "releases/COOKIE"

struct check {
	const struct content *content;
	struct arena *arena;
	void (*report)(void *context, const char *path, const char *what);
	void *context;
	size_t mismatches;
};

static void report(struct check *check, const char *path, const char *what)
{
	check->mismatches++;
	if (check->report)
		check->report(check->context, path, what);
}

/* The entry that counts for a path: of the version that starts, else of any other. */
static const struct manifest_entry *expected(const struct content *content, const char *path)
{
	const struct manifest_entry *entry = content->current ? manifest_find(&content->current->manifest, path) : NULL;
	for (size_t i = 0; i < content->manifest_count && !entry; i++)
		entry = manifest_find(&content->manifests[i].manifest, path);
	return entry;
}

static bool mode_fits(mode_t found, mode_t wanted)
{
	return (found & ~wanted) == 0 && (found & 0100) == (wanted & 0100);
}

static void compare(struct check *check, const struct manifest_entry *entry, const struct content_item *item)
{
	static const char *const kinds[] = { "a folder", "a file", "a file", "a link" };
	struct arena *arena = check->arena;
	if (item->kind != entry->kind)
		return report(check, entry->path,
			      arena_printf(arena, "is %s, not %s", kinds[item->kind], kinds[entry->kind]));
	if (entry->kind == PLAN_LINK) {
		if (strcmp(item->target, entry->target) != 0)
			report(check, entry->path,
			       arena_printf(arena, "leads to '%s', not to '%s'", item->target, entry->target));
		return;
	}
	if (!mode_fits(item->mode, entry->mode))
		report(check, entry->path,
		       arena_printf(arena, "has mode %04o, not %04o", (unsigned)item->mode, (unsigned)entry->mode));
	if (entry->kind == PLAN_DIR || !entry->sha256)
		return;
	if (!item->sha256 && strcmp(entry->path, COOKIE) != 0)
		report(check, entry->path, "is no regular file");
	else if (item->size_bytes != entry->size_bytes)
		report(check, entry->path,
		       arena_printf(arena, "was changed: it has %llu bytes, not %llu",
				    (unsigned long long)item->size_bytes, (unsigned long long)entry->size_bytes));
	else if (item->sha256 && strcmp(item->sha256, entry->sha256) != 0)
		report(check, entry->path, "was changed: its SHA-256 is another one");
}

static void check_listed(struct check *check, const struct content_manifest *version)
{
	for (size_t i = 0; i < version->manifest.count; i++) {
		const struct manifest_entry *entry = &version->manifest.entries[i];
		/* each path once: for the manifest that counts */
		if (expected(check->content, entry->path) != entry)
			continue;
		const struct content_item *item = content_find(check->content, entry->path);
		if (!item)
			report(check, entry->path, "is missing");
		else
			compare(check, entry, item);
	}
}

static bool may_be_unlisted(const char *path)
{
	return content_keeps_text(path) || strcmp(path, COOKIE) == 0 || strcmp(path, EXCHANGE_LIST) == 0;
}

static void check_unlisted(struct check *check)
{
	const char *folder = NULL; /* an added one: its content is not named again */
	for (size_t i = 0; i < check->content->count; i++) {
		const struct content_item *item = &check->content->items[i];
		size_t length = folder ? strlen(folder) : 0;
		if (folder && strncmp(item->path, folder, length) == 0 && item->path[length] == '/')
			continue;
		if (expected(check->content, item->path) || may_be_unlisted(item->path))
			continue;
		folder = item->kind == PLAN_DIR ? item->path : folder;
		report(check, item->path, "was added");
	}
}

/* Whatever else is found then, this is the reason. */
static void check_interruption(struct check *check)
{
	if (content_find(check->content, EXCHANGE_LIST))
		report(check, EXCHANGE_LIST,
		       "says that a build was interrupted while it replaced this bundle; any command of the launcher, "
		       "or building again, takes it back");
}

/* start.data is in no manifest, as versions that lie side by side share it. */
static void check_start(struct check *check)
{
	static const char path[] = "releases/start.data";
	const struct content *content = check->content;
	struct slice runtime, version = { 0 };
	if (!content->start_data)
		return report(check, path, "is missing");
	if (!content->current) {
		slice_split(slice_trim(slice_of(content->start_data)), ' ', &runtime, &version);
		if (version.size && version.size < 100 && !memchr(version.data, '/', version.size))
			return report(check,
				      arena_printf(check->arena, "releases/%.*s/manifest.json", SLICE_FMT(version)),
				      "is missing");
		return report(check, path, "was changed: it names no version of this bundle");
	}
	const struct manifest *manifest = &content->current->manifest;
	if (!content->current->unreadable &&
	    strcmp(content->start_data,
		   arena_printf(check->arena, "%s %s\n", manifest->runtime_version, manifest->version)) != 0)
		report(check, path, "was changed: it names another runtime than the manifest");
}

/* False when a manifest cannot be read: what only it names would seem to have been added. */
static bool check_manifests(struct check *check)
{
	bool readable = true;
	for (size_t i = 0; i < check->content->manifest_count; i++) {
		const struct content_manifest *version = &check->content->manifests[i];
		if (!version->unreadable)
			continue;
		readable = false;
		report(check, arena_printf(check->arena, "releases/%s/manifest.json", version->version),
		       arena_printf(check->arena, "was changed: %s", version->unreadable));
	}
	return readable && (check->content->current || !check->content->start_data);
}

int bundle_verify(struct arena *arena, const char *bundle_or_archive,
		  void (*report_fn)(void *context, const char *path, const char *what), void *context,
		  struct error *err)
{
	struct content content;
	int status = content_read(arena, bundle_or_archive, CONTENT_DIGESTS | CONTENT_LENIENT, &content, err);
	if (status < 0)
		return status;
	struct check check = { .content = &content, .arena = arena, .report = report_fn, .context = context };
	check_interruption(&check);
	check_start(&check);
	bool all_known = check_manifests(&check);
	for (size_t i = 0; i < content.manifest_count; i++)
		check_listed(&check, &content.manifests[i]);
	if (all_known)
		check_unlisted(&check);
	if (!check.mismatches)
		return 0;
	return error_set(err, ERROR_INTEGRITY, "'%s' is not as it was built: %zu mismatch%s", bundle_or_archive,
			 check.mismatches, check.mismatches == 1 ? "" : "es");
}
