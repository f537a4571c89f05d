/* SPDX-License-Identifier: MIT */
/* Requests and replies over real sockets on the loopback: their order, their sizes, their limits. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

TestSuite(replies, .init = t_suite_start, .fini = t_suite_stop, .timeout = 60);

Test(replies, answers_a_request)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo hello\n");
	EXPECT(fd, "hello\n");
	close(fd);
}

Test(replies, answers_a_request_that_arrives_byte_by_byte)
{
	int fd = t_connect(t.port);
	for (const char *c = "echo one\nlater two\nsay three\n"; *c; c++) {
		t_send_bytes(fd, c, 1);
		usleep(200);
	}
	EXPECT(fd, "one\ntwo\nthree\n");
	close(fd);
}

Test(replies, keeps_the_order_of_early_and_late_answers)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\necho 2\nheld 3\nsay 4\nnothing\nlater 5\ntree\necho 6\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	EXPECT(fd, "1\n2\n");
	t_provider_release(t.provider);
	EXPECT(fd, "3\n4\nnothing\n5\n[-7,[leaf,nil]]\n6\n");
	close(fd);
}

Test(replies, copies_what_has_to_wait)
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

Test(replies, refuses_an_argument_count_that_the_operation_does_not_take)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo\necho a b\nlater a b c\n");
	EXPECT(fd, "wrong arguments\nwrong arguments\na\n");
	close(fd);
}

Test(replies, parses_and_prefetches_a_pipeline_before_it_runs_it)
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

Test(replies, ends_a_wake_up_once_for_all_its_writes)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\nlater 2\nlater 3\nlater 4\n");
	EXPECT(fd, "1\n");
	cr_assert_leq(t_provider_batch_ends(t.provider), 2, "%u", t_provider_batch_ends(t.provider));
	close(fd);
}

Test(replies, answers_a_pipeline_longer_than_any_limit)
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

Test(replies, takes_requests_larger_than_its_buffers)
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

/* Long requests, so that the sockets' buffers hold few of them. */
static void fill_with_big_requests(char *to, size_t size, size_t each)
{
	memset(to, '0', size);
	for (size_t at = 0; at < size; at += each) {
		memcpy(to + at, "big ", 4);
		memcpy(to + at + each - 6, "10000\n", 6);
	}
}

Test(replies, stops_reading_from_a_client_that_does_not_read)
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
	cr_assert_lt(t_stats().requests, 1500, "%lu", (unsigned long)t_stats().requests);
	/* It all comes once the client reads. */
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), sent / EACH * 10001);
	close(fd);
}

Test(replies, bounds_the_results_that_wait_behind_a_slow_one)
{
	int fd = t_connect(t.port);
	t_send(fd, "held x\n");
	for (int i = 0; i < 1000; i++)
		t_send(fd, "big 0100000\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	usleep(50000);
	cr_assert_lt(t_stats().requests, 300, "%lu", (unsigned long)t_stats().requests);
	t_provider_release(t.provider);
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), 2 + 1000 * 100001L);
	close(fd);
}

Test(replies, bounds_unanswered_requests)
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

Test(replies, answers_requests_outside_the_order_when_their_answer_comes)
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

Test(replies, bounds_requests_outside_the_order)
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

Test(replies, ends_with_requests_outside_the_order_still_on_their_way)
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
