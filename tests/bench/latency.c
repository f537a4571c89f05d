/* SPDX-License-Identifier: MIT */
/*
 * latency PORT SECONDS CONNECTIONS REQUESTS_PER_SECOND ROUNDS [COMMAND…]: what a COMMAND that runs beside a node does
 * to the times of its replies.
 *
 * Reads of one key of kv_server's bucket 'bench' are sent at fixed times whether the earlier ones were answered or not
 * (so that a stall counts for all it delays), spread over the connections; a time counts from when the request was due
 * to the whole reply. All the while windows of SECONDS take turns: one with nothing beside, then one with each COMMAND
 * of the shell running; the next round has them in the opposite order. So all of them see the same machine, and what a
 * start or an end costs falls between the windows.
 *
 * Prints a line for each, the first for nothing beside: the median of all its replies and the 99th percentile of its
 * middle window, in µs; by how many per cent that is above the first line's, and the bounds within which this lies for
 * 95 of 100 draws of as many rounds out of these; the 99th percentile of all its replies. The middle of many short
 * windows is what a machine that stands still now and then, as those of others do, does not decide.
 */
#include "../support/client.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

enum { CONNECTIONS_MAX = 256, PENDING_MAX = 4096, ROUNDS_MAX = 1000, STATES_MAX = 8, SETTLE_MS = 20, DRAWS = 1000 };

/* Replies by their time: steps of 1 µs up to EXACT, then of half a per cent. */
enum { EXACT = 512, STEPS_OF_DOUBLING = 128, STEPS = 2048 };

struct times {
	uint32_t replies[STEPS];
};

struct connection {
	int fd;
	double due[PENDING_MAX]; /* of the requests without an answer, a ring */
	unsigned first, count;
	unsigned lines; /* of the reply that is coming */
};

static struct connection connections[CONNECTIONS_MAX];
static struct pollfd polls[CONNECTIONS_MAX];
static unsigned connection_count;
static double gap_us, next_due;

static struct times totals[STATES_MAX];
static double windows[STATES_MAX][ROUNDS_MAX]; /* the 99th percentile of each */
static struct times *current;                  /* NULL: between two windows */

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

/* ---- times ---- */

static unsigned step_of(double us)
{
	double step = us < EXACT ? us : EXACT + STEPS_OF_DOUBLING * log2(us / EXACT);

	return step < 0 ? 0 : step < STEPS ? (unsigned)step : STEPS - 1;
}

static double us_of(unsigned step)
{
	return step < EXACT ? step : EXACT * exp2((double)(step - EXACT) / STEPS_OF_DOUBLING);
}

static void add(struct times *sum, const struct times *times)
{
	for (unsigned i = 0; i < STEPS; i++)
		sum->replies[i] += times->replies[i];
}

static double percentile(const struct times *times, double share)
{
	double all = 0, seen = 0;
	unsigned step = 0;

	for (unsigned i = 0; i < STEPS; i++)
		all += times->replies[i];
	for (; step < STEPS - 1; step++) {
		seen += times->replies[step];
		if (seen >= share * all)
			break;
	}
	return us_of(step);
}

/* ---- requests ---- */

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
		if (current)
			current->replies[step_of(now - connection->due[connection->first])]++;
		connection->first = (connection->first + 1) % PENDING_MAX;
		connection->count--;
	}
}

/* Counts the replies that come meanwhile. */
static void run(double seconds, struct times *times)
{
	double end = next_due + seconds * 1e6;
	unsigned next = 0;

	current = times;
	while (next_due < end) {
		struct timespec wait = { 0 };
		double now = now_us();

		for (; next_due <= now; next_due += gap_us)
			ask(&connections[next++ % connection_count], next_due);
		now = now_us();
		if (next_due > now)
			wait.tv_nsec = (long)((next_due - now) * 1e3);
		if (ppoll(polls, connection_count, &wait, NULL) <= 0)
			continue;
		for (unsigned i = 0; i < connection_count; i++) {
			if (polls[i].revents)
				take_replies(&connections[i]);
		}
	}
}

static void prepare(const char *port)
{
	static struct t_client client;
	static const char requests[] = "CREATE bench\r\nPUT bench key value\r\n";

	client.fd = t_connect(port);
	if (client.fd < 0 || !t_send(client.fd, requests, sizeof(requests) - 1) || !t_line(&client) || !t_line(&client))
		fail("cannot make the bucket");
	for (unsigned i = 0; i < connection_count; i++) {
		connections[i].fd = t_connect(port);
		if (connections[i].fd < 0)
			fail("connect");
		polls[i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
	}
	prctl(PR_SET_TIMERSLACK, 1UL); /* requests go out when they are due */
}

/* ---- what runs beside ---- */

static pid_t start(char *command)
{
	static char shell[] = "sh", option[] = "-c";
	char *const words[] = { shell, option, command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); /* a group of its own, so that all of it ends */
	errno = posix_spawn(&pid, "/bin/sh", &files, &attributes, words, environ);
	if (errno)
		fail("sh");
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid) {
		fprintf(stderr, "latency: a command ended before its window did\n");
		exit(1);
	}
	kill(-pid, SIGTERM);
	waitpid(pid, &status, 0);
}

/* `command` NULL: nothing. */
static void measure(char *command, double seconds, unsigned state, unsigned round)
{
	static struct times times;
	pid_t pid = command ? start(command) : 0;

	memset(&times, 0, sizeof(times));
	run(SETTLE_MS / 1e3, NULL);
	run(seconds, &times);
	if (pid)
		end(pid);
	windows[state][round] = percentile(&times, 0.99);
	add(&totals[state], &times);
}

/* ---- what came of it ---- */

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double middle(const double *values, unsigned count)
{
	static double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_value);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double change(const double *before, const double *after, unsigned count)
{
	return 100 * (middle(after, count) / middle(before, count) - 1);
}

/* Draws as many rounds as there were, each as often as it comes, and sees how the change differs from draw to draw. */
static void bounds(unsigned state, unsigned rounds, double *low, double *high)
{
	static double changes[DRAWS], before[ROUNDS_MAX], after[ROUNDS_MAX];

	srand(1);
	for (unsigned draw = 0; draw < DRAWS; draw++) {
		for (unsigned i = 0; i < rounds; i++) {
			unsigned round = (unsigned)rand() % rounds;

			before[i] = windows[0][round];
			after[i] = windows[state][round];
		}
		changes[draw] = change(before, after, rounds);
	}
	qsort(changes, DRAWS, sizeof(*changes), by_value);
	*low = changes[DRAWS / 40];
	*high = changes[DRAWS - 1 - DRAWS / 40];
}

static void print(unsigned state, unsigned rounds)
{
	double low = 0, high = 0;

	if (state > 0)
		bounds(state, rounds, &low, &high);
	printf("%.0f %.0f %.0f %.0f %.0f %.0f\n", percentile(&totals[state], 0.5), middle(windows[state], rounds),
	       change(windows[0], windows[state], rounds), low, high, percentile(&totals[state], 0.99));
}

int main(int argc, char **argv)
{
	unsigned states = argc > 5 ? (unsigned)argc - 5 : 0, rounds = argc > 5 ? (unsigned)atoi(argv[5]) : 0;
	double seconds = argc > 5 ? atof(argv[2]) : 0, rate = argc > 5 ? atof(argv[4]) : 0;

	connection_count = argc > 5 ? (unsigned)atoi(argv[3]) : 0;
	if (connection_count < 1 || connection_count > CONNECTIONS_MAX || seconds <= 0 || rate < 1 || rounds < 1 ||
	    rounds > ROUNDS_MAX || states > STATES_MAX) {
		fprintf(stderr, "usage: latency PORT SECONDS CONNECTIONS REQUESTS_PER_SECOND ROUNDS [COMMAND…]\n");
		return 2;
	}
	prepare(argv[1]);
	gap_us = 1e6 / rate;
	next_due = now_us();
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < states; i++) {
			unsigned state = round % 2 ? states - 1 - i : i;

			measure(state ? argv[5 + state] : NULL, seconds, state, round);
		}
	}
	for (unsigned state = 0; state < states; state++)
		print(state, rounds);
	return 0;
}
