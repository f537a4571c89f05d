/* SPDX-License-Identifier: MIT */
/*
 * The first process of a container. Linux keeps from it every signal that it has no handler for, and makes it the
 * parent of everybody's orphans. A shell in env.sh, a launcher that waits or a node that reads its configuration would
 * not be stopped by SIGTERM there, and the orphans of hooks and scripts would stay zombies for ever. So it stays this
 * small program, which has one child: the launcher proper, and by and by the node. It passes signals on, waits for
 * whoever ends, and ends when its child does, with the same code.
 */
#include "launcher.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends this process when it was the child. */
static void wait_for_ended(pid_t child)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			_exit(exit_code_of(status));
}

static _Noreturn void serve(pid_t child, const sigset_t *all)
{
	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(all, &info);

		if (number == SIGCHLD)
			wait_for_ended(child);
		else if (number > 0 && info.si_code <= 0) /* what a terminal sends, the child gets itself */
			kill(child, number);
	}
}

void init_stay_behind(void)
{
	sigset_t all, old;
	pid_t child;

	if (getpid() != 1)
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = fork();
	if (child > 0)
		serve(child, &all);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child < 0) /* then it has to be the first process itself */
		report("cannot start a process: %s", strerror(errno));
}
