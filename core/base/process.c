/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include "base/fs.h"
#include "base/scope.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STAT_MAX = 4096,
	CLOSED_ONE_BY_ONE = 1 << 16, /* where it takes a call each; who has more than that open knows why */
};

void process_take_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
}

void process_close_range(int first, int last)
{
	struct rlimit limit;

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	/* Linux < 5.9, or a filter that does not know it */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)last)
		last = (int)limit.rlim_cur;
	for (int fd = first; fd <= last && fd < CLOSED_ONE_BY_ONE; fd++)
		close(fd);
}

/* From field `from`, where `at` is, to field `to`. */
static const char *skip_fields(const char *at, int from, int to)
{
	for (; at && from < to; from++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at;
}

const char *process_stat(pid_t pid, int field, struct buf *text)
{
	char path[64] = "/proc/self/stat";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(path, STAT_MAX, text, NULL) < 0)
		return NULL;
	/* the second field, the name, may hold anything but ends at the last ')' */
	return skip_fields(strrchr(buf_string(text), ')'), PROCESS_STATE_FIELD - 1, field);
}

unsigned long long process_start(pid_t pid)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *state = process_stat(pid, PROCESS_STATE_FIELD, &text);
	const char *at = skip_fields(state, PROCESS_STATE_FIELD, PROCESS_START_FIELD);
	unsigned long long ticks;

	return at && *state != 'Z' && *state != 'X' && sscanf(at, "%llu", &ticks) == 1 ? ticks : 0;
}
