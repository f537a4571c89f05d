/* SPDX-License-Identifier: MIT */
/*
 * Clients that do not behave, one kind a sub-command:
 *
 *	storm halfopen PORT N          N connections that send half a line; says 'open', holds them until its input ends
 *	storm vanish PORT N            N connections that send requests and a half one, and are gone
 *	storm rubbish PORT BYTES SEED  random bytes; reads whatever comes back
 *	storm longline PORT BYTES      one line that does not end; prints what the node says
 *	storm slow PORT BUCKET         follows a bucket with a small receive buffer; says 'open', reads nothing until
 *	                               its input ends, then all: prints how many lines came and the last one
 */
#include "client.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int halfopen(const char *port, unsigned count)
{
	char byte;

	t_raise_file_limit();
	for (unsigned i = 0; i < count; i++) {
		int fd = t_connect(port);
		if (fd < 0 || !t_send(fd, "PUT half", 8)) {
			fprintf(stderr, "storm: connection %u: %s\n", i, strerror(errno));
			return 1;
		}
	}
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0) {
	}
	return 0;
}

static int vanish(const char *port, unsigned count)
{
	static const char requests[] = "CREATE storm\r\nPUT storm a 1\r\nGET storm a\r\nPUT storm b 2\r\nGET sto";
	struct linger reset = { .l_onoff = 1 };

	for (unsigned i = 0; i < count; i++) {
		int fd = t_connect(port);
		size_t size = sizeof(requests) - 1 - i % 40;
		if (fd < 0 || !t_send(fd, requests, size)) {
			fprintf(stderr, "storm: connection %u: %s\n", i, strerror(errno));
			return 1;
		}
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	return 0;
}

static void discard_input(int fd)
{
	char reply[4096];

	while (recv(fd, reply, sizeof(reply), MSG_DONTWAIT) > 0) {
	}
}

static int rubbish(const char *port, uint64_t bytes, uint64_t seed)
{
	int fd = -1;
	char block[4096];

	for (uint64_t sent = 0; sent < bytes; sent += sizeof(block)) {
		if (fd < 0 && (fd = t_connect(port)) < 0) {
			fprintf(stderr, "storm: %s\n", strerror(errno));
			return 1;
		}
		for (size_t i = 0; i < sizeof(block); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			block[i] = (char)(seed >> 56);
		}
		/* the node may hang up on such a client: then another one goes on */
		if (!t_send(fd, block, sizeof(block))) {
			close(fd);
			fd = -1;
			continue;
		}
		discard_input(fd);
	}
	return 0;
}

static int longline(const char *port, uint64_t bytes)
{
	static struct t_client client;
	static char block[1 << 16];
	const char *reply;

	client.fd = t_connect(port);
	if (client.fd < 0) {
		fprintf(stderr, "storm: %s\n", strerror(errno));
		return 1;
	}
	memset(block, 'x', sizeof(block));
	for (uint64_t sent = 0; sent < bytes; sent += sizeof(block))
		if (!t_send(client.fd, block, sizeof(block)))
			break;
	while ((reply = t_line(&client)))
		puts(reply);
	return 0;
}

static int slow(const char *port, const char *bucket)
{
	static struct t_client client;
	static char last[256];
	char request[128], byte;
	const char *line = NULL;
	unsigned long lines = 0;
	int size = snprintf(request, sizeof(request), "SUBSCRIBE %.80s\r\n", bucket), small = 64 << 10;

	client.fd = t_connect(port);
	if (client.fd >= 0)
		setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (client.fd < 0 || !t_send(client.fd, request, (size_t)size) || !(line = t_line(&client)) ||
	    strcmp(line, "OK") != 0) {
		fprintf(stderr, "storm: SUBSCRIBE: %s\n", line ? line : strerror(errno));
		return 1;
	}
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0) {
	}
	for (; (line = t_line(&client)); lines++)
		snprintf(last, sizeof(last), "%s", line);
	printf("%lu lines, the last one: %s\n", lines, last);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

	if (argc == 4 && strcmp(what, "halfopen") == 0)
		return halfopen(argv[2], (unsigned)number);
	if (argc == 4 && strcmp(what, "vanish") == 0)
		return vanish(argv[2], (unsigned)number);
	if (argc == 5 && strcmp(what, "rubbish") == 0)
		return rubbish(argv[2], number, strtoull(argv[4], NULL, 10));
	if (argc == 4 && strcmp(what, "longline") == 0)
		return longline(argv[2], number);
	if (argc == 4 && strcmp(what, "slow") == 0)
		return slow(argv[2], argv[3]);
	fprintf(stderr, "usage: storm halfopen|vanish|rubbish|longline|slow PORT …\n");
	return 2;
}
