/* SPDX-License-Identifier: MIT */
/*
 * cable LISTEN PORT DELAY_MS JITTER_MS STALL_PERCENT
 *
 * A bad line between two programs on this host, for kernels that cannot make one: what is sent to LISTEN goes on to
 *PORT and back, each piece DELAY_MS later, give or take JITTER_MS, and in STALL_PERCENT of all cases 200 ms later
 *still, as when TCP has lost a packet and sends it again. Order is kept, as TCP keeps it. Lines on stdin, each answered
 *by itself:
 *
 *	cut      nothing passes any more, and nobody is told
 *	deaf     nothing passes back
 *	mend     everything passes again, what was held back first
 *	break    the connections that there are end with a reset; new ones fare as before
 *
 * Ends at the end of stdin.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 64, PIECE_BYTES = 16 << 10, QUEUED_MAX = 4 << 20, STALL_MS = 200 };

struct piece {
	struct piece *next;
	int64_t due_ms;
	size_t size, sent;
	char data[];
};

/* One direction of one connection. */
struct way {
	int from, to;
	struct piece *first, *last;
	size_t queued;
	bool ended; /* no more comes */
	bool back;
};

struct line {
	bool open;
	struct way ways[2];
};

static struct line lines[LINES_MAX];
static int delay_ms, jitter_ms, stall_percent;
static bool cut, deaf;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop(struct line *line)
{
	for (int i = 0; i < 2; i++) {
		while (line->ways[i].first != NULL) {
			struct piece *piece = line->ways[i].first;

			line->ways[i].first = piece->next;
			free(piece);
		}
	}
	close(line->ways[0].from);
	close(line->ways[0].to);
	*line = (struct line){ 0 };
}

static void reset(struct line *line)
{
	const struct linger linger = { .l_onoff = 1 };

	setsockopt(line->ways[0].from, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(line->ways[0].to, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	drop(line);
}

static void take_connection(int listener, const char *port)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1, i = 0;
	int node = client >= 0 ? t_connect(port) : -1;

	while (i < LINES_MAX && lines[i].open)
		i++;
	if (client < 0 || node < 0 || i == LINES_MAX) {
		close(client);
		close(node);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(node, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	lines[i] =
		(struct line){ true, { { .from = client, .to = node }, { .from = node, .to = client, .back = true } } };
}

/* Never before what was sent earlier. */
static int64_t due(const struct way *way, int64_t now)
{
	int64_t at = now + delay_ms + (jitter_ms > 0 ? (int)random() % (2 * jitter_ms + 1) - jitter_ms : 0);

	if ((int)random() % 100 < stall_percent)
		at += STALL_MS;
	return way->last != NULL && way->last->due_ms > at ? way->last->due_ms : at;
}

static void take(struct way *way, int64_t now)
{
	struct piece *piece = malloc(sizeof(*piece) + PIECE_BYTES);
	ssize_t got = piece != NULL ? recv(way->from, piece->data, PIECE_BYTES, MSG_DONTWAIT) : 0;

	if (got <= 0) {
		way->ended = got == 0 || (errno != EAGAIN && errno != EINTR);
		free(piece);
		return;
	}
	piece->next = NULL;
	piece->due_ms = due(way, now);
	piece->size = (size_t)got;
	piece->sent = 0;
	if (way->last != NULL)
		way->last->next = piece;
	else
		way->first = piece;
	way->last = piece;
	way->queued += piece->size;
}

static bool is_held(const struct way *way)
{
	return cut || (deaf && way->back);
}

/* False when the other side is gone. */
static bool give(struct way *way, int64_t now)
{
	while (way->first != NULL && way->first->due_ms <= now && !is_held(way)) {
		struct piece *piece = way->first;
		ssize_t sent = send(way->to, piece->data + piece->sent, piece->size - piece->sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		piece->sent += (size_t)sent;
		way->queued -= (size_t)sent;
		if (piece->sent < piece->size)
			return true;
		way->first = piece->next;
		way->last = way->first != NULL ? way->last : NULL;
		free(piece);
	}
	return true;
}

static void carry(struct line *line, int64_t now)
{
	for (int i = 0; i < 2 && line->open; i++) {
		struct way *way = &line->ways[i];

		if (!way->ended && way->queued < QUEUED_MAX)
			take(way, now);
		if (!give(way, now) || (way->ended && way->first == NULL))
			drop(line);
	}
}

/* False at the end. */
static bool obey(void)
{
	char word[64];
	ssize_t got = read(STDIN_FILENO, word, sizeof(word) - 1);

	if (got <= 0)
		return false;
	word[got] = '\0';
	if (strcmp(word, "break\n") != 0) {
		cut = strcmp(word, "cut\n") == 0;
		deaf = strcmp(word, "deaf\n") == 0;
	} else {
		for (int i = 0; i < LINES_MAX; i++)
			if (lines[i].open)
				reset(&lines[i]);
	}
	printf("%s", word);
	return fflush(stdout) == 0;
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(port));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0)
		return -1;
	return listener;
}

/* What is held back or not yet due is looked at each millisecond: it is a test's, not a router's. */
static int next_look_ms(void)
{
	for (int i = 0; i < LINES_MAX; i++)
		if (lines[i].open && (lines[i].ways[0].first != NULL || lines[i].ways[1].first != NULL))
			return 1;
	return -1;
}

int main(int argc, char **argv)
{
	int listener = argc == 6 ? listen_on(argv[1]) : -1;

	if (listener < 0) {
		fprintf(stderr, "usage: cable LISTEN PORT DELAY_MS JITTER_MS STALL_PERCENT, and a free LISTEN\n");
		return 2;
	}
	delay_ms = atoi(argv[3]);
	jitter_ms = atoi(argv[4]);
	stall_percent = atoi(argv[5]);
	for (;;) {
		struct pollfd polls[2 + 2 * LINES_MAX] = { { .fd = STDIN_FILENO, .events = POLLIN },
							   { .fd = cut ? -1 : listener, .events = POLLIN } };

		for (int i = 0; i < 2 * LINES_MAX; i++) {
			const struct way *way = &lines[i / 2].ways[i % 2];
			bool reads = lines[i / 2].open && !way->ended && way->queued < QUEUED_MAX;

			polls[2 + i] = (struct pollfd){ .fd = reads ? way->from : -1, .events = POLLIN };
		}
		if (poll(polls, 2 + 2 * LINES_MAX, next_look_ms()) < 0 && errno != EINTR)
			return 1;
		if (polls[0].revents != 0 && !obey())
			return 0;
		if (polls[1].revents != 0)
			take_connection(listener, argv[2]);
		for (int i = 0; i < LINES_MAX; i++)
			if (lines[i].open)
				carry(&lines[i], now_ms());
	}
}
