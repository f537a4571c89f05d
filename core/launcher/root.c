/* SPDX-License-Identifier: MIT */
/*
 * The bundle is wherever this file lies: ROOT/bin/NAME. /proc/self/exe tells, whatever argv[0], PATH, the current
 * folder and symbolic links say. Without /proc the kernel's AT_EXECFN does (the path given to execve, made whole here).
 *
 * A start with raised privileges is refused: the loader drops $ORIGIN then, and who may hard-link a set-user-ID
 * launcher beside a folder of his own would choose the libraries.
 */
#include "launcher.h"

#include "base/exchange.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int root_split(struct arena *arena, const char *path, const char **root, const char **name, struct error *err)
{
	const char *base = path_base(path);
	const char *bin = path_dir(arena, path);
	const char *folder;

	if (path[0] != '/' || !*base || strcmp(path_base(bin), "bin") != 0)
		return error_set(err, ERROR_INVALID,
				 "'%s' is no launcher of a bundle: it must lie in the bundle's folder 'bin'", path);
	folder = path_dir(arena, bin);
	if (strchr(folder, '$'))
		return error_set(err, ERROR_INVALID,
				 "the bundle lies in '%s': the dynamic loader would expand the '$', move the bundle",
				 folder);
	*root = strcmp(folder, "/") == 0 ? "" : folder;
	*name = base;
	return 0;
}

/* A launcher that was replaced while it started is shown as "… (deleted)". */
static bool self_by_proc(char path[PATH_MAX])
{
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX);
	static const char gone[] = " (deleted)";
	size_t tail = sizeof(gone) - 1;

	if (size <= 0 || size >= PATH_MAX)
		return false;
	path[size] = '\0';
	return (size_t)size < tail || strcmp(path + size - tail, gone) != 0 || access(path, F_OK) == 0;
}

static int self_by_auxv(char path[PATH_MAX], struct error *err)
{
	const char *given = (const char *)getauxval(AT_EXECFN); // NOLINT: the kernel's pointer

	if (!given || !*given)
		return error_set(err, ERROR_NOT_FOUND, "cannot find out where this program lies: mount /proc");
	if (!realpath(given, path))
		return error_system(err, errno, "cannot find out where this program lies: '%s'", given);
	return 0;
}

int root_find(struct launch *launch, struct error *err)
{
	char path[PATH_MAX];

	if (getauxval(AT_SECURE))
		return error_set(
			err, ERROR_FAILED,
			"refusing to run with raised privileges (set-user-ID, set-group-ID or file capabilities); "
			"for a low port use ambient capabilities, for instance systemd's AmbientCapabilities=");
	if (!self_by_proc(path)) {
		int r = self_by_auxv(path, err);

		if (r < 0)
			return r;
	}
	launch->self = arena_string(&launch->arena, path);
	return root_split(&launch->arena, launch->self, &launch->root, &launch->file_name, err);
}

int root_settle(const struct launch *launch, struct error *err)
{
	SCOPE(buf_done) struct buf version = { 0 };
	/* "" would be the caller's folder: whoever owns that would say what is to be moved where */
	const char *root = *launch->root ? launch->root : "/";
	struct error why;

	if (!exchange_is_open(root) || exchange_recover(root, true, &version, &why) == 0)
		return 0;
	return error_set(err, ERROR_TRY_AGAIN,
			 "a build that was to replace this bundle was interrupted, and it cannot be taken back here: "
			 "%s; run 'kvrel build' again, or this command as the bundle's owner",
			 why.message);
}
