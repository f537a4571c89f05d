/* SPDX-License-Identifier: MIT */
/*
 * The check is done by kvbundle, a program of the bundle. env.sh is not run for it, and where start.data is gone, any
 * runtime of the bundle will do. When it cannot even run, the runtime is damaged, and that is a mismatch as well.
 */
#include "launcher.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_checker(struct launch *launch, const char *version)
{
	return fs_is_dir(arena_printf(&launch->arena, "%s/runtime-%s/lib", launch->root, version));
}

static const char *any_runtime(struct launch *launch)
{
	DIR *dir = opendir(*launch->root ? launch->root : "/");
	const char *found = NULL;
	struct dirent *entry;

	while (dir && !found && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "runtime-", 8) == 0 && has_checker(launch, entry->d_name + 8))
			found = arena_string(&launch->arena, entry->d_name + 8);
	if (dir)
		closedir(dir);
	return found;
}

static bool may_not_execute(const char *path)
{
	struct statvfs system;

	return statvfs(path, &system) == 0 && system.f_flag & ST_NOEXEC;
}

static int run_checker(const struct runtime_line *line)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return report("cannot start a process: %s", strerror(errno));
	if (pid == 0)
		_exit(runtime_exec(line));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return report("cannot wait for kvbundle: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_EXEC)
		return WEXITSTATUS(status);
	if (may_not_execute(line->file))
		return EXIT_FAILED; /* that says nothing of the bundle */
	report("the runtime in this bundle is damaged: its checker does not run; 'kvrel verify' says what was changed");
	return EXIT_MISMATCH;
}

int command_verify(struct launch *launch)
{
	const char *args[3] = { "verify" };
	size_t count = 1;
	struct runtime_line line;

	if (!launch->runtime_version || !has_checker(launch, launch->runtime_version))
		launch->runtime_version = any_runtime(launch);
	if (!launch->runtime_version)
		return report("there is no runtime in this bundle, which checks it; use 'kvrel verify %s'",
			      *launch->root ? launch->root : "/");
	if (launch->arg_count > 1 || (launch->arg_count == 1 && strcmp(launch->args[0], "--json") != 0))
		return report("'verify' takes --json only, got: %s", launch->args[launch->arg_count - 1]);
	if (launch->arg_count)
		args[count++] = "--json";
	args[count++] = *launch->root ? launch->root : "/";
	runtime_line(launch, "kvbundle", "kvbundle", args, count, &line);
	return run_checker(&line);
}
