/* SPDX-License-Identifier: MIT */
#include "cli/locate.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <sys/auxv.h>

#include <errno.h>
#include <stdlib.h>

/* The name the kernel was given serves where /proc is not mounted; it may be a link. */
static const char *executable(struct arena *arena)
{
	SCOPE(buf_done) struct buf path = { 0 };
	if (fs_read_link("/proc/self/exe", &path, NULL) == 0)
		return arena_string(arena, buf_string(&path));
	const char *started = (const char *)getauxval(AT_EXECFN);
	SCOPE_FREE char *real = started ? realpath(started, NULL) : NULL;
	return real ? arena_string(arena, real) : NULL;
}

static int find(struct arena *arena, const char *root, const char *folder, const char **out, struct error *err)
{
	const char *path = path_join(arena, root, folder);
	if (!fs_is_dir(path))
		return error_set(err, ERROR_NOT_FOUND,
				 "the folder '%s' of this kvrel is missing: install kvrel again, or build all of it",
				 path);
	*out = path;
	return 0;
}

static int find_root(struct arena *arena, const char **out, struct error *err)
{
	const char *exe = executable(arena);
	if (!exe)
		return error_set(err, ERROR_FAILED, "cannot tell where kvrel lies: /proc is not mounted");
	*out = path_dir(arena, path_dir(arena, exe));
	return 0;
}

int locate_templates(struct arena *arena, const char **out, struct error *err)
{
	const char *root;
	int result = find_root(arena, &root, err);
	return result ? result : find(arena, root, "share/kvrel/templates", out, err);
}

int locate_tool(struct arena *arena, struct tool_paths *out, struct error *err)
{
	/* a distribution's package may keep libraries in lib/ARCHITECTURE */
	const char *installed = KVREL_LIBDIR "/kvrel/runtime", *root;
	struct tool_paths paths;
	int result = find_root(arena, &root, err);
	if (result == 0)
		result = find(arena, root, "share/kvrel/templates", &paths.templates, err);
	if (result != 0)
		return result;
	bool packaged = fs_is_dir(path_join(arena, root, installed));
	result = find(arena, root, packaged ? installed : "lib/kvrel/runtime", &paths.runtime, err);
	if (result == 0)
		*out = paths;
	return result;
}
