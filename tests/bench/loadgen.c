/* SPDX-License-Identifier: MIT */
/*
 * loadgen -p PORT [-c CLIENTS] [-P PIPELINE] [-n REQUESTS] [-k KEYS] [-d BYTES] [-b BUCKET] hset|hget|put|get
 *
 * A client that costs little, so that a server is what is measured: redis-benchmark spends more on a reply than a fast
 * server does. Each of CLIENTS connections keeps PIPELINE requests under way and sends the next PIPELINE when all are
 * answered. Requests are made once, for random keys, and sent from there (for very many keys, with new ones each time);
 * replies are walked through; an error ends the run. hset and hget speak RESP, put and get the line protocol.
 *
 * Prints one line: requests a second, the median, 99th and 99.9th percentile of a batch's time in µs, and per cent of
 * its processor that this client used.
 */
#include "../support/client.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCHES_MAX = 1 << 16,
	REQUEST_BYTES_MAX = 96 << 20,
	EVENTS = 256,
	REPLY_BYTES = 256 * 1024,
	BUCKETS_OF_TIME = 1 << 16,
	PATIENCE_MS = 60000
};

struct options {
	unsigned clients, pipeline, keys, size;
	unsigned long requests;
	const char *port, *bucket, *command;
};

/* PIPELINE requests in one piece, all of one size. */
struct batch {
	char *data;
	size_t size;
};

enum { KEY_DIGITS = 12 };
static size_t key_at; /* of a request: where its key's digits are */

struct client {
	int fd;
	const struct batch *batch;
	size_t sent;
	unsigned due;     /* replies, or lines of the line protocol */
	size_t body;      /* bytes of a bulk string, with its line end, that are still to come */
	char header[32];  /* of a reply's line that came in two parts */
	unsigned headers; /* bytes in it */
	uint64_t began_ns;
};

static struct options options = {
	.clients = 50, .pipeline = 1, .keys = 100000, .size = 3, .requests = 100000, .bucket = "hash"
};
static struct batch batches[BATCHES_MAX];
static unsigned batch_count;
static char replies[REPLY_BYTES];
static uint32_t times[BUCKETS_OF_TIME]; /* batches by how long they took, in steps of 1 µs */
static unsigned long begun, answered;
static bool resp;
static bool few; /* requests, for so many keys */
static unsigned lines_each = 1;

static void fail(const char *what)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t random_key(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % options.keys);
}

/* ---- requests */

static int print_request(char *out, size_t size, const char *value)
{
	char key[24];
	int key_size = snprintf(key, sizeof(key), "field:%0*u", KEY_DIGITS, random_key());
	size_t bucket_size = strlen(options.bucket);

	if (strcmp(options.command, "hset") == 0)
		return snprintf(out, size, "*4\r\n$4\r\nHSET\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n$%u\r\n%s\r\n", bucket_size,
				options.bucket, key_size, key, options.size, value);
	if (strcmp(options.command, "hget") == 0)
		return snprintf(out, size, "*3\r\n$4\r\nHGET\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", bucket_size,
				options.bucket, key_size, key);
	if (strcmp(options.command, "put") == 0)
		return snprintf(out, size, "PUT %s %s %s\r\n", options.bucket, key, value);
	return snprintf(out, size, "GET %s %s\r\n", options.bucket, key);
}

/* Other keys, where there are more of them than requests were made. */
static void renew(const struct batch *batch)
{
	size_t each = batch->size / options.pipeline;

	for (unsigned i = 0; i < options.pipeline; i++) {
		char *digit = batch->data + i * each + key_at + KEY_DIGITS;

		for (uint32_t key = random_key(), n = 0; n < KEY_DIGITS; n++, key /= 10)
			*--digit = (char)('0' + key % 10);
	}
}

static void make_batches(void)
{
	size_t each = options.size + strlen(options.bucket) + 128;
	char *value = malloc(options.size + 1);

	if (value == NULL)
		fail("memory");
	memset(value, 'v', options.size);
	value[options.size] = '\0';
	batch_count = (unsigned)(REQUEST_BYTES_MAX / (each * options.pipeline));
	batch_count = batch_count < 64 ? 64 : batch_count > BATCHES_MAX ? BATCHES_MAX : batch_count;
	for (unsigned i = 0; i < batch_count; i++) {
		struct batch *batch = &batches[i];

		batch->data = malloc(each * options.pipeline);
		if (batch->data == NULL)
			fail("memory");
		for (unsigned j = 0; j < options.pipeline; j++)
			batch->size += (size_t)print_request(batch->data + batch->size, each, value);
	}
	key_at = (size_t)(strstr(batches[0].data, "field:") - batches[0].data) + strlen("field:");
	few = (uint64_t)batch_count * options.pipeline < options.keys;
	free(value);
}

/* ---- replies */

static void refused(const char *line, size_t size)
{
	fprintf(stderr, "loadgen: the server said: %.*s\n", (int)size, line);
	exit(1);
}

/* One whole line of a reply, without its end. */
static void take_line(struct client *client, const char *line, size_t size)
{
	if (client->due == 0 || size == 0)
		refused(line, size);
	client->due--;
	if (resp && line[0] == '$' && line[1] != '-')
		client->body = strtoul(line + 1, NULL, 10) + 2;
	else if (resp ? line[0] == '-' : size > 5 && memcmp(line, "ERROR", 5) == 0)
		refused(line, size);
}

/* The rest of a line that began in an earlier part. What was taken of `data`. */
static size_t take_rest(struct client *client, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);
	size_t more = end != NULL ? (size_t)(end - data) + 1 : size;

	for (size_t i = 0; i < more && client->headers < sizeof(client->header) - 1; i++)
		client->header[client->headers++] = data[i];
	if (end != NULL) {
		client->header[client->headers] = '\0';
		take_line(client, client->header, client->headers);
		client->headers = 0;
	}
	return more;
}

static void take(struct client *client, const char *data, size_t size)
{
	while (size > 0) {
		size_t used;

		if (client->body > 0) {
			used = client->body < size ? client->body : size;
			client->body -= used;
		} else if (client->headers > 0) {
			used = take_rest(client, data, size);
		} else {
			const char *end = memchr(data, '\n', size);

			used = end != NULL ? (size_t)(end - data) + 1 : size;
			if (end != NULL)
				take_line(client, data, used);
			else
				take_rest(client, data, used);
		}
		data += used;
		size -= used;
	}
}

/* ---- clients */

static void send_some(struct client *client)
{
	while (client->sent < client->batch->size) {
		ssize_t n = send(client->fd, client->batch->data + client->sent, client->batch->size - client->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send");
		client->sent += (size_t)n;
	}
}

static void begin(struct client *client)
{
	static unsigned next;

	if (begun >= options.requests)
		return;
	begun += options.pipeline;
	client->batch = &batches[next++ % batch_count];
	if (few)
		renew(client->batch);
	client->sent = 0;
	client->due = options.pipeline * lines_each;
	client->began_ns = now_ns();
	send_some(client);
}

static void finish(struct client *client)
{
	uint64_t us = (now_ns() - client->began_ns) / 1000;

	times[us < BUCKETS_OF_TIME ? us : BUCKETS_OF_TIME - 1]++;
	answered += options.pipeline;
	begin(client);
}

static void hear(struct client *client)
{
	ssize_t n;

	do {
		n = recv(client->fd, replies, sizeof(replies), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			fail("receive");
		if (n > 0)
			take(client, replies, (size_t)n);
	} while (n == (ssize_t)sizeof(replies)); /* nothing tells of the rest again */
	if (client->due == 0 && client->body == 0 && client->sent == client->batch->size)
		finish(client);
}

static void run(int poll)
{
	struct epoll_event events[EVENTS];

	while (answered < begun) {
		int count = epoll_wait(poll, events, EVENTS, PATIENCE_MS);

		if (count == 0)
			refused("nothing for a minute", 20);
		for (int i = 0; i < count; i++) {
			struct client *client = events[i].data.ptr;

			if (client->batch != NULL && client->sent < client->batch->size)
				send_some(client);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				hear(client);
		}
	}
}

static struct client *connect_all(int poll)
{
	struct client *clients = calloc(options.clients, sizeof(*clients));

	for (unsigned i = 0; clients != NULL && i < options.clients; i++) {
		/* edge-triggered: a socket that is full is told about when it no longer is */
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &clients[i] };

		clients[i].fd = t_connect(options.port);
		if (clients[i].fd < 0 || fcntl(clients[i].fd, F_SETFL, O_NONBLOCK) != 0 ||
		    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
			fail("connect");
	}
	return clients;
}

/* ---- the whole */

static unsigned percentile(double share)
{
	uint64_t all = 0, seen = 0;

	for (unsigned i = 0; i < BUCKETS_OF_TIME; i++)
		all += times[i];
	for (unsigned i = 0; i < BUCKETS_OF_TIME; i++) {
		seen += times[i];
		if ((double)seen >= share * (double)all)
			return i;
	}
	return BUCKETS_OF_TIME;
}

static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void parse(int argc, char **argv)
{
	for (int option; (option = getopt(argc, argv, "p:c:P:n:k:d:b:")) != -1;) {
		unsigned long number = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'p':
			options.port = optarg;
			break;
		case 'c':
			options.clients = (unsigned)number;
			break;
		case 'P':
			options.pipeline = (unsigned)number;
			break;
		case 'n':
			options.requests = number;
			break;
		case 'k':
			options.keys = (unsigned)number;
			break;
		case 'd':
			options.size = (unsigned)number;
			break;
		case 'b':
			options.bucket = optarg;
			break;
		default:
			exit(2);
		}
	}
	options.command = optind < argc ? argv[optind] : "";
	resp = options.command[0] == 'h';
	lines_each = strcmp(options.command, "get") == 0 ? 2 : 1;
	if (options.port == NULL || options.clients == 0 || options.pipeline == 0 || options.keys == 0 ||
	    (strcmp(options.command, "hset") != 0 && strcmp(options.command, "hget") != 0 &&
	     strcmp(options.command, "put") != 0 && strcmp(options.command, "get") != 0)) {
		fprintf(stderr, "usage: loadgen -p PORT [-c CLIENTS] [-P PIPELINE] [-n REQUESTS] [-k KEYS] [-d BYTES] "
				"[-b BUCKET] "
				"hset|hget|put|get\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int poll = epoll_create1(EPOLL_CLOEXEC);
	struct client *clients;
	uint64_t began;
	double busy, seconds;

	parse(argc, argv);
	make_batches();
	clients = connect_all(poll);
	if (clients == NULL)
		fail("memory");
	busy = processor_seconds();
	began = now_ns();
	for (unsigned i = 0; i < options.clients; i++)
		begin(&clients[i]);
	run(poll);
	seconds = (double)(now_ns() - began) / 1e9;
	busy = processor_seconds() - busy;
	printf("%.0f %u %u %u %.0f\n", (double)answered / seconds, percentile(0.5), percentile(0.99), percentile(0.999),
	       100 * busy / seconds);
	free(clients);
	return 0;
}
