/* SPDX-License-Identifier: MIT */
#include "node/process/handover.h"

#include "base/fs.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/process/logfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define REASON_VARIABLE      "KVREL_BOOT_REASON"
#define COOKIE_FD_VARIABLE   "KVREL_COOKIE_FD"
#define COOKIE_KEEP_VARIABLE "KVREL_COOKIE_KEEP"

int handover_cookie(const struct node *node)
{
	if (getenv(COOKIE_KEEP_VARIABLE) == NULL || node->cookie.size == 0)
		return -1;
	SCOPE_FD int fd = memfd_create("cookie", MFD_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0400) != 0 || fs_write_all(fd, node->cookie.data, node->cookie.size, NULL) != 0)
		return -1;
	return TAKE_FD(fd);
}

void handover_prepare(const struct node *node, const char *reason, int cookie_fd)
{
	char number[16];
	release_forget_version(&node->release);
	logfile_hand_over();
	setenv(REASON_VARIABLE, reason, 1);
	if (cookie_fd < 0)
		return;
	snprintf(number, sizeof(number), "%d", cookie_fd);
	if (fcntl(cookie_fd, F_SETFD, 0) == 0)
		setenv(COOKIE_FD_VARIABLE, number, 1);
}

const char *handover_take_reason(struct node *node)
{
	const char *reason = getenv(REASON_VARIABLE);
	const char *kept = reason != NULL ? arena_string(&node->arena, reason) : NULL;
	unsetenv(REASON_VARIABLE);
	return kept;
}
