/* SPDX-License-Identifier: MIT */
/*
 * Which release of the bundle: releases/start.data names the current one, RELEASE_VSN another that lies beside it. An
 * older release may need an older runtime, which start.data of the bundle no longer names; then releases/VSN/start.data
 * does.
 */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { START_DATA_MAX = 1024 };

int release_parse_start(struct arena *arena, struct slice text, const char **runtime, const char **version,
			struct error *err)
{
	struct slice first, second;

	if (!slice_split(slice_trim(text), ' ', &first, &second) || !text_is_version(first) ||
	    !text_is_version(second = slice_trim(second)))
		return error_set(err, ERROR_INVALID, "expected a runtime version and a release version");
	*runtime = arena_copy(arena, first);
	*version = arena_copy(arena, second);
	return 0;
}

static int read_start(struct launch *launch, const char *path, const char **runtime, const char **version,
		      struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int r = fs_read_file(path, START_DATA_MAX, &text, err);

	if (r < 0)
		return r;
	r = release_parse_start(&launch->arena, buf_slice(&text), runtime, version, err);
	return r < 0 ? error_wrap(err, "%s", path) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The entries of a folder that `take` turns into a name (NULL: skipped), sorted. */
static size_t list_folder(struct arena *arena, const char *path, const char *(*take)(struct arena *, const char *),
			  const char ***out)
{
	DIR *dir = opendir(path);
	size_t count = 0, room = 8;
	const char **names = arena_array(arena, room, sizeof(*names));
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *name = take(arena, entry->d_name);

		if (!name)
			continue;
		if (count == room) {
			const char **more = arena_array(arena, room *= 2, sizeof(*names));

			memcpy(more, names, count * sizeof(*names));
			names = more;
		}
		names[count++] = name;
	}
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(*names), compare_names);
	*out = names;
	return count;
}

static const char *take_version(struct arena *arena, const char *entry)
{
	/* files like start.data and COOKIE lie beside the versions, which begin with a digit unless someone is odd */
	if (!text_is_version(slice_of(entry)) || strcmp(entry, "start.data") == 0 || strcmp(entry, "COOKIE") == 0)
		return NULL;
	return arena_string(arena, entry);
}

static const char *known_versions(struct launch *launch)
{
	const char **names;
	size_t count = list_folder(&launch->arena, arena_printf(&launch->arena, "%s/releases", launch->root),
				   take_version, &names);
	const char *all = count ? names[0] : "no release at all";

	for (size_t i = 1; i < count; i++)
		all = arena_printf(&launch->arena, "%s, %s", all, names[i]);
	return all;
}

static int select_wanted(struct launch *launch, const char *wanted, struct error *err)
{
	const char *own, *runtime, *version;

	if (!text_is_version(slice_of(wanted)) ||
	    !fs_is_dir(arena_printf(&launch->arena, "%s/releases/%s", launch->root, wanted)))
		return error_set(err, ERROR_NOT_FOUND, "RELEASE_VSN is '%s', which is not in this bundle; it has: %s",
				 wanted, known_versions(launch));
	launch->version = arena_string(&launch->arena, wanted);
	own = release_file(launch, "start.data");
	if (!fs_exists(own))
		return 0;
	int r = read_start(launch, own, &runtime, &version, err);

	if (r == 0)
		launch->runtime_version = runtime;
	return r;
}

int release_select(struct launch *launch, const char *wanted, struct error *err)
{
	const char *path = arena_printf(&launch->arena, "%s/releases/start.data", launch->root);
	const char *runtime, *version;
	int r = read_start(launch, path, &runtime, &version, err);

	if (r < 0)
		return r;
	launch->runtime_version = runtime;
	launch->version = version;
	if (wanted && *wanted && strcmp(wanted, version) != 0)
		return select_wanted(launch, wanted, err);
	if (!fs_is_dir(release_file(launch, ".")))
		return error_set(err, ERROR_NOT_FOUND,
				 "'%s' names release '%s', which is not in this bundle; it has: %s", path, version,
				 known_versions(launch));
	return 0;
}

const char *release_file(struct launch *launch, const char *name)
{
	return arena_printf(&launch->arena, "%s/releases/%s/%s", launch->root, launch->version, name);
}

static const char *take_command(struct arena *arena, const char *entry)
{
	struct slice name = slice_of(entry);

	if (!slice_ends(name, SLICE(".lua")))
		return NULL;
	name.size -= sizeof(".lua") - 1;
	return text_is_name(name) ? arena_copy(arena, name) : NULL;
}

size_t release_commands(struct launch *launch, const char ***names)
{
	return list_folder(&launch->arena, release_file(launch, "commands"), take_command, names);
}
