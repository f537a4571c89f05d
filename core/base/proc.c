/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn() starts the program, so that a failed exec comes back as an errno and the size of the caller does not
 * matter. The end is waited for through a pidfd beside the pipe of output; a kernel without pidfds is asked every few
 * milliseconds. Once the program has ended, what its pipe still holds is taken and nothing more is waited for: a
 * background process that it left behind cannot hold us up.
 *
 * With a time limit the program gets a process group of its own, so that all it started can be ended, and no
 * standard input (from a background group the terminal would stop it). Without one it shares the caller's group, and
 * Ctrl-C reaches both.
 */
#include "base/proc.h"

#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

enum { CHUNK_BYTES = 64 * 1024, PIPE_BYTES = 1 << 20, POLL_STEP_MS = 5, ASK_MS = 100, GRACE_MS = 5000 };

struct child {
	pid_t pid;
	bool own_group;
	int pidfd;     /* -1: none to be had */
	int out;       /* reading end, -1: none or at its end */
	int64_t until; /* monotonic, -1: no limit */
	int status;
	bool ended; /* and reaped: its number may be another's */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *env_get(const char *const *env, const char *name)
{
	size_t size = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, size) == 0 && (*env)[size] == '=')
			return *env + size + 1;
	}
	return NULL;
}

/* The file to execute: in the PATH of the environment that the program will have. */
static int find_program(struct arena *arena, const char *name, const char *const *env, const char **out,
			struct error *err)
{
	const char *path = env_get(env, "PATH");
	struct slice rest = slice_of(path ? path : "/usr/local/bin:/usr/bin:/bin"), dir;
	bool more = true;

	*out = name;
	if (strchr(name, '/'))
		return 0;
	while (more && name[0]) {
		more = slice_split(rest, ':', &dir, &rest);
		*out = path_join(arena, dir.size ? arena_copy(arena, dir) : ".", name);
		if (access(*out, X_OK) == 0)
			return 0;
	}
	return error_set(err, ERROR_NOT_FOUND, "cannot run '%s': it is not in PATH", name);
}

static int file_actions(posix_spawn_file_actions_t *actions, const struct proc_options *options, int out)
{
	int rc = 0;

	if (options->cwd)
		rc = posix_spawn_file_actions_addchdir_np(actions, options->cwd);
	if (!rc && options->timeout_ms)
		rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!rc && out >= 0)
		rc = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
	if (!rc && out >= 0 && options->stderr_to_out)
		rc = posix_spawn_file_actions_adddup2(actions, out, STDERR_FILENO);
	if (!rc && out < 0 && options->stdout_to_stderr)
		rc = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	return rc;
}

/* The new program must not inherit what this one does for its own sake: blocked signals, a SIGPIPE that is ignored. */
static int attributes(posix_spawnattr_t *attr, bool own_group)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, pipe_only;
	int rc;

	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (own_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	rc = posix_spawnattr_setsigmask(attr, &none);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(attr, &pipe_only);
	if (!rc)
		rc = posix_spawnattr_setpgroup(attr, 0);
	return rc ? rc : posix_spawnattr_setflags(attr, flags);
}

static int spawn(const struct proc_options *options, const char *file, int out, pid_t *pid)
{
	const char *const *env = options->env ? options->env : (const char *const *)environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (!rc) {
		rc = file_actions(&actions, options, out);
		if (!rc)
			rc = attributes(&attr, options->timeout_ms != 0);
		if (!rc)
			rc = posix_spawn(pid, file, &actions, &attr, (char *const *)options->argv, (char *const *)env);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* The system says "no such file" of a script, too, whose interpreter is not there. */
static int refuse(struct arena *arena, const struct proc_options *options, const char *file, int number,
		  struct error *err)
{
	char line[256] = "";
	const char *at = options->cwd ? path_join(arena, options->cwd, file) : file;
	bool there = !options->cwd || access(options->cwd, F_OK) == 0;
	SCOPE_FD int fd = number == ENOENT && there ? open(at, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0 && got > 2 && strncmp(line, "#!", 2) == 0) {
		const char *name = line + 2 + strspn(line + 2, " \t");

		return error_set(err, ERROR_NOT_FOUND, "cannot run '%s': its interpreter '%.*s' is not on this machine",
				 options->argv[0], (int)strcspn(name, " \t\r\n"), name);
	}
	if (fd >= 0)
		return error_set(err, ERROR_NOT_FOUND, "cannot run '%s': the loader it asks for is not on this machine",
				 options->argv[0]);
	if (options->cwd)
		return error_system(err, number, "cannot run '%s' in '%s'", options->argv[0], options->cwd);
	return error_system(err, number, "cannot run '%s'", options->argv[0]);
}

static int start(const struct proc_options *options, struct child *child, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE_FD int reader = -1;
	SCOPE_FD int writer = -1;
	const char *file;
	int pipe_fds[2], rc;

	rc = find_program(&arena, options->argv[0], options->env ? options->env : (const char *const *)environ, &file,
			  err);
	if (rc < 0)
		return rc;
	if (options->out) {
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return error_system(err, errno, "cannot make a pipe for '%s'", options->argv[0]);
		reader = pipe_fds[0];
		writer = pipe_fds[1];
		/* our end only: the flag belongs to the open file, and each end is one of its own */
		fcntl(reader, F_SETFL, O_NONBLOCK);
	}
	rc = spawn(options, file, writer, &child->pid);
	if (rc)
		return refuse(&arena, options, file, rc, err);
	child->own_group = options->timeout_ms != 0;
	child->until = options->timeout_ms ? now_ms() + options->timeout_ms : -1;
	child->out = TAKE_FD(reader);
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	return 0;
}

/* Takes what is there, at most what a pipe can hold: a program that never stops talking must not keep us from looking
 * at the clock. */
static int drain(struct child *child, struct buf *out, struct error *err)
{
	size_t taken = 0;

	while (child->out >= 0 && taken < PIPE_BYTES) {
		char chunk[CHUNK_BYTES];
		ssize_t got = read(child->out, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got <= 0) {
			close(child->out);
			child->out = -1;
			return got < 0 ? error_system(err, errno, "read") : 0;
		}
		taken += (size_t)got;
		buf_append(out, chunk, (size_t)got);
		if (out->failed)
			return error_set(err, ERROR_LIMIT, "more than %zu bytes of output", out->cap);
	}
	return 0;
}

/* 1: ended, 0: not yet */
static int reap(struct child *child, int flags)
{
	pid_t pid;

	do {
		pid = waitpid(child->pid, &child->status, flags);
	} while (pid < 0 && errno == EINTR);
	child->ended = pid != 0;
	return child->ended;
}

/* For the next event; by when to look again at the latest. */
static void wait_for_news(const struct child *child, const struct proc_options *options)
{
	struct pollfd fds[2] = { { .fd = child->out, .events = POLLIN }, { .fd = child->pidfd, .events = POLLIN } };
	int64_t left = child->until < 0 ? INT32_MAX : child->until - now_ms();

	if (options->cancelled && left > ASK_MS)
		left = ASK_MS;
	if (child->pidfd < 0 && left > POLL_STEP_MS)
		left = POLL_STEP_MS;
	if (left > 0)
		poll(fds, 2, left < INT32_MAX ? (int)left : -1);
}

static int watch(struct child *child, const struct proc_options *options, struct error *err)
{
	bool asked = false;

	while (!reap(child, WNOHANG)) {
		int rc;

		if (!asked && child->own_group && options->cancelled && options->cancelled()) {
			asked = true;
			kill(-child->pid, SIGTERM);
			child->until = now_ms() + GRACE_MS;
		}
		if (child->until >= 0 && child->until <= now_ms())
			return asked ? error_set(err, ERROR_FAILED, "it was asked to end, and did not within %d s",
						 GRACE_MS / 1000)
				     : error_set(err, ERROR_TRY_AGAIN, "no end within %lld ms",
						 (long long)options->timeout_ms);
		wait_for_news(child, options);
		rc = options->out ? drain(child, options->out, err) : 0;
		if (rc < 0)
			return rc;
	}
	return asked ? error_set(err, ERROR_FAILED, "it was asked to end") : 0;
}

int proc_run(const struct proc_options *options, int *status, struct error *err)
{
	struct child child = { .out = -1, .pidfd = -1 };
	int rc = start(options, &child, err);

	if (rc < 0)
		return rc;
	rc = watch(&child, options, err);
	if (rc < 0 && !child.ended) {
		kill(child.own_group ? -child.pid : child.pid, SIGKILL);
		reap(&child, 0);
	} else if (rc == 0 && options->out) {
		rc = drain(&child, options->out, err);
	}
	if (child.out >= 0)
		close(child.out);
	if (child.pidfd >= 0)
		close(child.pidfd);
	if (rc < 0)
		return error_wrap(err, "'%s' was cut off", options->argv[0]);
	*status = WIFSIGNALED(child.status) ? 128 + WTERMSIG(child.status) : WEXITSTATUS(child.status);
	return 0;
}
