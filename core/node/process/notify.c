/* SPDX-License-Identifier: MIT */
#include "node/process/notify.h"

#include "base/control.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RESTART_VARIABLE "KVREL_RESTART_FD"

static int adopt(int fd)
{
	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return fd;
}

/* A descriptor that somebody set by mistake is left alone: it must be a Unix socket. */
static int restart_fd(void)
{
	const char *text = getenv(RESTART_VARIABLE);
	int64_t number;
	int domain = 0;
	socklen_t size = sizeof(domain);
	bool is_number = text != NULL && slice_to_int64(slice_of(text), &number) && number > 2 && number < 1 << 20;
	unsetenv(RESTART_VARIABLE);
	if (!is_number || getsockopt((int)number, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX)
		return -1;
	return adopt((int)number);
}

void notify_init(struct notify *notify, int ready_fd)
{
	notify->ready_fd = adopt(ready_fd);
	notify->restart_fd = restart_fd();
}

static void tell(struct notify *notify, const char *line, uint8_t exit_code, const char *reason)
{
	int ready_fd = TAKE_FD(notify->ready_fd);
	int client_fd = TAKE_FD(notify->restart_fd);
	if (ready_fd >= 0) {
		/* who waited may have gone: nothing to do about it */
		(void)fs_write_all(ready_fd, line, strlen(line), NULL);
		(void)fs_write_all(ready_fd, "\n", 1, NULL);
		close(ready_fd);
	}
	if (client_fd >= 0) {
		char payload[1 + ERROR_MESSAGE_BYTES];
		int size = snprintf(payload, sizeof(payload), "%c%s", exit_code, reason);
		if (exit_code == 0)
			size = 1;
		(void)control_send(client_fd, CONTROL_DONE, (struct slice){ payload, (size_t)size }, NULL);
		close(client_fd);
	}
}

void notify_ready(struct notify *notify)
{
	tell(notify, "ready", 0, "");
	notify_manager("READY=1");
}

void notify_failed(struct notify *notify, const struct error *why)
{
	tell(notify, why->message, (uint8_t)error_exit_code(why->code), why->message);
}

void notify_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t size = path != NULL ? strlen(path) : 0;
	if (size < 2 || size >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, size);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract name space */
	SCOPE_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0)
		log_warn("node", LOG_FIELDS(LOG_S("state", state)), "cannot tell the service manager: %s",
			 strerror(errno));
}

int notify_hand_over(int client_fd, struct error *err)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", client_fd);
	if (fcntl(client_fd, F_SETFD, 0) != 0 || setenv(RESTART_VARIABLE, number, 1) != 0)
		return error_system(err, errno, "cannot hand the connection over to the next image");
	return 0;
}

void notify_reloading(void)
{
	char state[64];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_manager(state);
}
