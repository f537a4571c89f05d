/* SPDX-License-Identifier: MIT */
/*
 * gets PORT BUCKET SECONDS CONNECTIONS DEPTH
 *
 * GETs of one key over the line protocol, DEPTH at a time on each connection. Prints how many a second were answered
 * and the median time of one round in microseconds.
 */
#include "client.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, DEPTH_MAX = 256, ROUNDS_KEPT = 1 << 16 };

struct reader {
	pthread_t thread;
	int fd;
	unsigned depth;
	const char *bucket;
	double seconds;
	uint64_t answered;
	uint32_t rounds;
	float *took_us;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Every answer is two lines. */
static bool await_lines(int fd, unsigned lines)
{
	char in[16384];

	while (lines > 0) {
		ssize_t n = recv(fd, in, sizeof(in), 0);
		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			lines -= in[i] == '\n';
	}
	return true;
}

static void *read_until(void *context)
{
	struct reader *reader = context;
	char out[DEPTH_MAX * 64];
	size_t size = 0;
	double start = now(), at = start;

	for (unsigned i = 0; i < reader->depth; i++)
		size += (size_t)snprintf(out + size, sizeof(out) - size, "GET %.40s k\r\n", reader->bucket);
	while (at - start < reader->seconds) {
		double before = at;
		if (!t_send(reader->fd, out, size) || !await_lines(reader->fd, 2 * reader->depth))
			break;
		at = now();
		reader->took_us[reader->rounds++ % ROUNDS_KEPT] = (float)((at - before) * 1e6);
		reader->answered += reader->depth;
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static struct reader readers[CONNECTIONS_MAX];
	unsigned connections = argc == 6 ? (unsigned)atoi(argv[4]) : 0, depth = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
	uint64_t answered = 0;

	if (connections < 1 || connections > CONNECTIONS_MAX || depth < 1 || depth > DEPTH_MAX) {
		fprintf(stderr, "usage: gets PORT BUCKET SECONDS CONNECTIONS DEPTH\n");
		return 2;
	}
	for (unsigned i = 0; i < connections; i++) {
		readers[i] = (struct reader){ .fd = t_connect(argv[1]),
					      .depth = depth,
					      .bucket = argv[2],
					      .seconds = atof(argv[3]),
					      .took_us = calloc(ROUNDS_KEPT, sizeof(float)) };
		if (readers[i].fd < 0 || !readers[i].took_us ||
		    pthread_create(&readers[i].thread, NULL, read_until, &readers[i]) != 0) {
			fprintf(stderr, "gets: cannot connect to port %s\n", argv[1]);
			return 1;
		}
	}
	for (unsigned i = 0; i < connections; i++) {
		pthread_join(readers[i].thread, NULL);
		answered += readers[i].answered;
	}
	uint32_t kept = readers[0].rounds < ROUNDS_KEPT ? readers[0].rounds : ROUNDS_KEPT;
	qsort(readers[0].took_us, kept, sizeof(float), by_size);
	printf("%.0f %.1f\n", (double)answered / readers[0].seconds, kept ? readers[0].took_us[kept / 2] : 0.0);
	return 0;
}
