/* SPDX-License-Identifier: MIT */
#include "build/commit.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define START_DATA "releases/start.data"

static const char *in_root(const struct commit *commit, const char *path)
{
	return path_join(commit->arena, commit->staging->root, path);
}

static const char *in_staging(const struct commit *commit, const char *path)
{
	return path_join(commit->arena, commit->staging->path, path);
}

static bool link_is(const char *path, struct slice target)
{
	SCOPE(buf_done) struct buf text = { 0 };
	return fs_read_link(path, &text, NULL) == 0 && slice_equal(buf_slice(&text), target);
}

static bool content_is(const char *path, struct slice content)
{
	SCOPE(buf_done) struct buf text = { 0 };
	return fs_read(path, content.size + 1, &text, NULL) == 0 && slice_equal(buf_slice(&text), content);
}

static bool file_is(const char *path, const char *sha256)
{
	char found[DIGEST_HEX_BYTES];
	return digest_file(path, found, NULL, NULL) == 0 && strcmp(found, sha256) == 0;
}

static bool time_is(const struct stat *st, int64_t seconds)
{
	return st->st_mtim.tv_sec == seconds && st->st_mtim.tv_nsec == 0;
}

/*
 * Do the bytes in the root have the digest of the plan? They are believed to be what a manifest says when the file has
 * the time that kvrel gave it: a later change would have left another one.
 */
static bool digest_is(const struct commit *commit, const struct plan_entry *entry, const struct stat *st)
{
	for (size_t i = 0; i < commit->existing->count; i++) {
		const struct installed *version = &commit->existing->versions[i];
		const struct manifest_entry *known =
			version->readable ? manifest_find(&version->manifest, entry->path) : NULL;
		if (known && known->sha256 && strcmp(known->sha256, entry->sha256) == 0 &&
		    time_is(st, version->manifest.source_date))
			return true;
	}
	return false;
}

/* Is the entry in the root what the plan says? Its time counts too, unless it is shared with another version. */
static bool is_same(const struct commit *commit, const struct plan_entry *entry)
{
	const char *path = in_root(commit, entry->path);
	struct stat st;
	if (lstat(path, &st) < 0)
		return false;
	if (entry->kind == PLAN_DIR)
		return S_ISDIR(st.st_mode) && (st.st_mode & 07777) == entry->mode;
	if (!time_is(&st, commit->source_date) && !existing_entry(commit->existing, entry->path, commit->version))
		return false;
	if (entry->kind == PLAN_LINK)
		return S_ISLNK(st.st_mode) && link_is(path, entry->text);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 07777) != entry->mode || (uint64_t)st.st_size != entry->size_bytes)
		return false;
	if (entry->kind == PLAN_TEXT)
		return content_is(path, entry->text);
	/* the manifest lists neither itself nor its digest */
	return digest_is(commit, entry, &st) || (entry->origin == FROM_GENERATED && file_is(path, entry->sha256));
}

bool commit_is_needless(const struct commit *commit)
{
	if (!commit->existing->present || !existing_version(commit->existing, commit->version))
		return false;
	for (size_t i = 0; i < commit->plan->count; i++)
		if (!is_same(commit, &commit->plan->entries[i]))
			return false;
	/* An entry that the previous build of this version had and this one has not. */
	const struct installed *old = existing_version(commit->existing, commit->version);
	for (size_t i = 0; old->readable && i < old->manifest.count; i++)
		if (!plan_find(commit->plan, old->manifest.entries[i].path))
			return false;
	return old->readable;
}

/* The unit that a path belongs to: its first `depth` parts. The path itself when it is no unit of several files. */
static const char *unit_of(struct arena *arena, const char *path)
{
	static const struct {
		const char *prefix;
		int depth;
	} units[] = { { "share/licenses/", 3 }, { "lib/", 2 }, { "releases/", 2 }, { "runtime-", 1 } };
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strncmp(path, units[i].prefix, strlen(units[i].prefix)) != 0)
			continue;
		const char *end = path;
		for (int part = 0; part < units[i].depth && end; part++)
			end = strchr(part ? end + 1 : end, '/');
		return end ? arena_copy(arena, (struct slice){ path, end - path }) : path;
	}
	return path;
}

static bool is_under(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int swap(const char *a, const char *b, unsigned flags, struct error *err)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, flags) < 0)
		return error_system(err, errno, "rename '%s' to '%s'", a, b);
	return 0;
}

static int make_parents(const struct commit *commit, const char *path, struct error *err)
{
	const char *parent = path_dir(commit->arena, path);
	return strcmp(parent, ".") == 0 ? 0 : fs_make_dirs(in_root(commit, parent), 0755, err);
}

/* One file or link over whatever is there. */
static int replace_file(const struct commit *commit, const char *path, struct error *err)
{
	int status = make_parents(commit, path, err);
	return status < 0 ? status : swap(in_staging(commit, path), in_root(commit, path), 0, err);
}

/* Where a unit holds somebody's files too, its own are replaced one by one. */
static int replace_files(const struct commit *commit, const char *unit, struct error *err)
{
	int status = 0;
	for (size_t i = 0; i < commit->plan->count && status == 0; i++) {
		const struct plan_entry *entry = &commit->plan->entries[i];
		if (!is_under(entry->path, unit))
			continue;
		status = entry->kind == PLAN_DIR ? fs_make_dirs(in_root(commit, entry->path), 0755, err)
						 : replace_file(commit, entry->path, err);
	}
	return status;
}

static int carry_entry(const struct commit *commit, const struct manifest_entry *entry, struct error *err)
{
	const char *from = in_root(commit, entry->path), *to = in_staging(commit, entry->path);
	if (entry->kind == PLAN_DIR)
		return fs_make_dirs(to, 0755, err);
	int status = fs_make_dirs(path_dir(commit->arena, to), 0755, err);
	if (status < 0 || !fs_exists(from))
		return status;
	if (entry->kind == PLAN_FILE)
		status = fs_copy_file(from, to, entry->mode, err);
	else if (symlink(entry->target, to) < 0 && errno != EEXIST)
		status = error_system(err, errno, "create link '%s'", to);
	return status < 0 ? status : set_time(to, commit->source_date, err);
}

/* Entries of a unit that only other versions name must still be there afterwards. */
static int carry_over(const struct commit *commit, const char *unit, struct error *err)
{
	for (size_t i = 0; i < commit->existing->count; i++) {
		const struct installed *version = &commit->existing->versions[i];
		if (!version->readable || strcmp(version->version, commit->version) == 0)
			continue;
		for (size_t j = 0; j < version->manifest.count; j++) {
			const struct manifest_entry *entry = &version->manifest.entries[j];
			if (!is_under(entry->path, unit) || plan_find(commit->plan, entry->path))
				continue;
			int status = carry_entry(commit, entry, err);
			if (status < 0)
				return status;
		}
	}
	return 0;
}

static void warn_users(const struct commit *commit, const char *unit)
{
	for (size_t i = 0; commit->warn && i < commit->existing->count; i++) {
		const struct installed *version = &commit->existing->versions[i];
		if (!version->readable || strcmp(version->version, commit->version) == 0)
			continue;
		if (manifest_find(&version->manifest, unit))
			commit->warn(commit->context,
				     arena_printf(commit->arena, "'%s' changes, and release %s uses it as well", unit,
						  version->version));
	}
}

static bool unit_is_same(const struct commit *commit, const char *unit)
{
	for (size_t i = 0; i < commit->plan->count; i++)
		if (is_under(commit->plan->entries[i].path, unit) && !is_same(commit, &commit->plan->entries[i]))
			return false;
	const struct installed *old = existing_version(commit->existing, commit->version);
	for (size_t i = 0; old && old->readable && i < old->manifest.count; i++) {
		const char *path = old->manifest.entries[i].path;
		if (is_under(path, unit) && !plan_find(commit->plan, path) &&
		    !existing_entry(commit->existing, path, commit->version))
			return false;
	}
	return true;
}

static int place_unit(const struct commit *commit, const struct plan_entry *first, const char *unit, struct error *err)
{
	const char *target = in_root(commit, unit), *source = in_staging(commit, unit);
	struct stat st;
	if (lstat(target, &st) < 0) {
		int status = make_parents(commit, unit, err);
		return status < 0 ? status : swap(source, target, 0, err);
	}
	if (unit_is_same(commit, unit))
		return 0;
	warn_users(commit, unit);
	if (first->kind != PLAN_DIR)
		return replace_file(commit, unit, err);
	int foreign = S_ISDIR(st.st_mode) ? existing_has_foreign(commit->existing, unit, err) : 0;
	if (foreign != 0)
		return foreign < 0 ? foreign : replace_files(commit, unit, err);
	int status = carry_over(commit, unit, err);
	if (status < 0)
		return status;
	status = swap(source, target, RENAME_EXCHANGE, err);
	/* a file system without exchange */
	return status == 0 ? 0 : replace_files(commit, unit, err);
}

/* Code first, then the release that uses it, then the launcher that reads the release. */
enum rank { RANK_CODE, RANK_RELEASE, RANK_LAUNCHER, RANK_COUNT };

static enum rank rank_of(const char *path)
{
	return strncmp(path, "releases/", 9) == 0 ? RANK_RELEASE
	       : strncmp(path, "bin/", 4) == 0    ? RANK_LAUNCHER
						  : RANK_CODE;
}

static int place_entry(const struct commit *commit, const struct plan_entry *entry, struct error *err)
{
	const char *within = path_join(commit->arena, entry->path, "x");
	bool folder_of_units = entry->kind == PLAN_DIR && strcmp(unit_of(commit->arena, within), within) == 0;
	if (strcmp(unit_of(commit->arena, entry->path), entry->path) != 0 || strcmp(entry->path, START_DATA) == 0)
		return 0;
	return folder_of_units ? fs_make_dirs(in_root(commit, entry->path), 0755, err)
			       : place_unit(commit, entry, entry->path, err);
}

static int place_units(const struct commit *commit, struct error *err)
{
	for (enum rank rank = RANK_CODE; rank < RANK_COUNT; rank++)
		for (size_t i = 0; i < commit->plan->count; i++) {
			const struct plan_entry *entry = &commit->plan->entries[i];
			int status = rank_of(entry->path) == rank ? place_entry(commit, entry, err) : 0;
			if (status < 0)
				return status;
		}
	return replace_file(commit, START_DATA, err);
}

/* What the previous build of this version had, and nothing names any more. Best effort: it does no harm where it is. */
static void remove_leftovers(const struct commit *commit)
{
	const struct installed *old = existing_version(commit->existing, commit->version);
	for (size_t i = old && old->readable ? old->manifest.count : 0; i-- > 0;) {
		const struct manifest_entry *entry = &old->manifest.entries[i];
		if (plan_find(commit->plan, entry->path) ||
		    existing_entry(commit->existing, entry->path, commit->version))
			continue;
		if (entry->kind == PLAN_DIR)
			(void)rmdir(in_root(commit, entry->path));
		else
			(void)unlink(in_root(commit, entry->path));
	}
}

/* Renames gave the folders above the units the time of day. */
static void restore_times(const struct commit *commit)
{
	for (size_t i = commit->plan->count; i-- > 0;)
		if (commit->plan->entries[i].kind == PLAN_DIR)
			(void)set_time(in_root(commit, commit->plan->entries[i].path), commit->source_date, NULL);
	(void)set_time(commit->staging->root, commit->source_date, NULL);
}

static int replace(const struct commit *commit, enum commit_way *way, struct error *err)
{
	const struct existing *existing = commit->existing;
	bool alone = existing->count == 1 && existing_version(existing, commit->version);
	int foreign = alone ? existing_has_foreign(existing, "", err) : 1;
	if (foreign < 0)
		return foreign;
	if (!foreign && swap(commit->staging->path, commit->staging->root, RENAME_EXCHANGE, NULL) == 0) {
		*way = COMMIT_SWAPPED;
		return 0;
	}
	int status = place_units(commit, err);
	if (status < 0)
		return status;
	remove_leftovers(commit);
	restore_times(commit);
	*way = COMMIT_UNITS;
	return 0;
}

static int place_first(const struct commit *commit, enum commit_way *way, struct error *err)
{
	int status = swap(commit->staging->path, commit->staging->root, 0, err);
	if (status == 0)
		*way = COMMIT_NEW;
	return status;
}

void commit_undo(const struct staging *staging, enum commit_way way)
{
	if (way == COMMIT_NEW)
		(void)swap(staging->root, staging->path, 0, NULL);
	else if (way == COMMIT_SWAPPED)
		(void)swap(staging->root, staging->path, RENAME_EXCHANGE, NULL);
}

int commit_bundle(const struct commit *commit, enum commit_way *way, struct error *err)
{
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	int status = commit->existing->present ? replace(commit, way, err) : place_first(commit, way, err);
	if (status == 0)
		(void)fs_sync_dir(commit->staging->parent, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
