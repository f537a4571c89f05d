/* SPDX-License-Identifier: MIT */
#include "bundle.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char component_yaml[] = "name: echo\n"
				     "version: \"1.0.0\"\n"
				     "dependencies: []\n"
				     "config:\n"
				     "  refuse: {type: string, default: \"\"}\n"
				     "  hang: {type: boolean, default: false}\n"
				     "  loudness: {type: integer, min: 0, max: 100, default: 3, live: true}\n"
				     "  port: {type: port, default: 4040}\n"
				     "  token: {type: string, secret: true}\n"
				     "  wait: {type: duration, default: \"30s\"}\n"
				     "  size: {type: size, default: \"64KiB\"}\n"
				     "  where: {type: path, default: \"${RELEASE_ROOT}/x\"}\n"
				     "  names: {type: list, default: []}\n"
				     "  limits: {type: map, default: {a: 1, b: 2}}\n"
				     "  durability: {type: enum, values: [always, everysec, none], default: always}\n";

static const char sys_yaml[] = "format: 1\n"
			       "release: {name: foo, version: \"0.0.1\"}\n"
			       "runtime_config: runtime.lua\n"
			       "components:\n"
			       "  - {name: echo, version: \"1.0.0\", mode: permanent}\n"
			       "project_components: [echo, other]\n"
			       "config: {echo: {port: 4050}}\n"
			       "origins: {echo.port: \"releases.yaml:9:7\"}\n";

void t_bundle_write(struct bundle *bundle, const char *path, const char *content)
{
	struct error err;
	const char *file = path_join(&bundle->arena, bundle->root, path);
	cr_assert(fs_make_dirs(path_dir(&bundle->arena, file), 0755, &err) == 0, "%s", err.message);
	cr_assert(fs_replace(file, slice_of(content), 0644, &err) == 0, "%s", err.message);
}

void t_bundle_library(struct bundle *bundle, const char *fixture)
{
	const char *link = path_join(&bundle->arena, bundle->root, "lib/echo-1.0.0/echo.so");
	unlink(link);
	cr_assert(symlink(arena_printf(&bundle->arena, FIXTURES "/%s.so", fixture), link) == 0);
}

static void set(struct bundle *bundle, const char *name, const char *path)
{
	setenv(name, path_join(&bundle->arena, bundle->root, path), 1);
}

void t_bundle_init(struct bundle *bundle)
{
	static const char *const others[] = { "RELEASE_MODE", "RELEASE_DISTRIBUTION", "RELEASE_VSN", "PORT",
					      "NOTIFY_SOCKET" };
	char folder[] = "/tmp/kvrel-node-XXXXXX";
	*bundle = (struct bundle){ 0 };
	cr_assert_not_null(mkdtemp(folder));
	bundle->root = arena_string(&bundle->arena, folder);
	t_bundle_write(bundle, "lib/echo-1.0.0/component.yaml", component_yaml);
	t_bundle_library(bundle, "echo");
	t_bundle_write(bundle, "releases/0.0.1/sys.yaml", sys_yaml);
	t_bundle_write(bundle, "releases/0.0.1/vm.args", "# flags\n--workers 1\n");
	t_bundle_write(bundle, "releases/0.0.1/runtime.lua", "");
	t_bundle_write(bundle, "releases/start.data", "1.0.0 0.0.1\n");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		unsetenv(others[i]);
	setenv("RELEASE_ROOT", bundle->root, 1);
	setenv("RELEASE_NAME", "foo", 1);
	setenv("RELEASE_NODE", "foo@here", 1);
	set(bundle, "RELEASE_TMP", "tmp");
	set(bundle, "RELEASE_DATA", "data");
	set(bundle, "RELEASE_VM_ARGS", "releases/0.0.1/vm.args");
	set(bundle, "RELEASE_SYS_CONFIG", "releases/0.0.1/sys");
	set(bundle, "XDG_RUNTIME_DIR", "run");
	t_bundle_write(bundle, "run/.keep", "");
}

void t_bundle_done(struct bundle *bundle)
{
	fs_remove_tree(bundle->root, NULL);
	arena_done(&bundle->arena);
}

static _Noreturn void become(const char *const *args, int ready_fd, int out_fd)
{
	const char *argv[32] = { KVNODE, args[0] };
	size_t count = 2;
	char number[16];
	snprintf(number, sizeof(number), "%d", ready_fd);
	if (ready_fd >= 0) {
		argv[count++] = "--ready-fd";
		argv[count++] = number;
	}
	for (size_t i = 1; args[i] != NULL && count < ARRAY_LEN(argv) - 1; i++)
		argv[count++] = args[i];
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	execv(KVNODE, (char *const *)argv);
	_exit(127);
}

void t_process_start(struct process *process, const char *const *args, bool ready)
{
	int ready_pipe[2] = { -1, -1 };
	int out_pipe[2];
	cr_assert(pipe(out_pipe) == 0 && (!ready || pipe(ready_pipe) == 0));
	process->pid = fork();
	cr_assert(process->pid >= 0);
	if (process->pid == 0) {
		close(out_pipe[0]);
		if (ready)
			close(ready_pipe[0]);
		become(args, ready_pipe[1], out_pipe[1]);
	}
	close(out_pipe[1]);
	if (ready)
		close(ready_pipe[1]);
	process->out_fd = out_pipe[0];
	process->ready_fd = ready_pipe[0];
}

static const char *read_to_end(struct bundle *bundle, int fd)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	for (;;) {
		cr_assert(poll(&wait, 1, 20000) == 1, "the process says nothing for 20 seconds: %s", buf_string(&text));
		ssize_t got = read(fd, buf_reserve(&text, 4097), 4096);
		if (got <= 0)
			break;
		text.size += (size_t)got;
	}
	close(fd);
	return arena_copy(&bundle->arena, buf_slice(&text));
}

const char *t_process_ready(struct bundle *bundle, struct process *process)
{
	return read_to_end(bundle, process->ready_fd);
}

int t_process_wait(struct bundle *bundle, struct process *process, const char **output)
{
	int status;
	*output = read_to_end(bundle, process->out_fd);
	cr_assert(waitpid(process->pid, &status, 0) == process->pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int t_run(struct bundle *bundle, const char *const *args, const char **output)
{
	struct process process;
	t_process_start(&process, args, false);
	return t_process_wait(bundle, &process, output);
}
