/* SPDX-License-Identifier: MIT */
#include "pack/part_file.h"

#include "base/fs.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

/* NAME.PID.part, or NAME.PID.part.WHATEVER, of a process that is gone. */
static bool is_left_over(struct slice entry, struct slice name)
{
	struct slice number, word, rest = { entry.data + name.size, entry.size - name.size };
	int64_t pid;
	if (!slice_starts(entry, name) || !slice_starts(rest, SLICE(".")))
		return false;
	slice_split((struct slice){ rest.data + 1, rest.size - 1 }, '.', &number, &rest);
	slice_split(rest, '.', &word, &rest);
	return slice_is(word, "part") && slice_to_int64(number, &pid) && pid > 0 && pid <= INT32_MAX &&
	       kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* As well as it goes: what cannot be removed is in nobody's way. */
static void remove_left_overs(struct arena *arena, const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (is_left_over(slice_of(entry->d_name), slice_of(name)))
			(void)unlink(path_join(arena, folder, entry->d_name));
	if (dir)
		closedir(dir);
}

const char *part_file_name(struct arena *arena, const char *path)
{
	return arena_printf(arena, "%s.%ld.part", path, (long)getpid());
}

int part_file_open(struct arena *arena, const char *path, int *out_fd, const char **out_part, struct error *err)
{
	const char *folder = path_dir(arena, path);
	int status = fs_make_dirs(folder, 0755, err);
	if (status < 0)
		return status;
	remove_left_overs(arena, folder, path_base(path));
	const char *part = part_file_name(arena, path);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system(err, errno, "cannot create '%s'", part);
	*out_fd = fd;
	*out_part = part;
	return 0;
}
