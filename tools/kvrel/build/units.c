/* SPDX-License-Identifier: MIT */
#include "build/units.h"

#include "base/exchange.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>

#define START_DATA "releases/start.data"

struct units {
	const struct commit *commit;
	struct buf *steps;
};

static const char *in_root(const struct commit *commit, const char *path)
{
	return path_join(commit->arena, commit->staging->root, path);
}

static const char *in_staging(const struct commit *commit, const char *path)
{
	return path_join(commit->arena, commit->staging->path, path);
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

/* ---- steps ---------------------------------------------------------------------------------------------------- */

static void make_folder(struct units *units, const char *path)
{
	if (!fs_exists(in_root(units->commit, path)))
		exchange_add(units->steps, EXCHANGE_MAKE_FOLDER, 0, path);
}

static int place(struct units *units, const char *path, struct error *err)
{
	const char *source = in_staging(units->commit, path);
	struct stat st;
	if (lstat(source, &st) < 0)
		return error_system(err, errno, "cannot look at '%s'", source);
	exchange_add(units->steps, EXCHANGE_PLACE, st.st_ino, path);
	return 0;
}

/* Where a unit holds somebody's files too, its own are replaced one by one. */
static int place_files(struct units *units, const char *unit, struct error *err)
{
	const struct plan *plan = units->commit->plan;
	int status = 0;
	for (size_t i = 0; i < plan->count && status == 0; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		if (!is_under(entry->path, unit))
			continue;
		if (entry->kind == PLAN_DIR)
			make_folder(units, entry->path);
		else
			status = place(units, entry->path, err);
	}
	return status;
}

/* ---- units ---------------------------------------------------------------------------------------------------- */

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
		status = error_system(err, errno, "cannot create link '%s'", to);
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
		if (is_under(commit->plan->entries[i].path, unit) &&
		    !commit_entry_is_same(commit, &commit->plan->entries[i]))
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

static int place_unit(struct units *units, const struct plan_entry *first, struct error *err)
{
	const struct commit *commit = units->commit;
	const char *unit = first->path, *target = in_root(commit, unit);
	struct stat st;
	if (lstat(target, &st) < 0)
		return place(units, unit, err);
	if (unit_is_same(commit, unit))
		return 0;
	warn_users(commit, unit);
	if (first->kind != PLAN_DIR)
		return place(units, unit, err);
	int foreign = S_ISDIR(st.st_mode) ? existing_has_foreign(commit->existing, unit, err) : 0;
	if (foreign != 0)
		return foreign < 0 ? foreign : place_files(units, unit, err);
	int status = carry_over(commit, unit, err);
	return status < 0 ? status : place(units, unit, err);
}

static int place_entry(struct units *units, const struct plan_entry *entry, struct error *err)
{
	struct arena *arena = units->commit->arena;
	const char *within = path_join(arena, entry->path, "x");
	bool folder_of_units = entry->kind == PLAN_DIR && strcmp(unit_of(arena, within), within) == 0;
	if (strcmp(unit_of(arena, entry->path), entry->path) != 0 || strcmp(entry->path, START_DATA) == 0)
		return 0;
	if (!folder_of_units)
		return place_unit(units, entry, err);
	make_folder(units, entry->path);
	return 0;
}

/* Code first, then the release that uses it, then the launcher that reads the release. */
enum rank { RANK_CODE, RANK_RELEASE, RANK_LAUNCHER, RANK_COUNT };

static enum rank rank_of(const char *path)
{
	return strncmp(path, "releases/", 9) == 0 ? RANK_RELEASE
	       : strncmp(path, "bin/", 4) == 0    ? RANK_LAUNCHER
						  : RANK_CODE;
}

/* What the previous build of this version had, and nothing names any more. */
static void remove_leftovers(struct units *units)
{
	const struct commit *commit = units->commit;
	const struct installed *old = existing_version(commit->existing, commit->version);
	for (size_t i = old && old->readable ? old->manifest.count : 0; i-- > 0;) {
		const struct manifest_entry *entry = &old->manifest.entries[i];
		if (!plan_find(commit->plan, entry->path) &&
		    !existing_entry(commit->existing, entry->path, commit->version))
			exchange_add(units->steps, entry->kind == PLAN_DIR ? EXCHANGE_REMOVE_FOLDER : EXCHANGE_REMOVE,
				     0, entry->path);
	}
}

int units_plan(const struct commit *commit, struct buf *steps, struct error *err)
{
	struct units units = { commit, steps };
	int status = 0;
	for (enum rank rank = RANK_CODE; rank < RANK_COUNT; rank++)
		for (size_t i = 0; i < commit->plan->count && status == 0; i++)
			if (rank_of(commit->plan->entries[i].path) == rank)
				status = place_entry(&units, &commit->plan->entries[i], err);
	if (status == 0)
		status = place(&units, START_DATA, err);
	if (status < 0)
		return status;
	remove_leftovers(&units);
	return steps->failed ? error_set(err, ERROR_NO_MEMORY, "no memory for the list of steps") : 0;
}
