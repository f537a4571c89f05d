/* SPDX-License-Identifier: MIT */
/*
 * rtt NODE N TEXT: asks a running node N times to run TEXT, over one connection to its control socket, and prints the
 * minimum, median and 90th percentile of the time from the request to DONE, in µs.
 */
#include "base/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 100000 };

static char frame[CONTROL_FRAME_MAX];

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static int wait_for(int fd, enum control_type wanted, struct error *err)
{
	struct slice payload;
	char type = 0;
	int rc;

	do {
		rc = control_receive(fd, frame, sizeof(frame), &type, &payload, err);
		if (rc == 0)
			return error_set(err, ERROR_FAILED, "the node closed the connection");
	} while (rc > 0 && type != (char)wanted);
	if (rc > 0 && wanted == CONTROL_DONE && payload.data[0] != 0)
		return error_set(err, ERROR_FAILED, "the expression failed");
	return rc < 0 ? rc : 0;
}

static int measure(int fd, const char *text, double *times, unsigned rounds, struct error *err)
{
	char request[1024];
	int size = snprintf(request, sizeof(request), "%crtt%c%s", 0, 0, text);
	int rc = wait_for(fd, CONTROL_HELLO, err);

	if (size < 0 || size >= (int)sizeof(request))
		return error_set(err, ERROR_LIMIT, "the text is too long");
	for (unsigned i = 0; i < rounds && rc == 0; i++) {
		double before = now_us();

		rc = control_send(fd, CONTROL_RPC, (struct slice){ request, (size_t)size }, err);
		if (rc == 0)
			rc = wait_for(fd, CONTROL_DONE, err);
		times[i] = now_us() - before;
	}
	return rc;
}

int main(int argc, char **argv)
{
	static double times[ROUNDS_MAX];
	unsigned rounds = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	char dir[4096];
	struct error err;
	int fd;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: rtt NODE N TEXT\n");
		return 2;
	}
	if (control_dir(dir, sizeof(dir), NULL, false, &err) < 0 || control_connect(dir, argv[1], &fd, &err) < 0 ||
	    measure(fd, argv[3], times, rounds, &err) < 0) {
		fprintf(stderr, "rtt: %s\n", err.message);
		return 1;
	}
	qsort(times, rounds, sizeof(*times), by_value);
	printf("%.0f %.0f %.0f\n", times[0], times[rounds / 2], times[rounds * 9 / 10]);
	return 0;
}
