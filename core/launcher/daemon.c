/* SPDX-License-Identifier: MIT */
/*
 * The node in the background. The parent returns when the node is ready, or with the reason why it is not: the node
 * writes one line to --ready-fd. Should it die without a word, its log has the last one.
 *
 * The node gets a session of its own (two forks: it can never get a controlling terminal again), no descriptor of the
 * caller but the two that it is told of, and the bundle's root as its folder. While the parent waits it adopts the node
 * (PR_SET_CHILD_SUBREAPER), so that it learns how it ended.
 */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	REASON_MAX = 16 * 1024,
	TAIL_MAX = 64 * 1024,
	TAIL_LINES = 10,
	END_MS = 5 * 1000, /* for a node that failed or was interrupted to be gone */
	TICK_MS = 2,
	EXIT_SIGNAL = 128, /* and its number, as a shell says it */
};

struct boot {
	const char *log_path;
	off_t log_start; /* where this boot's part of the log begins */
	pid_t group;     /* the node's process group */
	int ready;       /* reads what the node says */
	int interrupted; /* by that signal; 0: it was not */
	int status;      /* of waitpid, when `ended` */
	bool ended;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	interrupted = signal_number;
}

const char *daemon_log_path(struct launch *launch)
{
	const char *node = environ_get("RELEASE_NODE");

	/* several nodes of one bundle bear different names: each has its own */
	return arena_printf(&launch->arena, "%s/log/%.*s.log", environ_get("RELEASE_TMP"), (int)strcspn(node, "@"),
			    node);
}

struct slice daemon_tail(struct slice text, size_t lines)
{
	size_t at = text.size;

	while (at > 0) {
		if (text.data[at - 1] == '\n' && at != text.size && lines-- <= 1)
			break;
		at--;
	}
	return (struct slice){ text.data + at, text.size - at };
}

/* ---- the child's side ---- */

static void close_others(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	process_close_range(3, low - 1);
	process_close_range(low < 3 ? 3 : low + 1, high - 1);
	process_close_range(high < 3 ? 3 : high + 1, INT_MAX);
}

static int cookie_option(const struct runtime_line *line)
{
	for (const char **word = line->argv; *word; word++)
		if (strcmp(*word, "--cookie-fd") == 0)
			return atoi(word[1]);
	return -1;
}

static _Noreturn void become_node(struct launch *launch, const struct runtime_line *line, int log, int ready)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
		dprintf(ready, "cannot set up the daemon's files: /dev/null: %s\n", strerror(errno));
		_exit(EXIT_FAILED);
	}
	if (chdir(*launch->root ? launch->root : "/") != 0 && chdir("/") != 0) {
		dprintf(ready, "cannot enter '%s': %s\n", launch->root, strerror(errno));
		_exit(EXIT_FAILED);
	}
	close_others(ready, cookie_option(line));
	if (line->bundled)
		environ_hide_preload();
	execvp(line->file, (char *const *)line->argv);
	dprintf(ready, "%s\n", runtime_exec_problem(&launch->arena, line->file, errno));
	_exit(EXIT_EXEC);
}

/* In the first child: leads the session, leaves the node behind. */
static _Noreturn void detach(struct launch *launch, const struct runtime_line *line, int log, int ready,
			     const sigset_t *mask)
{
	pid_t node;

	setsid();
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	node = fork();
	if (node == 0)
		become_node(launch, line, log, ready);
	if (node < 0)
		dprintf(ready, "cannot start a process: %s\n", strerror(errno));
	_exit(EXIT_DONE);
}

/* ---- the parent's side ---- */

static int open_log(struct launch *launch, struct boot *boot, int *out, struct error *err)
{
	const char *folder = arena_printf(&launch->arena, "%s/log", environ_get("RELEASE_TMP"));
	int r = fs_make_dirs(folder, 0750, err);
	struct stat st;

	if (r < 0)
		return r;
	boot->log_path = daemon_log_path(launch);
	SCOPE_FD int fd = -1;

	r = fs_open_file(boot->log_path, O_WRONLY | O_APPEND | O_CREAT, 0640, &fd, err);
	if (r < 0)
		return error_wrap(err, "cannot write the log");
	if (fstat(fd, &st) != 0)
		return error_system(err, errno, "cannot write the log '%s'", boot->log_path);
	boot->log_start = st.st_size;
	*out = TAKE_FD(fd);
	return 0;
}

static void catch_signals(sigset_t *old)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, old);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Up to the end of the line, of the stream, or a signal. */
static void read_reason(struct boot *boot, struct buf *reason)
{
	struct pollfd poll_fd = { .fd = boot->ready, .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	while (!reason->failed && !memchr(reason->data ? reason->data : "", '\n', reason->size)) {
		char part[512];
		ssize_t size;

		if (ppoll(&poll_fd, 1, NULL, &none) < 0) {
			boot->interrupted = interrupted;
			if (boot->interrupted)
				return;
			continue;
		}
		size = read(boot->ready, part, sizeof(part));
		if (size <= 0)
			return;
		buf_append(reason, part, (size_t)size);
	}
}

/* The node is a child of ours now, as its own parent has ended. */
static void wait_end(struct boot *boot, int limit_ms)
{
	for (int waited = 0; !boot->ended && waited < limit_ms; waited += TICK_MS) {
		pid_t pid = waitpid(-boot->group, &boot->status, WNOHANG);

		if (pid > 0)
			boot->ended = true;
		else if (pid < 0 && errno == ECHILD)
			return;
		else
			nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000L }, NULL);
	}
}

static int end_interrupted(struct boot *boot)
{
	kill(-boot->group, SIGTERM);
	wait_end(boot, END_MS);
	if (!boot->ended)
		kill(-boot->group, SIGKILL);
	report("interrupted before the node was ready: it was stopped");
	return EXIT_SIGNAL + boot->interrupted;
}

static const char *how_it_ended(struct arena *arena, const struct boot *boot)
{
	if (!boot->ended)
		return "";
	if (WIFSIGNALED(boot->status))
		return arena_printf(arena, " (killed by signal %d)", WTERMSIG(boot->status));
	return arena_printf(arena, " (exit code %d)", WEXITSTATUS(boot->status));
}

/* What the log got from this boot. */
static void read_log_tail(const struct boot *boot, struct buf *out)
{
	SCOPE_FD int fd = -1;
	off_t end = fs_open_file(boot->log_path, O_RDONLY, 0, &fd, NULL) == 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = end - TAIL_MAX > boot->log_start ? end - TAIL_MAX : boot->log_start;
	char *to = end > from ? buf_reserve(out, (size_t)(end - from)) : NULL;
	ssize_t size = to ? pread(fd, to, (size_t)(end - from), from) : 0;

	if (size > 0)
		out->size += (size_t)size;
}

static int died_silently(struct launch *launch, const struct boot *boot)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *node = environ_get("RELEASE_NODE");
	const char *how = how_it_ended(&launch->arena, boot);
	struct slice tail;

	read_log_tail(boot, &text);
	tail = slice_trim(daemon_tail(buf_slice(&text), TAIL_LINES));
	if (!tail.size)
		return report("%s ended before it was ready%s and wrote nothing to its log '%s'", node, how,
			      boot->log_path);
	return report("%s ended before it was ready%s; the end of its log '%s':\n%.*s", node, how, boot->log_path,
		      SLICE_FMT(tail));
}

static int outcome(struct launch *launch, struct boot *boot)
{
	SCOPE(buf_done) struct buf reason = { 0 };
	struct slice line;

	buf_init(&reason, REASON_MAX);
	read_reason(boot, &reason);
	if (boot->interrupted)
		return end_interrupted(boot);
	line = slice_trim(buf_slice(&reason));
	if (slice_is(line, "ready"))
		return EXIT_DONE;
	wait_end(boot, END_MS);
	return line.size ? report("%.*s", SLICE_FMT(line)) : died_silently(launch, boot);
}

int command_daemon(struct launch *launch)
{
	struct boot boot = { .ready = -1 };
	struct runtime_line line;
	struct error err;
	sigset_t mask;
	int ready[2], log = -1;
	pid_t first;

	if (open_log(launch, &boot, &log, &err) < 0)
		return report_error(&err);
	if (pipe(ready) != 0 || fcntl(ready[0], F_SETFD, FD_CLOEXEC) != 0)
		return report("cannot make a pipe: %s", strerror(errno));
	if (start_line(launch, false, ready[1], &line, &err) < 0)
		return report_error(&err);
	environ_set("KVREL_LOG_FILE", boot.log_path); /* the node rotates it */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	catch_signals(&mask);
	first = fork();
	if (first < 0)
		return report("cannot start a process: %s", strerror(errno));
	if (first == 0)
		detach(launch, &line, log, ready[1], &mask);
	close(ready[1]);
	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	boot.group = first;
	boot.ready = ready[0];
	return outcome(launch, &boot);
}
