/* SPDX-License-Identifier: MIT */
/*
 * greedy PORT COUNT BYTES [behind]
 *
 * A client of kv_resp that asks for much and reads nothing of it for a while: a pipeline of COUNT HGETs of one value of
 * BYTES, an ECHO of a number behind each. Three steps, each told on a line and the next begun by a line of its input:
 * 'stored', 'asked', and 'all replies are right', which they are not when one came out of turn. `behind`: the pipeline
 * begins with an HSET of another field, and HMGETs of both follow, so that what they read may not be told yet.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "greedy: %s\n", what);
	exit(1);
}

static void send_all(const char *data, size_t size)
{
	if (!t_send(fd, data, size))
		fail("the connection broke");
}

static void expect(const char *expected, size_t size)
{
	static char got[1 << 20];
	while (size > 0) {
		ssize_t n = recv(fd, got, size < sizeof(got) ? size : sizeof(got), 0);
		if (n <= 0)
			fail("replies are missing");
		if (memcmp(got, expected, (size_t)n) != 0)
			fail("another reply came");
		expected += n;
		size -= (size_t)n;
	}
}

/* The value as it is sent and as it comes back: behind its length, before the end of a line. */
static size_t make_value(size_t size, char **out)
{
	char *value = malloc(size + 32);
	if (!value)
		fail("out of memory");
	size_t at = (size_t)sprintf(value, "$%zu\r\n", size);
	for (size_t i = 0; i < size; i++)
		value[at++] = (char)('a' + i % 23);
	memcpy(value + at, "\r\n", 3);
	*out = value;
	return at + 2;
}

static void store(const char *value, size_t size)
{
	static const char head[] = "*4\r\n$4\r\nHSET\r\n$6\r\ngreedy\r\n$3\r\nbig\r\n";
	send_all(head, sizeof(head) - 1);
	send_all(value, size);
	expect(":1\r\n", 4);
}

static void ask(unsigned count, bool behind)
{
	char *text = calloc(count + 1, 64), *at = text;
	if (!text)
		fail("out of memory");
	if (behind)
		at += sprintf(at, "HSET greedy n 1\r\n");
	for (unsigned i = 0; i < count; i++)
		at += sprintf(at, "%s\r\nECHO %08u\r\n", behind ? "HMGET greedy big n" : "HGET greedy big", i);
	send_all(text, (size_t)(at - text));
	free(text);
}

static void check(const char *value, size_t size, unsigned count, bool behind)
{
	if (behind)
		expect(":1\r\n", 4);
	for (unsigned i = 0; i < count; i++) {
		char number[32];
		if (behind)
			expect("*2\r\n", 4);
		expect(value, size);
		if (behind)
			expect("$1\r\n1\r\n", 7);
		expect(number, (size_t)sprintf(number, "$8\r\n%08u\r\n", i));
	}
}

static void tell(const char *line)
{
	puts(line);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool behind = argc == 5 && strcmp(argv[4], "behind") == 0;
	if (argc != 4 && !behind) {
		fprintf(stderr, "usage: greedy PORT COUNT BYTES [behind]\n");
		return 2;
	}
	unsigned count = (unsigned)atoi(argv[2]);
	char *value;
	size_t size = make_value(strtoul(argv[3], NULL, 10), &value);
	fd = t_connect(argv[1]);
	if (fd < 0)
		fail("cannot connect");
	store(value, size);
	tell("stored");
	(void)getchar();
	ask(count, behind);
	tell("asked");
	(void)getchar();
	check(value, size, count, behind);
	tell("all replies are right");
	close(fd);
	free(value);
	return 0;
}
