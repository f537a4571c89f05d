/* SPDX-License-Identifier: MIT */
#include "build/commit.h"
#include "build/units.h"

#include "base/exchange.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *in_root(const struct commit *commit, const char *path)
{
	return path_join(commit->arena, commit->staging->root, path);
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

bool commit_entry_is_same(const struct commit *commit, const struct plan_entry *entry)
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
		if (!commit_entry_is_same(commit, &commit->plan->entries[i]))
			return false;
	/* An entry that the previous build of this version had and this one has not. */
	const struct installed *old = existing_version(commit->existing, commit->version);
	for (size_t i = 0; old->readable && i < old->manifest.count; i++)
		if (!plan_find(commit->plan, old->manifest.entries[i].path))
			return false;
	return old->readable;
}

/* Renames gave the folders above the units the time of day. */
static void restore_times(const struct commit *commit)
{
	for (size_t i = commit->plan->count; i-- > 0;)
		if (commit->plan->entries[i].kind == PLAN_DIR)
			(void)set_time(in_root(commit, commit->plan->entries[i].path), commit->source_date, NULL);
	(void)set_time(commit->staging->root, commit->source_date, NULL);
}

static int swap(const char *a, const char *b, unsigned flags, struct error *err)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, flags) < 0)
		return error_system(err, errno, "cannot rename '%s' to '%s'", a, b);
	return 0;
}

static int replace_units(const struct commit *commit, struct placed *placed, struct error *err)
{
	const struct staging *staging = commit->staging;
	SCOPE(buf_done) struct buf steps = { 0 };
	int status = units_plan(commit, &steps, err);
	if (status == 0)
		status = exchange_run(staging->root, staging->path, commit->version, buf_slice(&steps), err);
	if (status < 0)
		return status;
	restore_times(commit);
	const char *kept = arena_copy(commit->arena, buf_slice(&steps));
	*placed = (struct placed){ COMMIT_UNITS, commit->version, { kept, steps.size } };
	return 0;
}

static int replace(const struct commit *commit, struct placed *placed, struct error *err)
{
	const struct existing *existing = commit->existing;
	bool alone = existing->count == 1 && existing_version(existing, commit->version);
	int foreign = alone ? existing_has_foreign(existing, "", err) : 1;
	if (foreign < 0)
		return foreign;
	if (foreign || swap(commit->staging->path, commit->staging->root, RENAME_EXCHANGE, NULL) < 0)
		return replace_units(commit, placed, err);
	placed->way = COMMIT_SWAPPED;
	return 0;
}

static int place_first(const struct commit *commit, struct placed *placed, struct error *err)
{
	int status = swap(commit->staging->path, commit->staging->root, 0, err);
	if (status == 0)
		placed->way = COMMIT_NEW;
	return status;
}

void commit_undo(const struct staging *staging, const struct placed *placed)
{
	if (placed->way == COMMIT_NEW)
		(void)swap(staging->root, staging->path, 0, NULL);
	else if (placed->way == COMMIT_SWAPPED)
		(void)swap(staging->root, staging->path, RENAME_EXCHANGE, NULL);
	else if (placed->way == COMMIT_UNITS)
		(void)exchange_undo(staging->root, staging->path, placed->version, placed->steps, NULL);
}

int commit_bundle(const struct commit *commit, struct placed *placed, struct error *err)
{
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	int status = commit->existing->present ? replace(commit, placed, err) : place_first(commit, placed, err);
	if (status == 0)
		(void)fs_sync_dir(commit->staging->parent, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
