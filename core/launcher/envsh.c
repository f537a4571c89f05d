/* SPDX-License-Identifier: MIT */
/*
 * env.sh by an exec chain: this launcher becomes a POSIX shell that sources env.sh and becomes the launcher again. So
 * the process id and stdin stay, env.sh sees the launcher's "$@", and `exit N` in it ends the command with N.
 *
 * That a process comes back from env.sh is told by an environment variable that holds its own process id: nobody
 * inherits it by accident, as it is made after env.sh and taken away at once, and another process has another id. It
 * also holds the version whose env.sh ran: changing RELEASE_VSN in env.sh is too late, as in mix.
 *
 * The shell's script holds the paths as literals, not in variables, so that it disturbs no variable of the caller.
 */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK "KVREL_ENV_SH"

enum { ENVSH_MAX = 1 << 20 };

bool envsh_is_idle(struct slice text)
{
	struct slice line;

	text = slice_skip_bom(text);
	while (text.size) {
		slice_split(text, '\n', &line, &text);
		line = slice_trim(line);
		if (line.size && line.data[0] != '#')
			return false;
	}
	return true;
}

bool envsh_take_mark(struct arena *arena, const char **version)
{
	const char *mark = getenv(MARK);
	char *end = NULL;
	bool mine;

	if (!mark)
		return false;
	mine = strtol(mark, &end, 10) == getpid() && end != mark && *end == ' ';
	if (mine)
		*version = arena_string(arena, end + 1);
	unsetenv(MARK);
	return mine;
}

const char *envsh_script(struct launch *launch, const char *path, bool has_cookie)
{
	struct arena *arena = &launch->arena;
	const char *names = "";

	for (size_t i = 0; i < environ_count(); i++)
		names = arena_printf(arena, "%s %s", names, environ_names[i]);
	/* The cookie becomes a variable of the shell alone, so that no program that env.sh runs inherits it. */
	return arena_printf(
		arena, "%s. %s\nexport%s\nexport " MARK "=\"$$ %s\"\nexec %s \"$@\"",
		has_cookie ? "set -- \"$RELEASE_COOKIE\" \"$@\"\nunset RELEASE_COOKIE\nRELEASE_COOKIE=$1\nshift\n" : "",
		shell_quote(arena, path), names, launch->version, shell_quote(arena, launch->self));
}

/* Executes the host's shell, or the bundle's where the host has none. Returns only to fail. */
static int exec_shell(struct launch *launch, const char *script, struct error *err)
{
	size_t count = 3 + 1 + launch->arg_count;
	const char **args = arena_array(&launch->arena, count + 2, sizeof(*args));
	struct runtime_line line;

	args[0] = "sh";
	args[1] = "-c";
	args[2] = script;
	args[3] = launch->argv0;
	args[4] = launch->command->name;
	memcpy(args + 5, launch->args, launch->arg_count * sizeof(*args));
	execv("/bin/sh", (char *const *)args);
	if (errno != ENOENT && errno != EACCES && errno != ENOTDIR)
		return error_system(err, errno, "cannot execute /bin/sh for env.sh");
	runtime_line(launch, "sh", "sh", args + 1, count + 1, &line);
	if (!line.bundled)
		return error_set(err, ERROR_NOT_FOUND,
				 "env.sh needs a POSIX shell: there is no /bin/sh, and this bundle holds none either");
	environ_hide_preload();
	execv(line.file, (char *const *)line.argv);
	return error_system(err, errno, "env.sh needs a POSIX shell: there is no /bin/sh, and '%s'", line.file);
}

int envsh_run(struct launch *launch, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *path = release_file(launch, "env.sh");
	struct error problem;

	if (fs_read_file(path, ENVSH_MAX, &text, &problem) < 0) {
		if (problem.code == ERROR_NOT_FOUND)
			return 0;
		*err = problem;
		return -(int)problem.code;
	}
	if (envsh_is_idle(buf_slice(&text)))
		return 0;
	return exec_shell(launch, envsh_script(launch, path, environ_get("RELEASE_COOKIE")), err);
}
