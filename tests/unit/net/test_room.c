/* SPDX-License-Identifier: MIT */
/* Clients that ask for more than they read: what they are owed is bounded, and nothing of it is lost or out of turn. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(room, .init = t_suite_start, .fini = t_suite_stop, .timeout = 60);

enum {
	BIG = 1000000,
	BIGS = 100,   /* of one batch */
	RAN_MAX = 40, /* what fits the limit and the sockets' buffers is less */
};

static void repeat(int fd, const char *lines, int times)
{
	char *text = calloc((size_t)times, strlen(lines) + 1);
	for (int i = 0; i < times; i++)
		strcat(text, lines);
	t_send(fd, text);
	free(text);
}

/* A client that has asked for BIGS and has read nothing. */
static int greedy_client(void)
{
	int fd = t_connect(t.port);
	repeat(fd, "big 1000000\n", BIGS);
	T_WAIT(t_provider_ran(t.provider) >= 2);
	usleep(50000);
	return fd;
}

static void expect_big(int fd, size_t size)
{
	static char chunk[1 << 16];
	while (size > 0) {
		ssize_t n = recv(fd, chunk, size < sizeof(chunk) ? size : sizeof(chunk), 0);
		cr_assert_gt(n, 0, "%zu bytes are missing", size);
		for (ssize_t i = 0; i < n; i++)
			cr_assert_eq(chunk[i], 'x');
		size -= (size_t)n;
	}
	EXPECT(fd, "\n");
}

Test(room, a_batch_is_run_only_as_far_as_there_is_room_for_its_replies)
{
	int fd = greedy_client();
	cr_assert_lt(t_provider_ran(t.provider), RAN_MAX, "%u", t_provider_ran(t.provider));
	for (int i = 0; i < BIGS; i++)
		expect_big(fd, BIG);
	t_send(fd, "echo end\n");
	EXPECT(fd, "end\n");
	close(fd);
}

Test(room, others_are_served_beside_a_client_that_reads_nothing)
{
	int greedy = greedy_client(), fds[4];
	for (int i = 0; i < 4; i++)
		fds[i] = t_connect(t.port);
	for (int i = 0; i < 400; i++) {
		t_send(fds[i % 4], "echo a\nlater b\n");
		EXPECT(fds[i % 4], "a\nb\n");
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(greedy);
}

Test(room, replies_keep_their_order_whatever_had_to_wait)
{
	enum { ROUNDS = 60 };
	int fd = t_connect(t.port), other = t_connect(t.port);
	char *text = calloc(ROUNDS, 200);
	for (int i = 0; i < ROUNDS; i++)
		sprintf(text + strlen(text), "big 300000\necho e%d\nlater l%d\nsay s%d\necho\nlatebig 100000\n", i, i,
			i);
	t_send(fd, text);
	for (int i = 0; i < 500; i++) { /* the worker's buffers are used again */
		t_send(other, "echo over-and-over\n");
		EXPECT(other, "over-and-over\n");
	}
	for (int i = 0; i < ROUNDS; i++) {
		char words[100];
		expect_big(fd, 300000);
		sprintf(words, "e%d\nl%d\ns%d\nwrong arguments\n", i, i, i);
		EXPECT(fd, words);
		expect_big(fd, 100000);
	}
	free(text);
	close(other);
	close(fd);
}

static void expect_few_to_run_behind_a_slow_one(const char *line)
{
	int fd = t_connect(t.port);
	t_send(fd, "held x\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	repeat(fd, line, BIGS);
	T_WAIT(t_provider_ran(t.provider) >= 3);
	usleep(50000);
	cr_assert_leq(t_provider_ran(t.provider), 5, "%u", t_provider_ran(t.provider));
	t_provider_release(t.provider);
	EXPECT(fd, "x\n");
	for (int i = 0; i < BIGS; i++)
		expect_big(fd, 500000);
	close(fd);
}

Test(room, results_behind_a_slow_one_are_bounded_within_a_batch)
{
	expect_few_to_run_behind_a_slow_one("big 0500000\n");
}

Test(room, results_that_come_late_are_bounded_before_they_come)
{
	expect_few_to_run_behind_a_slow_one("latebig 0500000\n");
}

Test(room, results_that_are_kept_for_long_make_others_wait)
{
	int fd = t_connect(t.port);
	repeat(fd, "heldbig 0500000\n", 6);
	for (int i = 0; i < 6; i += 3) {
		T_WAIT(t_provider_held(t.provider) == 3);
		usleep(20000);
		cr_assert_eq(t_provider_ran(t.provider), (unsigned)i + 3, "%u", t_provider_ran(t.provider));
		t_provider_release(t.provider);
		for (int j = 0; j < 3; j++)
			expect_big(fd, 500000);
	}
	t_send(fd, "echo end\n");
	EXPECT(fd, "end\n");
	close(fd);
}

Test(room, requests_outside_the_order_wait_too)
{
	int fd = greedy_client();
	t_send(fd, "beside a\n");
	for (int i = 0; i < BIGS; i++)
		expect_big(fd, BIG);
	T_WAIT(t_provider_held(t.provider) == 1);
	t_provider_release(t.provider);
	EXPECT(fd, "a\n");
	close(fd);
}

Test(room, all_is_answered_after_a_half_close)
{
	int fd = greedy_client();
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), BIGS * (BIG + 1L));
	close(fd);
}

Test(room, all_is_answered_before_the_protocol_closes)
{
	int fd = t_connect(t.port);
	char *text = calloc(BIGS, 16);
	for (int i = 0; i < BIGS; i++)
		strcat(text, "big 1000000\n");
	strcat(text, "bye\necho more\n");
	t_send(fd, text);
	cr_assert_eq(t_read_to_end(fd), BIGS * (BIG + 1L) + 4);
	free(text);
	close(fd);
}

Test(room, a_client_that_leaves_takes_what_waits_with_it)
{
	static const char *const lines[] = { "held x\nbig 1000000\nbeside y\n", "big 1000000\n",
					     "heldbig 1000000\nlatebig 1000000\nbeside y\n" };
	for (int i = 0; i < 30; i++) {
		int fd = t_connect(t.port);
		repeat(fd, lines[i % 3], BIGS / 3);
		usleep(1000);
		close(fd);
	}
	t_provider_release(t.provider);
	T_WAIT(t_stats().connections == 0 || (t_provider_release(t.provider), false));
	cr_assert_eq(t_stats().connections, 0);
}

Test(room, a_client_that_is_cut_off_takes_what_waits_with_it)
{
	int fd = t_connect(t.port);
	t_send(fd, "mark m\n");
	EXPECT(fd, "m\n");
	repeat(fd, "held x\nbig 1000000\n", BIGS / 2);
	T_WAIT(t_provider_ran(t.provider) >= 3);
	cr_assert(t_cut_marked());
	T_WAIT(t_stats().connections == 0);
	cr_assert_eq(t_stats().connections, 0);
	close(fd);
}

Test(room, stopping_does_not_wait_for_a_client_that_reads_nothing)
{
	int fd = greedy_client();
	cr_assert_not(net_drain(t.net, 100));
	cr_assert_eq(t_stats().connections, 0);
	close(fd);
}

Test(room, stopping_answers_a_client_that_reads)
{
	int fd = greedy_client();
	if (fork() == 0)
		_exit(t_read_to_end(fd) == BIGS * (BIG + 1L) ? 0 : 1);
	close(fd);
	cr_assert(net_drain(t.net, 10000));
}

/* ---- a limit smaller than one read ---- */

enum { SMALL = 16 << 10, LONG = 20000 };

static void start_small(void)
{
	t = t_net_start(1, PLENTY, SMALL);
}

TestSuite(little_room, .init = start_small, .fini = t_suite_stop, .timeout = 60);

/* What waits behind the first one goes out only with it. */
Test(little_room, the_first_in_order_does_not_wait_for_those_behind_it)
{
	char *text = calloc(3, LONG);
	int fd = t_connect(t.port);
	strcpy(text, "echo a\nbig 20000\nbig 20000\necho b\nsay ");
	memset(text + strlen(text), 'x', LONG);
	strcat(text, "\nsay c\n");
	t_send(fd, text);
	EXPECT(fd, "a\n");
	expect_big(fd, LONG);
	expect_big(fd, LONG);
	EXPECT(fd, "b\n");
	expect_big(fd, LONG);
	EXPECT(fd, "c\n");
	free(text);
	close(fd);
}

Test(little_room, a_result_over_the_limit_is_kept_alone)
{
	int fd = t_connect(t.port);
	repeat(fd, "heldbig 20000\necho a\n", 5);
	for (unsigned i = 0; i < 5; i++) {
		T_WAIT(t_provider_held(t.provider) == 1);
		t_provider_release(t.provider);
		expect_big(fd, 20000);
		EXPECT(fd, "a\n");
	}
	close(fd);
}

Test(little_room, a_connection_is_read_again_while_what_is_outside_the_order_waits)
{
	int fd = t_connect(t.port);
	t_send(fd, "beside a\nbig 20000\n");
	expect_big(fd, 20000);
	T_WAIT(t_provider_held(t.provider) == 1);
	t_send(fd, "echo b\n");
	EXPECT(fd, "b\n");
	t_provider_release(t.provider);
	EXPECT(fd, "a\n");
	close(fd);
}

/* ---- input that waits ---- */

Test(room, a_long_input_is_taken_bit_by_bit)
{
	enum { REQUESTS = 100000, EACH = 14 };
	char *text = malloc(2 * BIG + REQUESTS * EACH + 16), *at = text;
	int fd = t_connect(t.port);
	at += sprintf(at, "say ");
	memset(at, 'x', 2 * BIG);
	at += 2 * BIG;
	at += sprintf(at, "\n");
	for (int i = 0; i < REQUESTS; i++)
		at += sprintf(at, i % 2 ? "echo %08d\n" : "later %07d\n", i);
	if (fork() == 0) {
		t_send_bytes(fd, text, (size_t)(at - text));
		_exit(0);
	}
	expect_big(fd, 2 * BIG);
	for (int i = 0; i < REQUESTS; i++) {
		char number[16];
		sprintf(number, i % 2 ? "%08d\n" : "%07d\n", i);
		EXPECT(fd, number);
	}
	free(text);
	close(fd);
}

/* ---- providers that take no writes for a while ---- */

static bool has_something(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

Test(room, writes_that_are_held_wait_with_what_is_behind_them_and_others_go_on)
{
	int writer = t_connect(t.port), reader = t_connect(t.port);
	t_hold_writes(&t, true);
	t_send(writer, "echo a\nlater b\necho c\n");
	EXPECT(writer, "a\n");
	for (int i = 0; i < 100; i++) {
		t_send(reader, "echo x\n");
		EXPECT(reader, "x\n");
	}
	cr_expect_not(has_something(writer));
	cr_expect_eq(t_provider_ran(t.provider), 101, "%u", t_provider_ran(t.provider));
	t_hold_writes(&t, false);
	EXPECT(writer, "b\nc\n");
	close(writer);
	close(reader);
}

Test(room, writes_that_are_held_again_and_again_keep_their_order)
{
	enum { CLIENTS = 20, ROUNDS = 50, EACH = 20 };
	int fds[CLIENTS];
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = t_connect(t.port);
	for (int round = 0; round < ROUNDS; round++) {
		char asked[EACH * 32] = "", expected[EACH * 32] = "";
		for (int i = 0; i < EACH; i++) {
			sprintf(asked + strlen(asked), "%s %d.%d\n", i % 3 != 0 ? "later" : "echo", round, i);
			sprintf(expected + strlen(expected), "%d.%d\n", round, i);
		}
		for (int i = 0; i < CLIENTS; i++) {
			t_hold_writes(&t, i % 2 == 0);
			t_send(fds[i], asked);
		}
		t_hold_writes(&t, false);
		for (int i = 0; i < CLIENTS; i++)
			EXPECT(fds[i], expected);
	}
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
}

Test(room, a_client_may_leave_while_its_writes_are_held)
{
	int fd = t_connect(t.port);
	t_hold_writes(&t, true);
	t_send(fd, "say hello\nlater a\nlater b\n");
	EXPECT(fd, "hello\n");
	const struct linger none = { .l_onoff = 1 };
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	close(fd); /* with a reset */
	fd = t_connect(t.port);
	t_send(fd, "echo c\n");
	EXPECT(fd, "c\n");
	t_hold_writes(&t, false);
	t_send(fd, "later d\n");
	EXPECT(fd, "d\n");
	close(fd);
}

Test(room, writes_that_stay_held_do_not_keep_the_net_from_ending)
{
	int fd = t_connect(t.port);
	t_hold_writes(&t, true);
	t_send(fd, "say hello\nlater a\n");
	EXPECT(fd, "hello\n");
	cr_expect_not(net_drain(t.net, 100));
	cr_expect_eq(t_stats().connections, 0);
	t_hold_writes(&t, false);
	close(fd);
}
