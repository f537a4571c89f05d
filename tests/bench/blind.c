/* SPDX-License-Identifier: MIT */
/*
 * blind PORT SIZE
 *
 * The most that a Redis server of one thread can reach on this host with sockets as they are: it counts the requests
 * that came in by the '*' that each begins with, and answers them in one piece without a further look. A SIZE of 0
 * answers with a number, as HSET, another with a bulk string of so many bytes, as HGET. What a store reaches is held
 * against it. Ends when it is killed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, PIECE_BYTES = 64 * 1024, SIZE_MAX_BYTES = 4096, PIECE_REQUESTS = PIECE_BYTES / 16 };

static char piece[PIECE_BYTES];
static char *replies;
static size_t reply_size;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void make_replies(int size)
{
	char reply[SIZE_MAX_BYTES + 32];

	reply_size = (size_t)(size == 0 ? sprintf(reply, ":0\r\n") : sprintf(reply, "$%d\r\n%0*d\r\n", size, size, 0));
	replies = malloc(reply_size * PIECE_REQUESTS);
	if (replies == NULL)
		fail("blind");
	for (size_t i = 0; i < PIECE_REQUESTS; i++)
		memcpy(replies + i * reply_size, reply, reply_size);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, EVENTS) != 0)
		fail("blind: listen");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("blind: epoll_ctl");
}

static void greet(int epoll, int listener)
{
	int one = 1, fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(epoll, fd);
}

static void answer(int fd)
{
	ssize_t got = recv(fd, piece, sizeof(piece), 0);
	const char *end = piece + (got > 0 ? got : 0);
	size_t count = 0;

	for (const char *at = piece; (at = memchr(at, '*', (size_t)(end - at))) != NULL; at++)
		count++;
	if (count > PIECE_REQUESTS)
		count = PIECE_REQUESTS;
	if (got <= 0 || (count > 0 && send(fd, replies, count * reply_size, MSG_NOSIGNAL) < 0))
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int size = argc == 3 ? atoi(argv[2]) : -1, listener, epoll = epoll_create1(EPOLL_CLOEXEC);

	if (size < 0 || size > SIZE_MAX_BYTES) {
		fprintf(stderr, "usage: blind PORT SIZE\n");
		return 2;
	}
	make_replies(size);
	listener = listen_on((uint16_t)atoi(argv[1]));
	watch(epoll, listener);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				greet(epoll, listener);
			else
				answer(events[i].data.fd);
		}
	}
}
