/* SPDX-License-Identifier: MIT */
#include "sync_hook.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int (*_Atomic sync_hook)(const char *path);

static int ask_first(int fd, long call)
{
	int (*hook)(const char *) = atomic_load(&sync_hook);
	char link[64], path[PATH_MAX];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	path[size > 0 ? size : 0] = '\0';
	errno = hook != NULL ? hook(path) : 0;
	return errno == 0 ? (int)syscall(call, fd) : -1;
}

/* LMDB has to find these instead of the C library's. */
#define STANDS_IN __attribute__((visibility("default")))

STANDS_IN int fsync(int fd)
{
	return ask_first(fd, SYS_fsync);
}

STANDS_IN int fdatasync(int fd)
{
	return ask_first(fd, SYS_fdatasync);
}
