/* SPDX-License-Identifier: MIT */
#include "build/runtime_parts.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum { LIBRARIES_MAX = 64 };

static int check_parts(struct arena *arena, const char *runtime, struct error *err)
{
	static const char *const parts[] = { "bin/kvnode", "bin/kvbundle", "lib/libkvnode.so", "launcher" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const char *path = path_join(arena, runtime, parts[i]);
		if (!fs_exists(path))
			return error_set(err, ERROR_NOT_FOUND,
					 "this installation of kvrel lacks '%s'; build or install it completely", path);
	}
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_library(const char *name)
{
	return slice_starts(slice_of(name), SLICE("lib")) && slice_ends(slice_of(name), SLICE(".so"));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int runtime_libraries(struct arena *arena, const char *runtime, const char *const **out, size_t *count,
		      struct error *err)
{
	int status = check_parts(arena, runtime, err);
	if (status < 0)
		return status;
	const char *folder = path_join(arena, runtime, "lib");
	SCOPE(close_dir) DIR *dir = opendir(folder);
	if (!dir)
		return error_system(err, errno, "cannot open '%s'", folder);
	const char **names = arena_array(arena, LIBRARIES_MAX, sizeof(*names));
	size_t found = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!is_library(entry->d_name))
			continue;
		if (found == LIBRARIES_MAX)
			return error_set(err, ERROR_LIMIT, "over %d libraries lie in '%s'", LIBRARIES_MAX, folder);
		names[found++] = arena_string(arena, entry->d_name);
	}
	qsort(names, found, sizeof(*names), by_name);
	*out = names;
	*count = found;
	return 0;
}
