/* SPDX-License-Identifier: MIT */
/* Requests out of bytes: in either form, in any pieces, broken ones in Redis' words. */
#include "resp_front.h"

#include "front_end.h"

TestSuite(requests, .init = t_resp_init, .fini = t_resp_done, .timeout = 60);

Test(requests, takes_inline_commands)
{
	EXPECT_RAW("PING\n", "+PONG\r\n");
	EXPECT_RAW("\r\n\n  \r\nPING\r\n", "+PONG\r\n");
	EXPECT_RAW("ECHO \"a\\x41\\n\\\"\"\r\n", "$4\r\naA\n\"\r\n");
	EXPECT_RAW("ECHO 'it\\'s \\n'\r\n", "$7\r\nit's \\n\r\n");
	EXPECT_RAW("ECHO \"\"\r\n", "$0\r\n\r\n");
	EXPECT_RAW("ECHO\ta\fb\r\r\n", "$3\r\na\fb\r\n");
	EXPECT_RAW("\vECHO \f\va\r\nECHO \"b\"\f\r\n", "$1\r\na\r\n$1\r\nb\r\n");
	EXPECT_RAW("HSET b \"a b\" 'c d'\r\n", ":3\r\n");
	cr_assert_str_eq(t_front_calls(t_resp), "kv.hset(b,a b,c d)\n");
}

/* Names with the same beginning and end, other cases, none, and mistakes in between. */
Test(requests, in_a_pipeline_each_have_the_command_they_name)
{
#define UNKNOWN(name, beginning) "-ERR unknown command '" name "', with args beginning with: " beginning "\r\n"
	EXPECT_RAW("ECHO a\r\nECHO\r\nECHO b\r\necho c\r\nECHOECHO d\r\nECHOECHO e\r\nECHO f\r\n",
		   "$1\r\na\r\n-ERR wrong number of arguments for 'echo' command\r\n$1\r\nb\r\n$1\r\nc\r\n" //
		   UNKNOWN("ECHOECHO", "'d' ") UNKNOWN("ECHOECHO", "'e' ") "$1\r\nf\r\n");
	EXPECT_RAW("aaaa\r\naaaaa\r\naaaaaaaa\r\nPING\r\nPINGS\r\nPING\r\nQ\r\nSELECT 0\r\nPING\r\n",
		   UNKNOWN("aaaa", "") UNKNOWN("aaaaa", "") UNKNOWN("aaaaaaaa", "") "+PONG\r\n" //
		   UNKNOWN("PINGS", "") "+PONG\r\n" UNKNOWN("Q", "") "+OK\r\n+PONG\r\n");
#undef UNKNOWN
}

Test(requests, refuses_unbalanced_quotes_and_closes)
{
	static const char *const wrong[] = { "ECHO \"a\r\n", "ECHO 'a\r\n", "ECHO \"a\"b\r\n", "ECHO 'a'b\r\n" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_RAW(wrong[i], "-ERR Protocol error: unbalanced quotes in request\r\n");
		cr_assert(t_front_is_closed(t_resp));
	}
}

Test(requests, bounds_inline_commands)
{
	char *line = malloc(70000);
	memset(line, 'a', 70000);
	t_front_feed(t_resp, line, 65535);
	cr_assert_str_eq(t_output(), "");
	t_front_feed(t_resp, line, 1);
	cr_assert_str_eq(t_output(), "-ERR Protocol error: too big inline request\r\n");
	cr_assert(t_front_is_closed(t_resp));
	free(line);
}

Test(requests, refuses_a_broken_stream_in_redis_words_and_closes)
{
	static const char *const wrong[][2] = {
		{ "*1\r\n:1\r\n", "expected '$', got ':'" },
		{ "*1\r\n\x01", "expected '$', got '\x01'" },
		{ "*1\r\n\r\n", "expected '$', got ' '" },
		{ "*01\r\n$4\r\nPING\r\n", "invalid multibulk length" },
		{ "*-0\r\n", "invalid multibulk length" },
		{ "*1\r\n$04\r\nPING\r\n", "invalid bulk length" },
		{ "*1\r\n$00\r\n\r\n", "invalid bulk length" },
		{ "*1\r\n$0100\r\n", "invalid bulk length" },
		{ "*x\r\n", "invalid multibulk length" },
		{ "*2147483648\r\n", "invalid multibulk length" },
		{ "*2147483647\r\n", "too big request" },
		{ "*174763\r\n", "too big request" },
		{ "*99999999999\r\n", "invalid multibulk length" },
		{ "*1\r\n$-1\r\n", "invalid bulk length" },
		{ "*1\r\n$x\r\n", "invalid bulk length" },
		{ "*1\r\n$99999999999\r\n", "invalid bulk length" },
		{ "*1\r\n$1048577\r\n", "invalid bulk length" },
		{ "*1\r\n$1048576\r\n", "too big request" },
		{ "*2\r\n$1048560\r\n", "too big request" },
		{ "*1\r\n$4\r\nPINGxx", "bulk string without its end" },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char reply[128];
		snprintf(reply, sizeof(reply), "-ERR Protocol error: %s\r\n", wrong[i][1]);
		EXPECT_RAW(wrong[i][0], reply);
		cr_assert(t_front_is_closed(t_resp), "%s", wrong[i][0]);
	}
}

Test(requests, passes_over_empty_requests)
{
	EXPECT_RAW("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
}

Test(requests, takes_bytes_in_names_and_values)
{
	static const char request[] = "*2\r\n$4\r\nECHO\r\n$6\r\n\0\r\n\xff*$\r\n";
	size_t size = 0;
	t_front_feed(t_resp, request, sizeof(request) - 1);
	const char *got = t_front_output(t_resp, &size);
	cr_assert_eq(size, 12);
	cr_assert_eq(memcmp(got, "$6\r\n\0\r\n\xff*$\r\n", 12), 0);
}

/* Short ones are read in another way than long ones. */
Test(requests, takes_words_of_any_length_whole_or_cut)
{
	char word[1200], request[1300], expected[1300];
	memset(word, 'w', sizeof(word));
	for (int size = 0; size < (int)sizeof(word); size += size < 120 ? 1 : 97) {
		int length =
			snprintf(request, sizeof(request), "*2\r\n$4\r\nECHO\r\n$%d\r\n%.*s\r\n", size, size, word);
		snprintf(expected, sizeof(expected), "$%d\r\n%.*s\r\n", size, size, word);
		for (size_t at = 0; at <= (size_t)length; at += at < 30 ? 1 : 60) {
			t_front_connect(t_resp, "127.0.0.1:1");
			t_front_feed(t_resp, request, at);
			t_front_feed(t_resp, request + at, (size_t)length - at);
			cr_assert_str_eq(t_output(), expected, "%d bytes, cut at %zu", size, at);
		}
	}
}

/* Each word may be that long, but not all of them together. */
Test(requests, bounds_a_request_that_comes_whole)
{
	enum { WORD = 99999, WORDS = 16 };
	char *request = malloc(WORDS * (WORD + 16) + 16);
	size_t size = (size_t)sprintf(request, "*%d\r\n", WORDS);
	for (int i = 0; i < WORDS; i++) {
		size += (size_t)sprintf(request + size, "$%d\r\n", WORD);
		memset(request + size, 'w', WORD);
		memcpy(request + size + WORD, "\r\n", 2);
		size += WORD + 2;
	}
	t_front_connect(t_resp, "127.0.0.1:1");
	t_front_feed(t_resp, request, size);
	cr_assert_str_eq(t_output(), "-ERR Protocol error: too big request\r\n");
	cr_assert(t_front_is_closed(t_resp));
	free(request);
}

static const char session[] = "*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$1\r\nf\r\n$3\r\na\r\n\r\n"
			      "PING\r\n"
			      "*3\r\n$4\r\nhget\r\n$1\r\nb\r\n$1\r\nf\r\n"
			      "ECHO \"x\\ny\"\r\n"
			      "*0\r\n*1\r\n$5\r\nBOGUS\r\n"
			      "HELLO 3\n*2\r\n$7\r\nHGETALL\r\n$0\r\n\r\n";

Test(requests, is_indifferent_to_how_the_bytes_were_cut)
{
	size_t size = sizeof(session) - 1;
	t_front_connect(t_resp, "127.0.0.1:1");
	t_front_feed(t_resp, session, size);
	char *whole = strdup(t_output()), *id = strstr(whole, "$2\r\nid\r\n");
	cr_assert_not_null(id);
	size_t same = (size_t)(id - whole);
	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			t_front_connect(t_resp, "127.0.0.1:1");
			t_front_feed(t_resp, session, first);
			t_front_feed(t_resp, session + first, second - first);
			t_front_feed(t_resp, session + second, size - second);
			/* the id grows with each connection */
			const char *rest = strstr(t_output() + same, "$4\r\nmode");
			cr_assert_eq(strncmp(t_output(), whole, same), 0, "cut at %zu and %zu", first, second);
			cr_assert_str_eq(rest, strstr(whole + same, "$4\r\nmode"), "cut at %zu and %zu", first, second);
		}
	}
	free(whole);
}

Test(requests, goes_on_where_there_was_no_room)
{
	for (unsigned room = 1; room < 6; room++) {
		t_front_connect(t_resp, "127.0.0.1:1");
		t_front_set_room(t_resp, room);
		t_feed("ECHO 'a b'\r\nPING\r\nHSET b 'f 1' v\r\nHGET b f\r\nECHO \"c d\"\r\nPING\r\n");
		cr_assert_str_eq(t_output(), "$3\r\na b\r\n+PONG\r\n:3\r\n$5\r\nvalue\r\n$3\r\nc d\r\n+PONG\r\n");
	}
}

Test(requests, takes_many_fields_at_once)
{
	enum { FIELDS = 5000 };
	char *request = malloc(FIELDS * 32 + 64), *to = request;
	to += sprintf(to, "*%d\r\n$4\r\nHSET\r\n$1\r\nb\r\n", 2 + FIELDS * 2);
	for (int i = 0; i < FIELDS; i++)
		to += sprintf(to, "$6\r\n%06d\r\n$1\r\nv\r\n", i);
	for (size_t at = 0; at < (size_t)(to - request); at += 1000) {
		size_t left = (size_t)(to - request) - at;
		t_front_feed(t_resp, request + at, left < 1000 ? left : 1000);
	}
	cr_assert_str_eq(t_output(), ":10001\r\n");
	free(request);
}
