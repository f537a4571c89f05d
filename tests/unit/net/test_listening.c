/* SPDX-License-Identifier: MIT */
/* Listening sockets, and who gets in. */
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(listening, .init = t_suite_start, .fini = t_suite_stop, .timeout = 60);

Test(listening, spreads_connections_over_the_workers_and_counts)
{
	int fds[8];
	for (int i = 0; i < 8; i++) {
		fds[i] = t_connect(t.port);
		t_send(fds[i], "echo 1\n");
		EXPECT(fds[i], "1\n");
	}
	/* the last reply arrives before it is counted */
	T_WAIT(t_stats().bytes_out == 8 * 2);
	struct net_stats now = t_stats();
	cr_assert_eq(now.connections, 8);
	cr_assert_eq(now.accepted, 8);
	cr_assert_eq(now.requests, 8);
	cr_assert_eq(now.bytes_in, 8 * 7);
	cr_assert_eq(now.bytes_out, 8 * 2);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

Test(listening, refuses_a_port_that_is_in_use)
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

Test(listening, refuses_an_address_that_is_none)
{
	struct error err = { 0 };
	uint16_t port = 0;
	struct kvrel_protocol none = { .size = sizeof(none) };
	cr_assert_lt(net_listen(t.net, "test", &none, NULL, "localhost", 0, &port, &err), 0);
	cr_assert_str_eq(err.message, "'localhost' is no numeric IPv4 or IPv6 address to listen on");
	cr_assert_lt(net_listen(t.net, "test", &none, NULL, "192.0.2.1", 1, &port, &err), 0);
	cr_assert(strstr(err.message, "cannot listen on 192.0.2.1:1: ") == err.message, "%s", err.message);
}

Test(listening, listens_on_ipv6)
{
	struct error err = { 0 };
	uint16_t port = 0;
	struct kvrel_protocol none = { .size = sizeof(none) };
	if (net_listen(t.net, "test", &none, NULL, "::1", 0, &port, &err) != 0)
		cr_skip_test("no IPv6 here: %s", err.message);
	cr_assert_neq(port, 0);
}

Test(listening, refuses_new_connections_once_it_stopped_accepting)
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

Test(limits, refuses_connections_over_the_limit_and_says_so, .timeout = 60)
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

/* Closed with unread input, the connection would be reset, and the client not get to know why. */
Test(limits, tells_those_over_the_limit_why_though_they_have_sent_something, .timeout = 60)
{
	struct t_net small = t_net_start(2, 1, OUTPUT_MAX);
	int a = t_connect(small.port);
	t_send(a, "echo a\n");
	EXPECT(a, "a\n");
	for (int i = 0; i < 100; i++) {
		int fd = t_connect(small.port);
		t_send(fd, "echo b\necho c\n");
		EXPECT(fd, "full\n");
		t_send(fd, "echo d\n");
		cr_assert_eq(t_read_to_end(fd), 0, "client %d", i);
		if (i % 2)
			close(fd); /* else it lingers */
		struct net_stats now;
		net_stats(small.net, &now);
		cr_assert_eq(now.connections, 1);
	}
	close(a);
	struct net_stats now;
	T_WAIT((net_stats(small.net, &now), now.connections == 0));
	int fd = t_connect(small.port);
	t_send(fd, "echo e\n");
	EXPECT(fd, "e\n");
	t_net_stop(&small);
}

Test(limits, goes_on_after_it_ran_out_of_descriptors, .timeout = 60)
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
