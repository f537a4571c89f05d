/* SPDX-License-Identifier: MIT */
/* A process that leaves its store as kill -9 does. */
#ifndef TEST_KV_KILLED_H
#define TEST_KV_KILLED_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Twice: true in a process of its own, which is to end by _exit(0), then false in the test. */
static inline bool in_who_is_killed(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		return true;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "status 0x%x", status);
	return false;
}

#endif
