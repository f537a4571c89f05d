/* SPDX-License-Identifier: MIT */
#include "build/cache.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60, KEPT_S = 30 * DAY_S };

/* A folder of the user alone below the one for temporary files, whose name others could have taken. */
static int temporary_cache(struct arena *arena, const char **out, struct error *err)
{
	const char *base = getenv("TMPDIR");
	const char *path = arena_printf(arena, "%s/kvrel-cache-%lu", base && *base == '/' ? base : "/tmp",
					(unsigned long)geteuid());
	int status = fs_make_dirs(path, 0700, err);
	if (status < 0)
		return status;
	struct stat st;
	if (lstat(path, &st) < 0)
		return error_system(err, errno, "cannot look at '%s'", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return error_set(err, ERROR_FAILED, "'%s' is not a folder of this user alone; remove it, or set TMPDIR",
				 path);
	*out = path;
	return 0;
}

int cache_folder(struct arena *arena, const char *project_dir, const char **out, struct error *err)
{
	const char *own = path_join(arena, project_dir, "_build/.cache/kvrel");
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	/* The others are for a project that is read-only, or another user's, and for users without a home. */
	const char *const folders[] = {
		own,
		base && *base == '/' ? path_join(arena, base, "kvrel") : NULL,
		home && *home == '/' ? path_join(arena, home, ".cache/kvrel") : NULL,
	};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (folders[i] && fs_make_dirs(folders[i], i == 0 ? 0755 : 0700, NULL) == 0 &&
		    access(folders[i], W_OK) == 0) {
			*out = folders[i];
			return 0;
		}
	}
	return temporary_cache(arena, out, err);
}

bool cache_has(const char *file)
{
	struct stat st;
	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (time(NULL) - st.st_mtime > DAY_S)
		(void)utimensat(AT_FDCWD, file, NULL, 0); /* who may not is no owner of the cache, who prunes it */
	return true;
}

void cache_prune(const char *folder)
{
	DIR *dir = opendir(folder);
	struct stat st;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    time(NULL) - st.st_mtime > KEPT_S)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}
