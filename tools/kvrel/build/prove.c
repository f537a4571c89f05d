/* SPDX-License-Identifier: MIT */
/*
 * `--prove`: the release once more, in another folder, with no cache, another umask, time zone and locale, and compared
 * entry by entry with what was just built. The first difference is shown.
 */
#include "build/build_steps.h"
#include "build/commit.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* What often leaks into builds. One process has one of each, so they are put back. */
static const struct {
	const char *name, *value;
} hostile[] = { { "TZ", "Pacific/Chatham" },
		{ "LC_ALL", "tr_TR.UTF-8" },
		{ "LANG", "tr_TR.UTF-8" },
		{ "HOME", "/nonexistent" },
		{ "USER", "nobody" } };

static int compare(const struct build *build, const char *root, const char *again, struct error *err)
{
	const struct plan *plan = build->plan;
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		const char *paths[] = { path_join(build->arena, root, entry->path),
					path_join(build->arena, again, entry->path) };
		struct stat st[2];
		char digests[2][DIGEST_HEX_BYTES] = { "", "" };
		for (size_t j = 0; j < 2; j++) {
			if (lstat(paths[j], &st[j]) < 0)
				return error_set(err, ERROR_INTEGRITY, "not reproducible: '%s' is in one build only",
						 entry->path);
			if (!S_ISREG(st[j].st_mode))
				continue;
			int status = digest_file(paths[j], digests[j], NULL, err);
			if (status < 0)
				return status;
		}
		const char *what = strcmp(digests[0], digests[1]) != 0            ? "content"
				   : st[0].st_mode != st[1].st_mode               ? "mode"
				   : st[0].st_mtim.tv_sec != st[1].st_mtim.tv_sec ? "time"
										  : NULL;
		if (what)
			return error_set(err, ERROR_INTEGRITY, "not reproducible: two builds differ in the %s of '%s'",
					 what, entry->path);
	}
	return 0;
}

static int build_again(struct build *build, const char *folder, struct error *err)
{
	struct spec_release release = *build->release;
	struct build_options options = *build->options;
	struct build_result result = { 0 };
	struct build again = *build;
	release.path = path_join(build->arena, folder, "elsewhere/bundle");
	release.quiet = true;
	options.verbose = false;
	options.shared = NULL; /* what is known already would prove nothing */
	again.release = &release;
	again.options = &options;
	again.result = &result;
	again.staging.lock_fd = -1;
	again.described[0] = again.described[1] = -1;
	again.cache_dir = path_join(build->arena, folder, "cache");
	int status = fs_make_dirs(again.cache_dir, 0700, err);
	if (status == 0)
		status = build_assemble(&again, err);
	build_settle(&again, false);
	build_forget_descriptions(&again);
	return status < 0 ? status : compare(build, build->release->path, release.path, err);
}

int build_prove(struct build *build, struct error *err)
{
	const char *before[ARRAY_LEN(hostile)];
	/* beside the bundle, where a killed proof is removed like any staging folder */
	const char *folder = arena_printf(build->arena, "%s.prove", build->staging.path);
	build_say(build, "* building again, elsewhere, to compare");
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		const char *value = getenv(hostile[i].name);
		before[i] = value ? arena_string(build->arena, value) : NULL;
		setenv(hostile[i].name, hostile[i].value, 1);
	}
	tzset();
	mode_t mask = umask(0077);
	int status = build_again(build, folder, err);
	umask(mask);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		if (before[i])
			setenv(hostile[i].name, before[i], 1);
		else
			unsetenv(hostile[i].name);
	}
	tzset();
	(void)fs_remove_tree(folder, NULL);
	if (status == 0)
		build_say(build, "* both builds are identical");
	return status;
}
