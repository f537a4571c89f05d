/* SPDX-License-Identifier: MIT */
/*
 * A node that is reached by name: `kvnode channel` carries the commands to it, since TLS is nothing for a small static
 * program. It answers through a socket like the node's own control socket, and says itself why it could not.
 */
#include "launcher.h"

#include "base/scope.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOBODY = 3 };

static _Noreturn void become_channel(const struct runtime_line *line, int fd)
{
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(EXIT_EXEC);
	_exit(runtime_exec(line));
}

int channel_start(struct launch *launch, int *out_fd, pid_t *out_child, struct error *err)
{
	const char *args[4] = { "channel" };
	size_t count = 1;
	struct runtime_line line;
	int pair[2];
	int r = runtime_add_cookie(launch, args, &count, err);
	pid_t child;

	if (r < 0)
		return r;
	runtime_line(launch, "kvnode", "kvnode", args, count, &line);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return error_system(err, errno, "cannot make a pair of sockets");
	SCOPE_FD int ours = pair[0];
	SCOPE_FD int theirs = pair[1];

	child = fork();
	if (child < 0)
		return error_system(err, errno, "cannot start a process");
	if (child == 0)
		become_channel(&line, theirs);
	*out_fd = TAKE_FD(ours);
	*out_child = child;
	return 0;
}

enum channel_end channel_end(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOBODY)
		return CHANNEL_NOBODY;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE ? CHANNEL_HUNG_UP : CHANNEL_SAID;
}
