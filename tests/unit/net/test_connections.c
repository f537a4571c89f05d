/* SPDX-License-Identifier: MIT */
/* How connections end, and what the others notice of it. */
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(connections, .init = t_suite_start, .fini = t_suite_stop, .timeout = 60);

Test(connections, closes_a_connection_whose_request_has_no_end)
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

Test(connections, answers_before_it_closes_a_half_closed_connection)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\necho 2\necho incomplete");
	shutdown(fd, SHUT_WR);
	EXPECT(fd, "1\n2\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	close(fd);
}

Test(connections, lets_the_last_reply_be_read_when_the_protocol_closes)
{
	int fd = t_connect(t.port);
	char *more = calloc(1, 1 << 20);
	t_send(fd, "later 1\nbye\necho never\n");
	t_send_bytes(fd, more, 1 << 20); /* unread input would make close() reset the connection */
	EXPECT(fd, "1\nbye\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	free(more);
	close(fd);
	T_WAIT(t_stats().connections == 0);
	cr_assert_eq(t_stats().connections, 0);
}

Test(connections, closes_a_lingering_connection_after_a_while)
{
	int fd = t_connect(t.port);
	t_send(fd, "bye\n");
	EXPECT(fd, "bye\n");
	T_WAIT(t_stats().connections == 0);
	cr_assert_eq(t_stats().connections, 0);
	close(fd);
}

Test(connections, survives_clients_that_vanish_in_mid_request)
{
	struct linger reset = { .l_onoff = 1 };
	for (int i = 0; i < 200; i++) {
		int fd = t_connect(t.port);
		t_send(fd, i % 2 ? "held x\nlater 1\nbig 100000\necho par" : "latebig 100000\nlater x\necho");
		if (i % 3 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	T_WAIT(t_stats().accepted == 200);
	usleep(20000);
	t_provider_release(t.provider);
	T_WAIT(t_stats().connections == 0);
	if (t_stats().connections != 0)
		t_provider_release(t.provider);
	int fd = t_connect(t.port);
	t_send(fd, "echo alive\n");
	EXPECT(fd, "alive\n");
	close(fd);
}

Test(connections, serves_beside_a_thousand_half_open_connections)
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
	T_WAIT(t_stats().connections == OPEN);
	cr_assert_eq(t_stats().connections, OPEN);
	for (int i = 0; i < OPEN; i++)
		close(fds[i]);
	T_WAIT(t_stats().connections == 0);
	cr_assert_eq(t_stats().connections, 0);
}

Test(connections, drains_what_has_arrived_and_closes)
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
	cr_assert_eq(t_stats().connections, 0);
	close(fd);
	close(idle);
}

Test(connections, gives_up_draining_at_the_deadline)
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

Test(connections, are_cut_off_from_another_thread_whatever_they_wait_for)
{
	enum { MORE_THAN_SOCKETS_HOLD = 64000000 };
	static const char *const states[] = { "", "echo par", "held x\n", "beside x\nbeside y\n",
					      "latebig 64000000\n" };
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		int fd = t_connect(t.port);
		t_send(fd, "mark 1\n");
		EXPECT(fd, "1\n");
		t_send(fd, states[i]);
		cr_assert(t_cut_marked());
		t_cut_marked(); /* once more is fine */
		cr_assert_lt(t_read_to_end(fd), MORE_THAN_SOCKETS_HOLD, "%s", states[i]);
		T_WAIT(t_stats().connections == 0);
		cr_assert_eq(t_stats().connections, 0, "%s", states[i]);
		cr_assert_not(t_cut_marked());
		t_provider_release(t.provider);
		close(fd);
	}
}

Test(unfinished, requests_are_bounded_all_together, .timeout = 60)
{
	enum { CLIENTS = 20, SIZE = 1 << 20, SMALL = 40000 };
	static char bytes[SIZE];
	int fds[CLIENTS];
	t_input_max = 6 << 20;
	struct t_net net = t_net_start(2, PLENTY, OUTPUT_MAX);
	memset(bytes, 'x', SIZE);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = t_connect(net.port);
		t_send_bytes(fds[i], bytes, SIZE);
	}
	struct net_stats now;
	T_WAIT((net_stats(net.net, &now), now.accepted == CLIENTS && now.connections <= 6 &&
						  now.connections >= 2)); /* counted one after another */
	cr_assert_leq(now.connections, 6);
	cr_assert_geq(now.connections, 2); /* a buffer is twice as long as what it has to hold, at most */
	int small = t_connect(net.port);   /* small ones have nothing to fear */
	t_send(small, "echo ");
	t_send_bytes(small, bytes, SMALL);
	usleep(20000);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	t_send(small, "\n");
	for (int at = 0; at < SMALL; at += 1000) {
		bytes[1000] = '\0';
		EXPECT(small, bytes);
	}
	EXPECT(small, "\n");
	T_WAIT((net_stats(net.net, &now), now.connections == 1));
	int long_one = t_connect(net.port); /* there is room again */
	t_send(long_one, "big 5\necho ");
	EXPECT(long_one, "xxxxx\n");
	for (int i = 0; i < 7000; i++) /* as long as its protocol lets it be */
		t_send_bytes(long_one, bytes, 1000);
	t_send(long_one, "\n");
	shutdown(long_one, SHUT_WR);
	cr_assert_eq(t_read_to_end(long_one), 7000 * 1000 + 1);
	t_net_stop(&net);
}

/* ---- clients that read nothing ---- */

TestSuite(silent, .fini = t_suite_stop, .timeout = 60);

Test(silent, clients_that_read_nothing_are_cut_off_though_they_go_on_sending)
{
	t_write_timeout_ms = 1000;
	t = t_net_start(1, PLENTY, 256 << 20);
	int fd = t_connect(t.port);
	for (int i = 0; i < 64; i++)
		t_send(fd, "big 1000000\n");
	bool cut = false;
	for (int i = 0; !cut && i < 300; i++) {
		usleep(100000);
		cut = send(fd, "e", 1, MSG_NOSIGNAL) < 0;
	}
	cr_assert(cut, "it may send for ever");
	T_WAIT(t_stats().connections == 0);
	cr_assert_eq(t_stats().connections, 0);
	close(fd);
}
