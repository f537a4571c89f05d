/* SPDX-License-Identifier: MIT */
/*
 * How often the heart has started the node lately is handed from heart to heart in the environment (HISTORY_VARIABLE:
 * the times, in seconds since the machine's boot): more than RESTARTS_MAX within RESTARTS_SECONDS and it gives up. Each
 * restart of such a row waits longer.
 */
#include "node/process/heart.h"

#include "base/log.h"
#include "base/process.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/process/handover.h"
#include "node/process/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HISTORY_VARIABLE "KVREL_HEART_TIMES"

enum {
	TIMEOUT_DEFAULT_S = 60,
	ABORT_MS = 5000, /* for the backtrace and the core of a node that hangs */
	POLL_GONE_MS = 20,
	RESTARTS_MAX = 5,
	RESTARTS_SECONDS = 60,
	PIPE_FD = 3,
	PIDFD_FD = 4,
	COOKIE_FD = 5,
	FIRST_OTHER_FD = 6,
};

struct heart {
	struct node *node;
	pid_t pid; /* of the node */
	int pipe;
	int pidfd; /* -1: the kernel has none */
	int timeout_ms;
	int64_t history[RESTARTS_MAX];
	unsigned history_count;
};

static int beat_fd = -1;

/* ---- the node's side ---- */

static void say(char byte)
{
	ssize_t ignored = write(beat_fd, &byte, 1); /* a full pipe is as good: the heart has enough to read */
	(void)ignored;
}

void heart_beat(void)
{
	static bool complained;
	char byte = 'b';
	if (beat_fd < 0)
		return;
	if (write(beat_fd, &byte, 1) < 0 && errno == EPIPE && !complained) {
		log_warn("node", LOG_NONE, "the heart is gone: nobody watches this node now");
		complained = true;
	}
}

void heart_before_silence(void)
{
	heart_beat();
	notify_manager("WATCHDOG=1");
}

void heart_end(void)
{
	if (beat_fd >= 0)
		say('e');
}

/* ---- the heart ---- */

static int64_t seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

enum verdict { ORDERLY, DIED, HANGS };

static enum verdict watch(const struct heart *heart)
{
	struct pollfd poll_fd = { .fd = heart->pipe, .events = POLLIN };
	int timeout_ms = -1; /* until the first beat it boots, which may take its time */
	for (;;) {
		char bytes[256];
		int ready = poll(&poll_fd, 1, timeout_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return HANGS;
		ssize_t got = read(heart->pipe, bytes, sizeof(bytes));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* who started it learns that the boot failed */
			return timeout_ms < 0 ? ORDERLY : DIED;
		if (memchr(bytes, 'e', (size_t)got) != NULL)
			return ORDERLY;
		timeout_ms = heart->timeout_ms;
	}
}

static bool wait_gone(const struct heart *heart, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = heart->pidfd, .events = POLLIN };
	if (heart->pidfd >= 0)
		return poll(&poll_fd, 1, timeout_ms) > 0;
	for (int waited = 0; kill(heart->pid, 0) == 0 || errno != ESRCH; waited += POLL_GONE_MS) {
		if (timeout_ms >= 0 && waited >= timeout_ms)
			return false;
		poll(NULL, 0, POLL_GONE_MS);
	}
	return true;
}

/* Its number may be another process's by now. */
static void signal_node(const struct heart *heart, int number)
{
	if (heart->pidfd < 0 || (syscall(SYS_pidfd_send_signal, heart->pidfd, number, NULL, 0) != 0 && errno == ENOSYS))
		kill(heart->pid, number);
}

static void end_hanging_node(const struct heart *heart)
{
	log_error("heart", LOG_FIELDS(LOG_I("pid", heart->pid), LOG_I("silent_ms", heart->timeout_ms)),
		  "the node hangs; ending it");
	signal_node(heart, SIGABRT);
	if (wait_gone(heart, ABORT_MS))
		return;
	signal_node(heart, SIGKILL);
	wait_gone(heart, -1);
}

/* Forgets old restarts and adds this one; false when there were too many. */
static bool may_restart(struct heart *heart)
{
	int64_t now = seconds_now();
	unsigned kept = 0;
	for (unsigned i = 0; i < heart->history_count; i++) {
		if (now - heart->history[i] < RESTARTS_SECONDS)
			heart->history[kept++] = heart->history[i];
	}
	heart->history_count = kept;
	if (kept == RESTARTS_MAX)
		return false;
	heart->history[heart->history_count++] = now;
	return true;
}

static void export_history(const struct heart *heart)
{
	char text[RESTARTS_MAX * 24] = "";
	size_t size = 0;
	for (unsigned i = 0; i < heart->history_count; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%lld ", (long long)heart->history[i]);
	setenv(HISTORY_VARIABLE, text, 1);
}

static const char *what_to_run(const struct heart *heart)
{
	const char *command = getenv("HEART_COMMAND");
	return command != NULL && command[0] != '\0' ? command : heart->node->release.launcher;
}

static _Noreturn void become_command(const char *command)
{
	if (getenv("HEART_COMMAND") != NULL && strcmp(command, getenv("HEART_COMMAND")) == 0)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	else
		execl(command, command, "daemon", (char *)NULL);
	log_error("heart", LOG_NONE, "cannot start the node again: %s", strerror(errno));
	_exit(1);
}

/* Waits for the command: a daemon's tells whether the node is ready. False when it failed. */
static bool run_command(const struct heart *heart, const char *command)
{
	int status = 0;
	bool is_given = getenv("HEART_COMMAND") != NULL && strcmp(command, getenv("HEART_COMMAND")) == 0;
	/* what somebody wrote may hold a secret */
	log_notice("heart", LOG_FIELDS(LOG_S("command", is_given ? "HEART_COMMAND" : command)),
		   "starting the node again");
	export_history(heart);
	pid_t pid = fork();
	if (pid == 0)
		become_command(command);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

static _Noreturn void start_again(struct heart *heart)
{
	const char *command = what_to_run(heart);
	while (may_restart(heart)) {
		poll(NULL, 0, (int)(heart->history_count - 1) * 1000);
		if (run_command(heart, command))
			_exit(0);
		logfile_reopen();
	}
	log_error("heart", LOG_FIELDS(LOG_I("restarts", RESTARTS_MAX), LOG_I("seconds", RESTARTS_SECONDS)),
		  "the node ends again and again; giving up");
	_exit(1);
}

static _Noreturn void restart(struct heart *heart, enum verdict verdict)
{
	char reason[96];
	snprintf(reason, sizeof(reason), "heart: process %ld %s", (long)heart->pid,
		 verdict == HANGS ? "did not answer" : "died");
	logfile_reopen(); /* the node may have rotated it */
	if (verdict == HANGS)
		end_hanging_node(heart);
	else
		wait_gone(heart, -1);
	log_error("heart", LOG_NONE, "%s", reason + strlen("heart: "));
	handover_prepare(heart->node, reason, heart->node->cookie.size > 0 ? COOKIE_FD : -1);
	start_again(heart);
}

/* Nothing of the node's stays open but what the heart needs, and its log. */
static void take_descriptors(struct heart *heart, int cookie_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[] = { fcntl(heart->pipe, F_DUPFD, FIRST_OTHER_FD), fcntl(heart->pidfd, F_DUPFD, FIRST_OTHER_FD),
		      fcntl(cookie_fd, F_DUPFD, FIRST_OTHER_FD) };
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* whoever reads the node's stdout must see its end */
	for (int i = 0; i < (int)ARRAY_LEN(fds); i++) {
		close(PIPE_FD + i);
		if (fds[i] >= 0)
			dup2(fds[i], PIPE_FD + i);
	}
	for (int i = PIPE_FD; i < COOKIE_FD; i++)
		fcntl(i, F_SETFD, FD_CLOEXEC);
	process_close_range(FIRST_OTHER_FD,
			    INT_MAX); /* the pipe's other end as well: its end tells that the node died */
	heart->pipe = PIPE_FD;
	heart->pidfd = fds[1] >= 0 ? PIDFD_FD : -1;
}

static _Noreturn void be_heart(struct heart *heart, int cookie_fd)
{
	setsid();
	prctl(PR_SET_NAME, "kvnode-heart");
	take_descriptors(heart, cookie_fd);
	if (cookie_fd < 0)
		release_forget_cookie(&heart->node->cookie);
	enum verdict verdict = watch(heart);
	if (verdict == ORDERLY)
		_exit(0);
	restart(heart, verdict);
}

/* ---- starting it ---- */

static void read_environment(struct heart *heart)
{
	const char *timeout = getenv("HEART_BEAT_TIMEOUT");
	const char *history = getenv(HISTORY_VARIABLE);
	int64_t number;
	heart->timeout_ms = TIMEOUT_DEFAULT_S * 1000;
	if (timeout != NULL && slice_to_int64(slice_of(timeout), &number) && number >= 2 && number <= 86400)
		heart->timeout_ms = (int)number * 1000;
	struct slice rest = history != NULL ? slice_of(history) : (struct slice){ 0 };
	while (rest.size > 0 && heart->history_count < RESTARTS_MAX) {
		struct slice word;
		slice_split(rest, ' ', &word, &rest);
		if (slice_to_int64(word, &number))
			heart->history[heart->history_count++] = number;
	}
	unsetenv(HISTORY_VARIABLE);
}

/* Two forks: the heart is no child of the node, which therefore never has to wait for it. */
static void fork_twice(struct heart *heart, int cookie_fd, int *failed)
{
	pid_t first = fork();
	*failed = first < 0 ? errno : 0;
	if (first == 0) {
		pid_t second = fork();
		if (second == 0)
			be_heart(heart, cookie_fd);
		_exit(second < 0 ? errno : 0);
	}
	int status = 0;
	while (first > 0 && waitpid(first, &status, 0) < 0 && errno == EINTR)
		;
	if (first > 0 && WIFEXITED(status))
		*failed = WEXITSTATUS(status);
}

int heart_start(struct node *node, struct error *err)
{
	struct heart heart = { .node = node, .pid = getpid() };
	int fds[2];
	int failed = 0;
	read_environment(&heart);
	if (!node->flags.heart)
		return 0;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return error_system(err, errno, "cannot make the pipe of the heart");
	SCOPE_FD int reader = fds[0];
	SCOPE_FD int writer = fds[1];
	SCOPE_FD int pidfd = (int)syscall(SYS_pidfd_open, heart.pid, 0);
	SCOPE_FD int cookie_fd = handover_cookie(node);
	heart.pipe = reader;
	heart.pidfd = pidfd;
	if (fcntl(writer, F_SETFL, O_NONBLOCK) != 0)
		return error_system(err, errno, "cannot set up the pipe of the heart");
	fork_twice(&heart, cookie_fd, &failed);
	if (failed != 0)
		return error_system(err, failed, "cannot start the heart");
	beat_fd = TAKE_FD(writer);
	return 0;
}
