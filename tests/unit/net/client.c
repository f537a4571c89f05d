/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int t_connect(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { .tv_sec = 10 };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
		perror("connect");
		abort();
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

bool t_send_bytes(int fd, const void *data, size_t size)
{
	for (const char *at = data; size > 0;) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

void t_send(int fd, const char *text)
{
	t_send_bytes(fd, text, strlen(text));
}

const char *t_expect(int fd, const char *expected)
{
	static _Thread_local char got[4096];
	size_t size = strlen(expected), at = 0;
	assert(size < sizeof(got));
	while (at < size) {
		ssize_t n = recv(fd, got + at, size - at, 0);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	got[at] = '\0';
	return strcmp(got, expected) == 0 ? NULL : got;
}

long t_read_to_end(int fd)
{
	static _Thread_local char buffer[65536];
	long total = 0;
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		if (n < 0)
			return -1;
		if (n == 0)
			return total;
		total += n;
	}
}
