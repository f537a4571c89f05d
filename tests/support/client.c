/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int t_connect(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct timeval patience = { .tv_sec = 20 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

bool t_send(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		at += sent;
		size -= (size_t)sent;
	}
	return true;
}

/* Makes room and reads once more; false at the end of the stream. */
static bool fill(struct t_client *client)
{
	ssize_t got;

	memmove(client->input, client->input + client->start, client->end - client->start);
	client->end -= client->start;
	client->start = 0;
	if (client->end == sizeof(client->input))
		return false;
	do {
		got = recv(client->fd, client->input + client->end, sizeof(client->input) - client->end, 0);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	client->end += (size_t)got;
	return true;
}

char *t_line(struct t_client *client)
{
	for (;;) {
		char *line = client->input + client->start;
		char *end = memchr(line, '\n', client->end - client->start);
		if (end) {
			client->start = (size_t)(end + 1 - client->input);
			if (end > line && end[-1] == '\r')
				end--;
			*end = '\0';
			return line;
		}
		if (!fill(client))
			return NULL;
	}
}

void t_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
