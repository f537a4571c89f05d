/* SPDX-License-Identifier: MIT */
/*
 * Becoming kvnode. The bundle's own loader is executed, under a link that bears the program's name (it is what `ps` and
 * core files show), with a library path relative to the program: `--library-path ROOT/lib` would be split at ':' and
 * ';'.
 *
 * A bundle without a runtime (include_runtime: false) uses the kvnode that KVREL_RUNTIME names (a runtime folder or the
 * program itself) or that PATH finds, with its own loader.
 */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { LOADER_ARGS = 7, MANIFEST_MAX = 64 << 20 };

/* Whether it was built with one: a program of that name on the host must not take the place of one that was lost. */
static bool release_has_runtime(struct launch *launch)
{
	static const char entry[] = "\"path\": \"runtime-";
	SCOPE(buf_done) struct buf text = { 0 };

	return fs_read(release_file(launch, "manifest.json"), MANIFEST_MAX, &text, NULL) == 0 && text.size > 0 &&
	       memmem(text.data, text.size, entry, sizeof(entry) - 1) != NULL;
}

/* The folder with bin/ and lib/, NULL when the program is to be used as it is. */
static const char *runtime_folder(struct launch *launch, bool *own)
{
	const char *folder = arena_printf(&launch->arena, "%s/runtime-%s", launch->root, launch->runtime_version);
	const char *other = environ_get("KVREL_RUNTIME");

	*own = fs_is_dir(folder) || (!other && release_has_runtime(launch));
	if (*own)
		return folder;
	return other && fs_is_dir(other) ? other : NULL;
}

static const char *host_program(const char *program)
{
	const char *other = environ_get("KVREL_RUNTIME");

	return other ? other : program;
}

void runtime_line(struct launch *launch, const char *program, const char *argv0, const char *const *args,
		  size_t arg_count, struct runtime_line *out)
{
	struct arena *arena = &launch->arena;
	bool own;
	const char *folder = runtime_folder(launch, &own);
	const char *loader = folder ? arena_printf(arena, "%s/lib/ld/%s", folder, program) : NULL;
	const char **argv = arena_array(arena, LOADER_ARGS + arg_count + 1, sizeof(*argv));
	size_t n = 0;

	/* the bundle's own lacks its loader only when it is damaged: then the error names the loader */
	out->bundled = own || (folder && fs_exists(loader));
	argv[n++] = argv0;
	if (out->bundled) {
		argv[n++] = "--argv0";
		argv[n++] = argv0;
		argv[n++] = "--inhibit-cache";
		argv[n++] = "--library-path";
		argv[n++] = "$ORIGIN/../lib";
		argv[n++] = arena_printf(arena, "%s/bin/%s", folder, program);
		out->file = loader;
	} else {
		out->file = folder ? arena_printf(arena, "%s/bin/%s", folder, program) : host_program(program);
	}
	memcpy(argv + n, args, arg_count * sizeof(*argv));
	out->argv = argv;
}

const char *runtime_exec_problem(struct arena *arena, const char *file, int errnum)
{
	const char *hint = "";

	if (errnum == EACCES)
		hint = " (is it executable? is the file system mounted noexec?)";
	else if (errnum == E2BIG)
		hint = " (the arguments are too long for a command line)";
	else if (errnum == ENOENT && !strchr(file, '/'))
		hint = " in PATH (this bundle holds no runtime: install one or set KVREL_RUNTIME)";
	else if (errnum == ENOENT)
		hint = " (is the bundle whole? does releases/start.data name a runtime that is inside?)";
	else if (errnum == ENOEXEC)
		hint = " (was the bundle made for another kind of processor?)";
	return arena_printf(arena, "cannot execute '%s': %s%s", file, strerror(errnum), hint);
}

int runtime_exec(const struct runtime_line *line)
{
	struct arena arena = { 0 };

	if (line->bundled)
		environ_hide_preload();
	execvpe(line->file, (char *const *)line->argv, environ);
	report("%s", runtime_exec_problem(&arena, line->file, errno));
	arena_done(&arena);
	return EXIT_EXEC;
}

/* The cookie of the variables' order, as an option of kvnode. */
int runtime_add_cookie(struct launch *launch, const char **args, size_t *count, struct error *err)
{
	bool by_name = strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0;
	int fd;
	/* once: it leaves the environment */
	int r = launch->cookie ? 0 : cookie_resolve(launch, by_name, &launch->cookie, err);

	if (r < 0 || !launch->cookie)
		return r;
	r = cookie_to_fd(launch->cookie, &fd, err);
	if (r < 0)
		return r;
	args[(*count)++] = "--cookie-fd";
	args[(*count)++] = arena_printf(&launch->arena, "%d", fd);
	return 0;
}

int start_line(struct launch *launch, bool console, int ready_fd, struct runtime_line *out, struct error *err)
{
	const char *args[8];
	size_t count = 0;
	int r;

	args[count++] = "start";
	if (ready_fd >= 0) {
		args[count++] = "--ready-fd";
		args[count++] = arena_printf(&launch->arena, "%d", ready_fd);
	}
	r = runtime_add_cookie(launch, args, &count, err);
	if (r < 0)
		return r;
	if (console)
		args[count++] = "--console";
	/* for a restart: RELEASE_NAME may be another name than the file's */
	environ_set("KVREL_LAUNCHER", launch->self);
	runtime_line(launch, "kvnode", "kvnode", args, count, out);
	return 0;
}

static int start(struct launch *launch, bool console)
{
	struct runtime_line line;
	struct error err;

	if (start_line(launch, console, -1, &line, &err) < 0)
		return report_error(&err);
	return runtime_exec(&line);
}

int command_start(struct launch *launch)
{
	return start(launch, false);
}

int command_start_console(struct launch *launch)
{
	return start(launch, true);
}

int command_remote(struct launch *launch)
{
	const char *args[4] = { "remote" };
	size_t count = 1;
	struct runtime_line line;
	struct error err;
	int code;

	if (runtime_add_cookie(launch, args, &count, &err) < 0)
		return report_error(&err);
	code = client_greet(launch);
	if (code)
		return code;
	runtime_line(launch, "kvnode", "kvnode", args, count, &line);
	return runtime_exec(&line);
}
