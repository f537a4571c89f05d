/* SPDX-License-Identifier: MIT */
/* MULTI … EXEC: what is run and when, what is refused, and how much of it there may be. */
#include "resp_front.h"

#include "front_end.h"

#define QUEUED  "+QUEUED\r\n"
#define ABORTED "-EXECABORT Transaction discarded because of previous errors.\r\n"

TestSuite(transactions, .init = t_resp_init, .fini = t_resp_done, .timeout = 60);

Test(transactions, run_when_their_end_is_known)
{
	t_feed("MULTI\r\nHSET b f v\r\nHGET b f\r\n");
	cr_assert_str_eq(t_output(), "+OK\r\n" QUEUED QUEUED);
	cr_assert_str_eq(t_front_calls(t_resp), "");
	t_feed("HGETALL b\r\nEXEC\r\nHGET b g\r\n");
	cr_assert_str_eq(t_output(), "+OK\r\n" QUEUED QUEUED QUEUED
				     "*3\r\n:3\r\n$5\r\nvalue\r\n*4\r\n$2\r\nf1\r\n$2\r\nv1\r\n$2\r\nf2\r\n$2\r\nv2\r\n"
				     "$5\r\nvalue\r\n");
	cr_assert_str_eq(t_front_calls(t_resp), "kv.hset(b,f,v)\nkv.hget(b,f)\nkv.hgetall(b)\nkv.hget(b,g)\n");
}

Test(transactions, answer_alike_wherever_there_is_no_room)
{
	for (unsigned room = 1; room < 9; room++) {
		t_front_connect(t_resp, "127.0.0.1:1");
		t_front_set_room(t_resp, room);
		t_feed("PING\r\nMULTI\r\nHSET b f \"v\"\r\nMULTI\r\nPING\r\nHGET b "
		       "f\r\nEXEC\r\nMULTI\r\nPING\r\nDISCARD\r\nPING\r\nMULTI\r\nPING\r\nRESET\r\n"
		       "PING\r\n");
		cr_assert_str_eq(t_output(),
				 "+PONG\r\n+OK\r\n" QUEUED "-ERR MULTI calls can not be nested\r\n" QUEUED QUEUED
				 "*3\r\n:3\r\n+PONG\r\n$5\r\nvalue\r\n+OK\r\n" QUEUED "+OK\r\n+PONG\r\n"
				 "+OK\r\n" QUEUED "+RESET\r\n+PONG\r\n",
				 "room %u: %s", room, t_output());
		cr_assert_str_eq(t_front_calls(t_resp), "kv.hset(b,f,v)\nkv.hget(b,f)\n");
	}
}

Test(transactions, run_nothing_when_a_request_of_them_was_refused)
{
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nHGET b\r\nHSET b g v\r\nEXEC\r\nPING\r\n",
		   "+OK\r\n" QUEUED "-ERR wrong number of arguments for 'hget' command\r\n" QUEUED ABORTED "+PONG\r\n");
	cr_assert_str_eq(t_front_calls(t_resp), "");
	EXPECT_RAW("MULTI\r\nBOGUS\r\nEXEC\r\nEXEC\r\n",
		   "+OK\r\n-ERR unknown command 'BOGUS', with args beginning with: \r\n" ABORTED
		   "-ERR EXEC without MULTI\r\n");
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nEXEC x\r\nEXEC\r\n",
		   "+OK\r\n" QUEUED
		   "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
		   "-ERR EXEC without MULTI\r\n");
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nCONFIG BOGUS\r\nEXEC\r\nMULTI\r\nHSET b f v\r\nCLIENT GETNAME x\r\nEXEC\r\n",
		   "+OK\r\n" QUEUED "-ERR unknown subcommand 'BOGUS'. Try CONFIG HELP.\r\n" ABORTED "+OK\r\n" QUEUED
		   "-ERR wrong number of arguments for 'client|getname' command\r\n" ABORTED);
	cr_assert_str_eq(t_front_calls(t_resp), "");
}

Test(transactions, run_what_fails_among_the_others)
{
	EXPECT_RAW("MULTI\r\nHSET b f v g\r\nHGET broken f\r\nPING\r\nEXEC\r\n",
		   "+OK\r\n" QUEUED QUEUED QUEUED "*3\r\n-ERR wrong number of arguments for 'hset' command\r\n"
		   "-ERR the disk  is full\r\n+PONG\r\n");
}

Test(transactions, are_forgotten)
{
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nDISCARD\r\nEXEC\r\nDISCARD\r\n",
		   "+OK\r\n" QUEUED "+OK\r\n-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n");
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nRESET\r\nPING\r\nEXEC\r\n",
		   "+OK\r\n" QUEUED "+RESET\r\n+PONG\r\n-ERR EXEC without MULTI\r\n");
	EXPECT_RAW("MULTI\r\nHSET b f v\r\nQUIT\r\nEXEC\r\n", "+OK\r\n" QUEUED "+OK\r\n");
	cr_assert(t_front_is_closed(t_resp));
	cr_assert_str_eq(t_front_calls(t_resp), "");
}

Test(transactions, may_be_empty_or_follow_each_other)
{
	EXPECT_RAW("MULTI\r\nEXEC\r\nMULTI\r\nPING\r\n*0\r\nEXEC\r\nMULTI\r\nPING\r\nEXEC\r\n",
		   "+OK\r\n*0\r\n+OK\r\n" QUEUED "*1\r\n+PONG\r\n+OK\r\n" QUEUED "*1\r\n+PONG\r\n");
}

Test(transactions, watch_nothing)
{
	EXPECT("WATCH b", "-ERR WATCH is not supported yet: a transaction can't be made to depend on what others "
			  "change\r\n");
	EXPECT("UNWATCH", "+OK\r\n");
	EXPECT_RAW("MULTI\r\nWATCH b\r\nUNWATCH\r\nEXEC\r\n",
		   "+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n" QUEUED "*1\r\n+OK\r\n");
}

Test(transactions, take_effect_on_the_connection_when_they_run)
{
	EXPECT_RAW("MULTI\r\nCLIENT SETNAME me\r\nCLIENT GETNAME\r\nEXEC\r\n",
		   "+OK\r\n" QUEUED QUEUED "*2\r\n+OK\r\n$2\r\nme\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nMULTI\r\nPING\r\nEXEC\r\n", QUEUED "*1\r\n+PONG\r\n");
	/* one that is queued is about what follows EXEC */
	EXPECT_RAW("MULTI\r\nCLIENT REPLY SKIP\r\nECHO a\r\nEXEC\r\nECHO b\r\nECHO c\r\n",
		   "+OK\r\n" QUEUED QUEUED "*2\r\n$1\r\na\r\n$1\r\nc\r\n");
	EXPECT_RAW("CLIENT REPLY OFF\r\nMULTI\r\nHSET b f v\r\nEXEC\r\n", "");
	cr_assert_str_eq(t_front_calls(t_resp), "kv.hset(b,f,v)\n");
}

Test(transactions, show_in_the_list_of_clients)
{
	t_feed("MULTI\r\nPING\r\nCLIENT INFO\r\nPING\r\nEXEC\r\n");
	cr_assert_not_null(strstr(t_output(), " flags=x "));
	cr_assert_not_null(strstr(t_output(), " multi=3 "), "%s", t_output());
	size_t before = strlen(t_output());
	t_feed("CLIENT INFO\r\n");
	cr_assert_not_null(strstr(t_output() + before, " flags=N "));
	cr_assert_not_null(strstr(t_output() + before, " multi=-1 "));
}

/* Feeds `count` requests of a KiB each. */
static void queue_kilobytes(unsigned count)
{
	char request[1025];
	snprintf(request, sizeof(request), "*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$1\r\nf\r\n$984\r\n%0984d\r\n", 0);
	for (unsigned i = 0; i < count; i++)
		t_feed(request);
}

Test(transactions, are_no_longer_than_a_request_may_be)
{
	t_feed("MULTI\r\n");
	queue_kilobytes(1000);
	t_feed("EXEC\r\nPING\r\n");
	cr_assert_str_eq(t_output() + strlen(t_output()) - 15, "\r\n:3\r\n:3\r\n+PONG\r\n" + 2);
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed("MULTI\r\n");
	queue_kilobytes(1050);
	cr_assert_not_null(strstr(t_output(), QUEUED "-ERR Protocol error: too big"));
	cr_assert(t_front_is_closed(t_resp));
	cr_assert_str_eq(t_front_calls(t_resp), "");
}

Test(transactions, hold_nothing_once_they_are_spoilt)
{
	t_feed("MULTI\r\nBOGUS\r\n");
	queue_kilobytes(1100);
	t_feed("EXEC\r\n");
	cr_assert_not(t_front_is_closed(t_resp));
	cr_assert_str_eq(t_output() + strlen(t_output()) - strlen(QUEUED ABORTED), QUEUED ABORTED);
}

Test(transactions_of_guests, begin_after_they_authenticate)
{
	t_resp = t_resp_start(SETTING_PASSWORD, "secret", 0, NULL);
	EXPECT_RAW(
		"MULTI\r\nEXEC\r\nAUTH secret\r\nMULTI\r\nPING\r\nEXEC\r\n",
		"-NOAUTH Authentication required.\r\n"
		"-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n" QUEUED
		"*1\r\n+PONG\r\n");
	t_front_stop(t_resp);
}

Test(transactions_of_guests, run_nothing_where_a_password_came_meanwhile)
{
	t_resp = t_resp_start(SETTINGS, NULL, 0, NULL);
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed("MULTI\r\nHSET b f v\r\n");
	cr_assert_eq(t_front_set(t_resp, "password", "secret", 0), 0);
	t_feed("HSET b g v\r\nEXEC\r\nAUTH secret\r\nEXEC\r\n");
	cr_assert_str_eq(t_output(), "+OK\r\n" QUEUED "-NOAUTH Authentication required.\r\n"
				     "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n"
				     "+OK\r\n-ERR EXEC without MULTI\r\n");
	cr_assert_str_eq(t_front_calls(t_resp), "");
	t_front_stop(t_resp);
}
