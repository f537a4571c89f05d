/* SPDX-License-Identifier: MIT */
/*
 * latency PORT SECONDS CONNECTIONS REQUESTS_PER_SECOND: reads of one key of kv_server's bucket 'bench', sent at fixed
 * times whether the earlier ones were answered or not (so that a stall counts for all it delays), spread over the
 * connections. Prints the median and the 99th percentile of the time to the whole reply, counted from when the request
 * was due, in µs, and how many replies came a second.
 */
#include "../support/client.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { CONNECTIONS_MAX = 256, PENDING_MAX = 4096, SAMPLES_MAX = 4000000 };

struct connection {
	int fd;
	double due[PENDING_MAX]; /* of the requests without an answer, a ring */
	unsigned first, count;
	unsigned lines; /* of the reply that is coming */
};

static struct connection connections[CONNECTIONS_MAX];
static struct pollfd polls[CONNECTIONS_MAX];
static float samples[SAMPLES_MAX];
static size_t sample_count;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ask(struct connection *connection, double due)
{
	static const char request[] = "GET bench key\r\n";

	if (connection->count == PENDING_MAX) {
		fprintf(stderr, "latency: the node does not keep up\n");
		exit(1);
	}
	connection->due[(connection->first + connection->count++) % PENDING_MAX] = due;
	if (!t_send(connection->fd, request, sizeof(request) - 1))
		fail("send");
}

/* Each reply has two lines. */
static void take_replies(struct connection *connection)
{
	char input[1 << 16];
	ssize_t got = recv(connection->fd, input, sizeof(input), MSG_DONTWAIT);
	double now = now_us();

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		fail("recv");
	for (ssize_t i = 0; i < got; i++) {
		if (input[i] != '\n' || ++connection->lines < 2)
			continue;
		connection->lines = 0;
		if (sample_count < SAMPLES_MAX)
			samples[sample_count++] = (float)(now - connection->due[connection->first]);
		connection->first = (connection->first + 1) % PENDING_MAX;
		connection->count--;
	}
}

static void run(unsigned count, double seconds, double rate)
{
	double begin = now_us(), end = begin + seconds * 1e6, gap = 1e6 / rate;
	unsigned next = 0;

	for (double due = begin + gap; due < end;) {
		struct timespec wait = { 0 };
		double now = now_us();

		for (; due <= now; due += gap)
			ask(&connections[next++ % count], due);
		now = now_us();
		if (due > now)
			wait.tv_nsec = (long)((due - now) * 1e3);
		if (ppoll(polls, count, &wait, NULL) <= 0)
			continue;
		for (unsigned i = 0; i < count; i++) {
			if (polls[i].revents)
				take_replies(&connections[i]);
		}
	}
}

static int by_value(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;

	return (a > b) - (a < b);
}

static void prepare(const char *port)
{
	static struct t_client client;
	static const char requests[] = "CREATE bench\r\nPUT bench key value\r\n";

	client.fd = t_connect(port);
	if (client.fd < 0 || !t_send(client.fd, requests, sizeof(requests) - 1) || !t_line(&client) || !t_line(&client))
		fail("cannot make the bucket");
}

int main(int argc, char **argv)
{
	unsigned count = argc == 5 ? (unsigned)atoi(argv[3]) : 0;

	if (count < 1 || count > CONNECTIONS_MAX || atof(argv[2]) <= 0 || atof(argv[4]) < 1) {
		fprintf(stderr, "usage: latency PORT SECONDS CONNECTIONS REQUESTS_PER_SECOND\n");
		return 2;
	}
	prepare(argv[1]);
	for (unsigned i = 0; i < count; i++) {
		connections[i].fd = t_connect(argv[1]);
		if (connections[i].fd < 0)
			fail("connect");
		polls[i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
	}
	run(count, atof(argv[2]), atof(argv[4]));
	qsort(samples, sample_count, sizeof(*samples), by_value);
	if (sample_count == 0)
		return 1;
	printf("%.0f %.0f %.0f\n", (double)samples[sample_count / 2], (double)samples[sample_count * 99 / 100],
	       (double)sample_count / atof(argv[2]));
	return 0;
}
