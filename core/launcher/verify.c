/* SPDX-License-Identifier: MIT */
/*
 * The check is done by a program of the bundle that needs nothing else in it: a damaged C library, or env.sh, must not
 * stand in its way. So env.sh is not run, and where start.data is gone, any runtime's checker will do.
 */
#include "launcher.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *checker_of(struct launch *launch, const char *runtime)
{
	const char *path = arena_printf(&launch->arena, "%s/%s/bin/kvbundle", launch->root, runtime);

	return fs_exists(path) ? path : NULL;
}

static const char *any_checker(struct launch *launch)
{
	DIR *dir = opendir(*launch->root ? launch->root : "/");
	const char *found = NULL;
	struct dirent *entry;

	while (dir && !found && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "runtime-", 8) == 0)
			found = checker_of(launch, entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

static const char *find_checker(struct launch *launch)
{
	const char *found = NULL;

	if (launch->runtime_version)
		found = checker_of(launch, arena_printf(&launch->arena, "runtime-%s", launch->runtime_version));
	return found ? found : any_checker(launch);
}

int command_verify(struct launch *launch)
{
	const char *checker = find_checker(launch);
	const char *argv[5];
	size_t count = 0;

	if (!checker)
		return report(
			"there is no runtime-*/bin/kvbundle in this bundle, which checks it; use 'kvrel verify %s'",
			*launch->root ? launch->root : "/");
	if (launch->arg_count > 1 || (launch->arg_count == 1 && strcmp(launch->args[0], "--json") != 0))
		return report("'verify' takes --json only, got: %s", launch->args[launch->arg_count - 1]);
	argv[count++] = "kvbundle";
	argv[count++] = "verify";
	if (launch->arg_count)
		argv[count++] = "--json";
	argv[count++] = *launch->root ? launch->root : "/";
	argv[count] = NULL;
	execv(checker, (char *const *)argv);
	report("%s", runtime_exec_problem(&launch->arena, checker, errno));
	return EXIT_EXEC;
}
