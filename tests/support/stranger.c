/* SPDX-License-Identifier: MIT */
/*
 * Who has no business at the port for other nodes, one kind a sub-command:
 *
 *	stranger halves PORT N            N connections that begin a handshake; says 'open', holds them until its input
 *ends stranger record LISTEN PORT FILE  carries one connection to the node and back; FILE gets what the client said
 *	stranger replay PORT FILE         says the same again; prints how many bytes came back before the node hung up
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "stranger: %s: %s\n", what, strerror(errno));
	return 1;
}

static int halves(const char *port, unsigned count)
{
	char byte;

	t_raise_file_limit();
	for (unsigned i = 0; i < count; i++) {
		int fd = t_connect(port);
		if (fd < 0)
			return failed("connect");
		(void)!send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL); /* the node may hang up on the oldest ones */
	}
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0) {
	}
	return 0;
}

static int accept_one(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0)
		return -1;
	puts("listening");
	fflush(stdout);
	return accept(fd, NULL, NULL);
}

/* False when `from` has ended. */
static bool pass(int from, int to, FILE *copy)
{
	char piece[1 << 14];
	ssize_t got = recv(from, piece, sizeof(piece), 0);

	if (got <= 0)
		return false;
	if (copy)
		fwrite(piece, 1, (size_t)got, copy);
	return t_send(to, piece, (size_t)got);
}

static int record(const char *listen_port, const char *port, const char *path)
{
	FILE *file = fopen(path, "w");
	int client = accept_one(listen_port), node = t_connect(port);
	struct pollfd both[2] = { { .fd = client, .events = POLLIN }, { .fd = node, .events = POLLIN } };

	if (!file || client < 0 || node < 0)
		return failed("record");
	for (;;) {
		if (poll(both, 2, 20000) <= 0)
			return failed("poll");
		if (both[0].revents && !pass(client, node, file))
			break;
		if (both[1].revents && !pass(node, client, NULL))
			break;
	}
	return fclose(file) == 0 ? 0 : failed(path);
}

static int replay(const char *port, const char *path)
{
	static char said[1 << 20];
	FILE *file = fopen(path, "r");
	int fd = t_connect(port);
	size_t size, heard = 0;
	ssize_t got;

	if (!file || fd < 0)
		return failed("replay");
	size = fread(said, 1, sizeof(said), file);
	fclose(file);
	t_send(fd, said, size);
	while ((got = recv(fd, said, sizeof(said), 0)) > 0)
		heard += (size_t)got;
	if (got < 0 && errno != ECONNRESET)
		return failed("the node does not hang up");
	printf("said %zu, heard %zu\n", size, heard);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "halves") == 0)
		return halves(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 5 && strcmp(what, "record") == 0)
		return record(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(what, "replay") == 0)
		return replay(argv[2], argv[3]);
	fprintf(stderr, "usage: stranger halves PORT N | record LISTEN PORT FILE | replay PORT FILE\n");
	return 2;
}
