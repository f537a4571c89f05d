/* SPDX-License-Identifier: MIT */
/*
 * proxy LISTEN PORT
 *
 * The least that a TCP proxy on this host can cost: bytes from one socket to the other, a thread each way. What a node
 * forwards is held against it. Ends when it is killed.
 */
#include "../support/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct way {
	int from, to;
};

static void *carry(void *context)
{
	struct way way = *(struct way *)context;
	char piece[1 << 16];
	ssize_t got;

	free(context);
	while ((got = recv(way.from, piece, sizeof(piece), 0)) > 0 && t_send(way.to, piece, (size_t)got)) {
	}
	shutdown(way.to, SHUT_WR);
	return NULL;
}

static bool start(int from, int to)
{
	struct way *way = malloc(sizeof(*way));
	pthread_t thread;

	if (way == NULL)
		return false;
	*way = (struct way){ from, to };
	return pthread_create(&thread, NULL, carry, way) == 0 && pthread_detach(thread) == 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 3) {
		fprintf(stderr, "usage: proxy LISTEN PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0) {
		perror("proxy");
		return 1;
	}
	for (;;) {
		int client = accept(listener, NULL, NULL), node = t_connect(argv[2]);

		if (client < 0 || node < 0)
			return 1;
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!start(client, node) || !start(node, client))
			return 1;
	}
}
