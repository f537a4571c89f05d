/* SPDX-License-Identifier: MIT */
/* The network, over real sockets on the loopback. */
#include "fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PLENTY = 20000, OUTPUT_MAX = 1 << 20 };

#define EXPECT(fd, text) \
	do { \
		const char *got_ = t_expect((fd), (text)); \
		cr_assert_null(got_, "expected '%s', got '%s'", (text), got_); \
	} while (0)

static struct t_net t;

static void start(void)
{
	t = t_net_start(2, PLENTY, OUTPUT_MAX);
}

static void stop(void)
{
	t_net_stop(&t);
}

TestSuite(net, .init = start, .fini = stop, .timeout = 60);

static struct net_stats stats(void)
{
	struct net_stats out;
	net_stats(t.net, &out);
	return out;
}

Test(net, answers_a_request)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo hello\n");
	EXPECT(fd, "hello\n");
	close(fd);
}

Test(net, answers_a_request_that_arrives_byte_by_byte)
{
	int fd = t_connect(t.port);
	for (const char *c = "echo one\nlater two\nsay three\n"; *c; c++) {
		t_send_bytes(fd, c, 1);
		usleep(200);
	}
	EXPECT(fd, "one\ntwo\nthree\n");
	close(fd);
}

Test(net, keeps_the_order_of_early_and_late_answers)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\necho 2\nheld 3\nsay 4\nnothing\nlater 5\ntree\necho 6\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	EXPECT(fd, "1\n2\n");
	t_provider_release(t.provider);
	EXPECT(fd, "3\n4\nnothing\n5\n[-7,[leaf,nil]]\n6\n");
	close(fd);
}

Test(net, copies_what_has_to_wait)
{
	int fd = t_connect(t.port);
	t_send(fd, "held x\nsay a text that is longer than what a reply slot holds by itself\nbig 100\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	t_provider_release(t.provider);
	EXPECT(fd, "x\na\n");
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	cr_assert_eq(t_read_to_end(fd), 101);
	close(fd);
}

Test(net, refuses_an_argument_count_that_the_operation_does_not_take)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo\necho a b\nlater a b c\n");
	EXPECT(fd, "wrong arguments\nwrong arguments\na\n");
	close(fd);
}

Test(net, parses_and_prefetches_a_pipeline_before_it_runs_it)
{
	int fd = t_connect(t.port);
	char *pipeline = calloc(1, 64 * 8 + 1);
	for (int i = 0; i < 64; i++)
		strcat(pipeline, "echo 1\n");
	t_send(fd, pipeline);
	char answer[64 * 2 + 1] = "";
	for (int i = 0; i < 64; i++)
		strcat(answer, "1\n");
	EXPECT(fd, answer);
	cr_assert_geq(t_provider_deepest_batch(t.provider), 16);
	free(pipeline);
	close(fd);
}

Test(net, ends_a_wake_up_once_for_all_its_writes)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\nlater 2\nlater 3\nlater 4\n");
	EXPECT(fd, "1\n");
	cr_assert_leq(t_provider_batch_ends(t.provider), 2, "%u", t_provider_batch_ends(t.provider));
	close(fd);
}

Test(net, answers_a_pipeline_longer_than_any_limit)
{
	enum { REQUESTS = 50000 };
	int fd = t_connect(t.port);
	if (fork() == 0) {
		for (int i = 0; i < REQUESTS; i++)
			t_send(fd, i % 2 ? "later abcdefg\n" : "echo abcdefg\n");
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	cr_assert_eq(t_read_to_end(fd), REQUESTS * 8L);
	close(fd);
}

Test(net, takes_requests_larger_than_its_buffers)
{
	enum { SIZE = 5 << 20 };
	char *line = malloc(SIZE + 16);
	int fd = t_connect(t.port);
	strcpy(line, "echo ");
	memset(line + 5, 'y', SIZE);
	strcpy(line + 5 + SIZE, "\n");
	t_send_bytes(fd, line, SIZE + 6);
	t_send(fd, "say end\n");
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), SIZE + 1 + 4);
	free(line);
	close(fd);
}

Test(net, closes_a_connection_whose_request_has_no_end)
{
	int fd = t_connect(t.port);
	char *rubbish = malloc(1 << 20);
	memset(rubbish, 0xfe, 1 << 20);
	for (int i = 0; i < 10; i++)
		t_send_bytes(fd, rubbish, 1 << 20);
	cr_assert_eq(t_read_to_end(fd), 0, "errno %d", errno);
	free(rubbish);
	close(fd);
}

Test(net, answers_before_it_closes_a_half_closed_connection)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\necho 2\necho incomplete");
	shutdown(fd, SHUT_WR);
	EXPECT(fd, "1\n2\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	close(fd);
}

Test(net, lets_the_last_reply_be_read_when_the_protocol_closes)
{
	int fd = t_connect(t.port);
	char *more = calloc(1, 1 << 20);
	t_send(fd, "later 1\nbye\necho never\n");
	t_send_bytes(fd, more, 1 << 20); /* unread input would make close() reset the connection */
	EXPECT(fd, "1\nbye\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	free(more);
	close(fd);
	T_WAIT(stats().connections == 0);
	cr_assert_eq(stats().connections, 0);
}

Test(net, closes_a_lingering_connection_after_a_while)
{
	int fd = t_connect(t.port);
	t_send(fd, "bye\n");
	EXPECT(fd, "bye\n");
	T_WAIT(stats().connections == 0);
	cr_assert_eq(stats().connections, 0);
	close(fd);
}

/* Long requests, so that the sockets' buffers hold few of them. */
static void fill_with_big_requests(char *to, size_t size, size_t each)
{
	memset(to, '0', size);
	for (size_t at = 0; at < size; at += each) {
		memcpy(to + at, "big ", 4);
		memcpy(to + at + each - 6, "10000\n", 6);
	}
}

Test(net, stops_reading_from_a_client_that_does_not_read)
{
	enum { EACH = 1000, CHUNK = 20 * EACH };
	static char chunk[CHUNK];
	int fd = t_connect(t.port);
	struct timeval soon = { .tv_usec = 300000 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	fill_with_big_requests(chunk, CHUNK, EACH);
	long sent = 0;
	for (ssize_t n; (n = send(fd, chunk + sent % CHUNK, (size_t)(CHUNK - sent % CHUNK), MSG_NOSIGNAL)) > 0;)
		sent += n;
	/* Far less was answered than was asked: what fits the limit and the sockets' buffers. */
	cr_assert_lt(stats().requests, 1500, "%lu", (unsigned long)stats().requests);
	/* It all comes once the client reads. */
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), sent / EACH * 10001);
	close(fd);
}

Test(net, bounds_the_results_that_wait_behind_a_slow_one)
{
	int fd = t_connect(t.port);
	t_send(fd, "held x\n");
	for (int i = 0; i < 1000; i++)
		t_send(fd, "big 0100000\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	usleep(50000);
	cr_assert_lt(stats().requests, 300, "%lu", (unsigned long)stats().requests);
	t_provider_release(t.provider);
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), 2 + 1000 * 100001L);
	close(fd);
}

Test(net, bounds_unanswered_requests)
{
	int fd = t_connect(t.port);
	for (int i = 0; i < 20; i++) {
		char chunk[1000 * 7 + 1] = "";
		for (int j = 0; j < 1000; j++)
			memcpy(chunk + j * 7, "held x\n", 7);
		t_send_bytes(fd, chunk, 7000);
	}
	T_WAIT(t_provider_held(t.provider) >= 4096);
	usleep(50000);
	cr_assert_eq(t_provider_held(t.provider), 4096);
	long answers = 0;
	for (char c; answers < 20000 * 2;) {
		t_provider_release(t.provider);
		while (answers < 20000 * 2 && recv(fd, &c, 1, MSG_DONTWAIT) == 1)
			answers++;
	}
	close(fd);
}

Test(net, answers_requests_outside_the_order_when_their_answer_comes)
{
	int fd = t_connect(t.port);
	t_send(fd, "beside a\nheld b\nbeside c\necho d\n");
	T_WAIT(t_provider_held(t.provider) == 3);
	t_provider_release(t.provider); /* the last one first */
	cr_expect_null(t_expect(fd, "c\na\nb\nd\n"));
	t_send(fd, "echo e\n");
	cr_expect_null(t_expect(fd, "e\n"));
	close(fd);
}

Test(net, bounds_requests_outside_the_order)
{
	int fd = t_connect(t.port);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < KVREL_ASIDES_MAX; i++)
			t_send(fd, "beside x\n");
		T_WAIT(t_provider_held(t.provider) == KVREL_ASIDES_MAX);
		t_send(fd, "beside y\necho z\n");
		cr_expect_null(t_expect(fd, "refused\nz\n"));
		t_provider_release(t.provider);
		for (int i = 0; i < KVREL_ASIDES_MAX; i++)
			cr_expect_null(t_expect(fd, "x\n"));
	}
	close(fd);
}

Test(net, ends_with_requests_outside_the_order_still_on_their_way)
{
	int fds[2] = { t_connect(t.port), t_connect(t.port) };
	for (int i = 0; i < 2; i++)
		t_send(fds[i], "beside x\nbeside y\n");
	T_WAIT(t_provider_held(t.provider) == 4);
	close(fds[0]);
	shutdown(fds[1], SHUT_WR);
	cr_expect_eq(t_read_to_end(fds[1]), 0);
	close(fds[1]);
}

Test(net, survives_clients_that_vanish_in_mid_request)
{
	struct linger reset = { .l_onoff = 1 };
	for (int i = 0; i < 200; i++) {
		int fd = t_connect(t.port);
		t_send(fd, i % 2 ? "held x\nlater 1\nbig 100000\necho par" : "latebig 100000\nlater x\necho");
		if (i % 3 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	T_WAIT(stats().accepted == 200);
	usleep(20000);
	t_provider_release(t.provider);
	T_WAIT(stats().connections == 0);
	if (stats().connections != 0)
		t_provider_release(t.provider);
	int fd = t_connect(t.port);
	t_send(fd, "echo alive\n");
	EXPECT(fd, "alive\n");
	close(fd);
}

Test(net, serves_beside_a_thousand_half_open_connections)
{
	enum { OPEN = 1000 };
	static int fds[OPEN];
	struct rlimit limit = { 8192, 8192 };
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < OPEN; i++) {
		fds[i] = t_connect(t.port);
		t_send(fds[i], "echo incomple");
	}
	int fd = t_connect(t.port);
	t_send(fd, "later alive\n");
	EXPECT(fd, "alive\n");
	close(fd);
	T_WAIT(stats().connections == OPEN);
	cr_assert_eq(stats().connections, OPEN);
	for (int i = 0; i < OPEN; i++)
		close(fds[i]);
	T_WAIT(stats().connections == 0);
	cr_assert_eq(stats().connections, 0);
}

Test(net, spreads_connections_over_the_workers_and_counts)
{
	int fds[8];
	for (int i = 0; i < 8; i++) {
		fds[i] = t_connect(t.port);
		t_send(fds[i], "echo 1\n");
		EXPECT(fds[i], "1\n");
	}
	/* the last reply arrives before it is counted */
	T_WAIT(stats().bytes_out == 8 * 2);
	struct net_stats now = stats();
	cr_assert_eq(now.connections, 8);
	cr_assert_eq(now.accepted, 8);
	cr_assert_eq(now.requests, 8);
	cr_assert_eq(now.bytes_in, 8 * 7);
	cr_assert_eq(now.bytes_out, 8 * 2);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

Test(net, refuses_a_port_that_is_in_use)
{
	struct error err = { 0 };
	uint16_t port = 77;
	struct kvrel_protocol none = { .size = sizeof(none) };
	char expected[80];
	cr_assert_lt(net_listen(t.net, "test", &none, NULL, "127.0.0.1", t.port, &port, &err), 0);
	snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: address already in use", t.port);
	cr_assert_str_eq(err.message, expected);
	cr_assert_eq(err.errnum, EADDRINUSE);
	cr_assert_eq(port, 77, "an output is set on success only");
}

Test(net, refuses_an_address_that_is_none)
{
	struct error err = { 0 };
	uint16_t port = 0;
	struct kvrel_protocol none = { .size = sizeof(none) };
	cr_assert_lt(net_listen(t.net, "test", &none, NULL, "localhost", 0, &port, &err), 0);
	cr_assert_str_eq(err.message, "'localhost' is no numeric IPv4 or IPv6 address to listen on");
	cr_assert_lt(net_listen(t.net, "test", &none, NULL, "192.0.2.1", 1, &port, &err), 0);
	cr_assert(strstr(err.message, "cannot listen on 192.0.2.1:1: ") == err.message, "%s", err.message);
}

Test(net, listens_on_ipv6)
{
	struct error err = { 0 };
	uint16_t port = 0;
	struct kvrel_protocol none = { .size = sizeof(none) };
	if (net_listen(t.net, "test", &none, NULL, "::1", 0, &port, &err) != 0)
		cr_skip_test("no IPv6 here: %s", err.message);
	cr_assert_neq(port, 0);
}

Test(net, drains_what_has_arrived_and_closes)
{
	int fd = t_connect(t.port), idle = t_connect(t.port);
	t_send(fd, "later 1\nlater 2\necho 3\n");
	t_send(idle, "echo 1\n");
	EXPECT(idle, "1\n");
	net_stop_accepting(t.net);
	cr_assert(net_drain(t.net, 5000));
	EXPECT(fd, "1\n2\n3\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	cr_assert_eq(t_read_to_end(idle), 0);
	cr_assert_eq(stats().connections, 0);
	close(fd);
	close(idle);
}

Test(net, gives_up_draining_at_the_deadline)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo 1\nheld x\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	net_stop_accepting(t.net);
	cr_assert_not(net_drain(t.net, 50));
	EXPECT(fd, "1\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	t_provider_release(t.provider); /* comes back to a connection that is gone */
	close(fd);
}

Test(net, refuses_new_connections_once_it_stopped_accepting)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo 1\n");
	EXPECT(fd, "1\n");
	net_stop_accepting(t.net);
	int other = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage where;
	socklen_t size = sizeof(where);
	cr_assert_eq(getpeername(fd, (struct sockaddr *)&where, &size), 0);
	cr_assert_eq(connect(other, (struct sockaddr *)&where, size), -1);
	t_send(fd, "echo 2\n");
	EXPECT(fd, "2\n");
	close(fd);
	close(other);
}

Test(net_limits, refuses_connections_over_the_limit_and_says_so, .timeout = 60)
{
	struct t_net small = t_net_start(1, 2, OUTPUT_MAX);
	int a = t_connect(small.port), b = t_connect(small.port), c = t_connect(small.port);
	EXPECT(c, "full\n");
	cr_assert_eq(t_read_to_end(c), 0);
	t_send(a, "echo a\n");
	EXPECT(a, "a\n");
	close(a);
	struct net_stats now;
	T_WAIT((net_stats(small.net, &now), now.connections == 1));
	int d = t_connect(small.port);
	t_send(d, "echo d\n");
	EXPECT(d, "d\n");
	net_stats(small.net, &now);
	cr_assert_eq(now.refused, 1);
	close(b);
	close(c);
	close(d);
	t_net_stop(&small);
}

Test(net_limits, goes_on_after_it_ran_out_of_descriptors, .timeout = 60)
{
	enum { CLIENTS = 64 };
	struct t_net tight = t_net_start(1, PLENTY, OUTPUT_MAX);
	int fds[CLIENTS], opened = 0;
	for (; opened < CLIENTS; opened++)
		fds[opened] = socket(AF_INET, SOCK_STREAM, 0);
	struct rlimit limit = { (rlim_t)fds[CLIENTS - 1] + 4, 4096 };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(tight.port) };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(connect(fds[i], (struct sockaddr *)&where, sizeof(where)), 0);
	struct net_stats now;
	T_WAIT((net_stats(tight.net, &now), now.accepted + now.refused == CLIENTS));
	cr_assert_gt(now.refused, 0);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	T_WAIT((net_stats(tight.net, &now), now.connections == 0));
	int fd = t_connect(tight.port);
	t_send(fd, "echo back\n");
	EXPECT(fd, "back\n");
	close(fd);
	t_net_stop(&tight);
}
