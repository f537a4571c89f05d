/* SPDX-License-Identifier: MIT */
/* What of a request has come is kept until the rest of it comes, whatever the socket says in between. */
#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { USUAL, WAIT, NOTHING };
static _Atomic int next_recv;
static _Atomic bool waits, go_on;

/* The worker's, instead of the library's: one waits for the test, and the one after it finds nothing to read. */
ssize_t recv(int fd, void *data, size_t size, int flags)
{
	if (flags & MSG_DONTWAIT) {
		int now = atomic_load(&next_recv);
		atomic_store(&next_recv, now == WAIT ? NOTHING : USUAL);
		if (now == NOTHING) {
			errno = EAGAIN;
			return -1;
		}
		atomic_store(&waits, now == WAIT);
		while (now == WAIT && !atomic_load(&go_on))
			usleep(1000);
	}
	return recvfrom(fd, data, size, flags, NULL, NULL);
}

static void start(void)
{
	t = t_net_start(1, PLENTY, OUTPUT_MAX);
}

TestSuite(reading, .init = start, .fini = t_suite_stop, .timeout = 60);

/* Sent and taken. */
static void send_part(int fd, const char *text)
{
	uint64_t before = t_stats().bytes_in;
	t_send(fd, text);
	T_WAIT(t_stats().bytes_in == before + strlen(text));
}

Test(reading, an_unfinished_request_outlives_a_read_that_finds_nothing)
{
	int first = t_connect(t.port), slow = t_connect(t.port), other = t_connect(t.port);
	t_send(other, "echo there\n");
	EXPECT(other, "there\n");
	send_part(slow, "echo milk");
	atomic_store(&next_recv, WAIT);
	t_send(first, "echo a\n");
	T_WAIT(atomic_load(&waits));
	t_send(slow, "and");
	t_send(other, "echo something-else\n");
	atomic_store(&go_on, true);
	EXPECT(first, "a\n");
	EXPECT(other, "something-else\n");
	cr_assert_eq(atomic_load(&next_recv), USUAL);
	t_send(slow, "honey\n");
	EXPECT(slow, "milkandhoney\n");
	close(first);
	close(slow);
	close(other);
}
