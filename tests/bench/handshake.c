/* SPDX-License-Identifier: MIT */
/*
 * handshake LIBRARY COUNT
 *
 * How long it takes from nothing to the first answer of another node by name: a TCP connection on loopback, the TLS
 * handshake with the cookie's key both ways, both names, a question and its answer. COUNT nodes, one after the other,
 * ask one that is there; each asks twice, so that the second question tells what of it was no handshake. Prints the
 * medians of the first question and of the second one in µs. LIBRARY is libkvdist.so.
 */
#include "base/log.h"
#include "node/dist/dist.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 10000 };

static int no_operations(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	(void)context, (void)op, (void)out;
	return error_set(err, ERROR_NOT_FOUND, "there are no operations here");
}

static void leave(void *context, const struct dist_op *op)
{
	(void)context, (void)op;
}

static void no_commands(void *context, int fd)
{
	(void)context;
	close(fd);
}

static unsigned free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		exit(1);
	close(fd);
	return ntohs(address.sin_port);
}

static struct dist *start(const char *library, const char *name)
{
	const struct dist_options options = {
		.name = name,
		.cookie = slice_of("biscuit"),
		.tls_library = library,
		.heartbeat_ms = 15000,
		.host = { NULL, no_operations, leave, no_commands },
	};
	struct dist *dist = NULL;
	struct error err;
	if (dist_new(&options, &dist, &err) != 0) {
		fprintf(stderr, "handshake: %s\n", err.message);
		exit(1);
	}
	return dist;
}

static double ask(struct dist *dist, const char *node)
{
	const struct dist_request request = { .node = node, .timeout_ms = 5000 };
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	if (dist_call(dist, &request, NULL, 0, NULL, NULL) != KVREL_OK) {
		fprintf(stderr, "handshake: %s does not answer\n", node);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double first[COUNT_MAX], second[COUNT_MAX];
	int count = argc == 3 ? atoi(argv[2]) : 0;
	char name[64], other[64];
	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr, "usage: handshake LIBRARY COUNT\n");
		return 2;
	}
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	snprintf(name, sizeof(name), "there@127.0.0.1:%u", free_port());
	struct dist *there = start(argv[1], name);
	for (int i = 0; i < count; i++) {
		snprintf(other, sizeof(other), "n%d@127.0.0.1:%u", i, free_port());
		struct dist *dist = start(argv[1], other);
		first[i] = ask(dist, name);
		second[i] = ask(dist, name);
		dist_stop(dist, 0);
		dist_free(dist);
	}
	dist_stop(there, 0);
	dist_free(there);
	qsort(first, (size_t)count, sizeof(first[0]), compare);
	qsort(second, (size_t)count, sizeof(second[0]), compare);
	printf("%.0f %.0f\n", first[count / 2], second[count / 2]);
	return 0;
}
