/* SPDX-License-Identifier: MIT */
/* What clients still get when the node or the protocol has enough of them, and how long slow ones may take. */
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(endings, .init = t_suite_start, .fini = t_suite_stop, .timeout = 60);

enum { LINE = 18, LINES = 60000 }; /* more than a mebibyte */

/* "echo 000000000042", and so on. */
static char *many_lines(const char *first, size_t *size)
{
	size_t head = strlen(first);
	char *text = malloc(head + LINES * LINE + 1);
	cr_assert_not_null(text);
	memcpy(text, first, head);
	for (int i = 0; i < LINES; i++)
		snprintf(text + head + (size_t)i * LINE, LINE + 1, "echo %012d\n", i);
	*size = head + LINES * LINE;
	return text;
}

struct client {
	pthread_t thread;
	int fd;
	const char *first; /* what it sends in front of its lines */
	bool half_closes;
	int answers; /* -1: none came for `first` */
	bool in_order;
	bool reset;
};

static void read_answers(struct client *client, FILE *from)
{
	char line[64], expected[64];
	client->answers = *client->first && !fgets(line, sizeof(line), from) ? -1 : 0;
	client->in_order = true;
	while (client->in_order && client->answers >= 0 && fgets(line, sizeof(line), from)) {
		snprintf(expected, sizeof(expected), "%012d\n", client->answers++);
		client->in_order = strcmp(line, expected) == 0;
	}
	client->reset = ferror(from);
}

/* Sends all, then reads all. */
static void *run_client(void *context)
{
	struct client *client = context;
	size_t size = 0;
	char *text = many_lines(client->first, &size);
	t_send_bytes(client->fd, text, size);
	if (client->half_closes)
		shutdown(client->fd, SHUT_WR);
	FILE *from = fdopen(client->fd, "r");
	read_answers(client, from);
	fclose(from);
	free(text);
	return NULL;
}

static void start_client(struct client *client, const char *first, bool half_closes)
{
	*client = (struct client){ .fd = t_connect(t.port), .first = first, .half_closes = half_closes };
	cr_assert_eq(pthread_create(&client->thread, NULL, run_client, client), 0);
}

struct drain {
	pthread_t thread;
	const char *owner; /* NULL: of all */
	bool answered;
};

static void *run_drain(void *context)
{
	struct drain *drain = context;
	drain->answered = drain->owner ? net_close_owner(t.net, drain->owner, 20000) : net_drain(t.net, 20000);
	return NULL;
}

static void start_drain(struct drain *drain, const char *owner)
{
	*drain = (struct drain){ .owner = owner };
	cr_assert_eq(pthread_create(&drain->thread, NULL, run_drain, drain), 0);
	usleep(20000);
}

Test(endings, a_client_that_has_sent_more_than_is_read_gets_what_is_answered_when_the_node_stops)
{
	struct client client;
	struct drain drain;
	start_client(&client, "held x\n", false); /* behind it reading pauses sooner or later */
	T_WAIT(t_provider_held(t.provider) == 1);
	usleep(50000);
	net_stop_accepting(t.net);
	start_drain(&drain, NULL);
	t_provider_release(t.provider);
	pthread_join(client.thread, NULL);
	pthread_join(drain.thread, NULL);
	cr_expect(drain.answered);
	cr_expect_not(client.reset, "after %d answers", client.answers);
	cr_expect(client.in_order, "answer %d", client.answers);
	cr_expect_geq(client.answers, 1000);
	cr_expect_lt(client.answers, LINES, "the test is none: all was read");
}

Test(endings, a_half_closed_client_gets_every_answer)
{
	struct client client;
	start_client(&client, "later x\n", true);
	pthread_join(client.thread, NULL);
	cr_expect_eq(client.answers, LINES, "%d", client.answers);
	cr_expect(client.in_order);
	cr_expect_not(client.reset);
}

/* As of servers that it knows: nobody would be there to tell. */
Test(endings, a_half_closed_client_that_waits_for_changes_is_closed)
{
	int fd = t_connect(t.port);
	t_send(fd, "beside x\nlater 1\n");
	shutdown(fd, SHUT_WR);
	EXPECT(fd, "1\n");
	cr_assert_eq(t_read_to_end(fd), 0, "errno %d", errno);
	t_provider_release(t.provider);
	close(fd);
}

Test(endings, the_last_reply_reaches_a_client_that_reads_when_it_has_sent_all)
{
	enum { REPLY = 32000000, BEHIND = 32 << 20 }; /* neither fits into sockets */
	int fd = t_connect(t.port);
	char *behind = calloc(1, BEHIND);
	t_send(fd, "big 32000000\nbye\n");
	cr_assert(t_send_bytes(fd, behind, BEHIND), "errno %d", errno);
	cr_assert_eq(t_read_to_end(fd), REPLY + (long)strlen("\nbye\n"), "errno %d", errno);
	free(behind);
	close(fd);
}

Test(endings, a_stop_does_not_cut_off_who_is_about_to_hear_why)
{
	static char behind[1 << 16];
	struct drain drain;
	int fd = t_connect(t.port);
	t_send(fd, "bye\n");
	EXPECT(fd, "bye\n"); /* it lingers */
	net_stop_accepting(t.net);
	start_drain(&drain, NULL);
	for (int i = 0; i < 16; i++) {
		cr_assert(t_send_bytes(fd, behind, sizeof(behind)), "errno %d", errno);
		usleep(5000);
	}
	cr_assert_eq(t_read_to_end(fd), 0, "errno %d", errno);
	close(fd);
	pthread_join(drain.thread, NULL);
	cr_expect(drain.answered);
}

Test(endings, a_stop_waits_for_no_client_that_is_answered_and_does_not_leave)
{
	int fd = t_connect(t.port);
	t_send(fd, "later 1\n");
	EXPECT(fd, "1\n");
	net_stop_accepting(t.net);
	cr_assert(net_drain(t.net, 20), "it is owed nothing"); /* less than it may linger */
	cr_assert_eq(t_stats().connections, 0);
	cr_assert_eq(t_read_to_end(fd), 0);
	close(fd);
}

Test(endings, one_component_is_closed_when_all_of_its_own_are_answered_and_others_stay)
{
	struct drain drain;
	int other = t_connect(t_net_listen(&t, "other"));
	int fd = t_connect(t.port);
	t_send(other, "echo 1\n");
	EXPECT(other, "1\n");
	t_send(fd, "held x\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	start_drain(&drain, "test");
	t_send(other, "echo 2\n");
	EXPECT(other, "2\n");
	t_provider_release(t.provider);
	EXPECT(fd, "x\n");
	cr_assert_eq(t_read_to_end(fd), 0);
	close(fd);
	pthread_join(drain.thread, NULL);
	cr_expect(drain.answered);
	t_send(other, "echo 3\n");
	EXPECT(other, "3\n");
	cr_expect_eq(t_stats().connections, 1);
	cr_expect(net_close_owner(t.net, "nobody", 0));
	close(other);
}

Test(endings, one_component_that_owes_answers_for_too_long_has_its_clients_cut_off)
{
	int other = t_connect(t_net_listen(&t, "other"));
	int fd = t_connect(t.port);
	t_send(fd, "held x\n");
	T_WAIT(t_provider_held(t.provider) == 1);
	cr_expect_not(net_close_owner(t.net, "test", 20));
	cr_expect_eq(t_read_to_end(fd), 0);
	t_send(other, "echo 1\n");
	EXPECT(other, "1\n");
	close(fd);
	close(other);
}

/* ---- clients that take their time ---- */

static void start_impatient(void)
{
	t_idle_timeout_ms = 2000;
	t_suite_start();
}

TestSuite(slow, .init = start_impatient, .fini = t_suite_stop, .timeout = 60);

Test(slow, a_request_that_comes_byte_by_byte_is_given_up)
{
	int fd = t_connect(t.port);
	bool open = true;
	t_send(fd, "echo 1\necho ");
	EXPECT(fd, "1\n");
	for (int i = 0; open && i < 200; i++) {
		usleep(100000);
		open = t_send_bytes(fd, "x", 1);
	}
	cr_assert_not(open, "it may go on for ever");
	close(fd);
}

Test(slow, a_long_request_may_take_its_time)
{
	static char part[20000];
	int fd = t_connect(t.port);
	memset(part, 'x', sizeof(part));
	t_send(fd, "echo ");
	for (int i = 0; i < 40; i++) {
		cr_assert(t_send_bytes(fd, part, i == 0 ? sizeof(part) : 100), "after %d", i);
		usleep(100000);
	}
	t_send(fd, "\n");
	shutdown(fd, SHUT_WR);
	cr_assert_eq(t_read_to_end(fd), (long)sizeof(part) + 39 * 100 + 1, "errno %d", errno);
	close(fd);
}

Test(slow, requests_of_which_always_the_next_has_begun_are_many)
{
	int fd = t_connect(t.port);
	t_send(fd, "echo ");
	for (int i = 0; i < 50; i++) {
		usleep(100000);
		t_send(fd, "1\necho ");
		EXPECT(fd, "1\n");
	}
	close(fd);
}
