/* SPDX-License-Identifier: MIT */
/* The line protocol: requests and replies as the contract has them. */
#include "front_end.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

const struct kvrel_component *kvrel_component(void);

static const struct t_setting settings[] = {
	{ "listen", "0.0.0.0", 0 }, { "port", NULL, 4040 }, { "max_line", NULL, 64 }, { NULL, NULL, 0 }
};

static bool arg_is(const struct kvrel_call *call, uint32_t index, const char *text)
{
	return index < call->arg_count && call->args[index].size == strlen(text) &&
	       memcmp(call->args[index].data, text, call->args[index].size) == 0;
}

static void answer(const char *op, struct kvrel_call *call)
{
	struct kvrel_result result = { 0 };
	if (arg_is(call, 0, "missing")) {
		result.status = KVREL_NOT_FOUND;
	} else if (arg_is(call, 0, "broken")) {
		result.status = KVREL_ERROR;
		result.bytes = (struct kvrel_slice){ "the disk\r\nis full", 17 };
	} else if (arg_is(call, 0, "mute")) {
		result.status = KVREL_ERROR;
	} else if (arg_is(call, 0, "odd")) {
		result.status = KVREL_WRONG_ARGS;
	} else if (strcmp(op, "kv.get") == 0 && !arg_is(call, 1, "nokey")) {
		result.kind = KVREL_BYTES;
		result.bytes = call->args[1]; /* every key's value is its name */
		if (arg_is(call, 1, "lines"))
			result.bytes = (struct kvrel_slice){ "1\r\nOK", 5 };
	}
	call->complete(call, &result);
}

static struct t_front *front;

static void start(void)
{
	const char *why = NULL;
	front = t_front_start(kvrel_component(), settings, answer, &why);
	cr_assert_not_null(front, "%s", why);
}

static void stop(void)
{
	t_front_stop(front);
}

TestSuite(line, .init = start, .fini = stop, .timeout = 60);

static void feed(const char *text)
{
	t_front_feed(front, text, strlen(text));
}

#define EXPECT_REPLY(request, reply) \
	do { \
		t_front_connect(front, "127.0.0.1:1"); \
		feed(request); \
		cr_expect_str_eq(t_front_output(front, NULL), (reply), "%s: got '%s'", (request), \
				 t_front_output(front, NULL)); \
	} while (0)

Test(line, says_where_it_listens)
{
	cr_assert_str_eq(t_front_log(front), "Accepting connections on port 4040");
}

Test(line, answers_what_the_contract_says)
{
	EXPECT_REPLY("CREATE shopping\r\n", "OK\r\n");
	EXPECT_REPLY("PUT shopping milk 1\r\n", "OK\r\n");
	EXPECT_REPLY("GET shopping milk\r\n", "milk\r\nOK\r\n");
	EXPECT_REPLY("GET shopping nokey\r\n", "\r\nOK\r\n");
	EXPECT_REPLY("DELETE shopping milk\r\n", "OK\r\n");
	EXPECT_REPLY("GET missing milk\r\n", "NOT FOUND\r\n");
	EXPECT_REPLY("PUT missing milk 1\r\n", "NOT FOUND\r\n");
	EXPECT_REPLY("DELETE missing milk\r\n", "NOT FOUND\r\n");
	EXPECT_REPLY("SUBSCRIBE shopping\r\n", "OK\r\n");
	EXPECT_REPLY("SUBSCRIBE missing\r\n", "NOT FOUND\r\n");
	EXPECT_REPLY("SUBSCRIBE missing\r\nSUBSCRIBE shopping\r\nSUBSCRIBE shopping\r\nSUBSCRIBE other\r\n",
		     "NOT FOUND\r\nOK\r\nOK\r\nOK\r\n");
}

Test(line, does_not_know_anything_else)
{
	EXPECT_REPLY("HELLO\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("create shopping\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("CREATE\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("CREATE a b\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("PUT shopping milk\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("PUT shopping milk 1 2 3 4 5 6\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("SUBSCRIBE\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("SUBSCRIBE shopping milk\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("\r\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("\n", "UNKNOWN COMMAND\r\n");
	EXPECT_REPLY("  \t \n", "UNKNOWN COMMAND\r\n");
	cr_assert_str_eq(t_front_calls(front), "");
}

Test(line, tells_why_on_one_line)
{
	EXPECT_REPLY("PUT broken milk 1\n", "ERROR the disk  is full\r\n");
	EXPECT_REPLY("GET mute milk\n", "ERROR the request failed\r\n");
	EXPECT_REPLY("GET odd milk\n", "ERROR wrong arguments\r\n");
}

Test(line, splits_at_white_space_and_takes_either_line_end)
{
	EXPECT_REPLY(" \tPUT\t shopping  milk\v\f1 \n", "OK\r\n");
	cr_assert_str_eq(t_front_calls(front), "kv.put(shopping,milk,1)\n");
	EXPECT_REPLY("CREATE a\nCREATE b\r\nCREATE c\n", "OK\r\nOK\r\nOK\r\n");
	cr_assert_str_eq(t_front_calls(front), "kv.create(a)\nkv.create(b)\nkv.create(c)\n");
}

Test(line, does_not_execute_a_line_without_its_end)
{
	EXPECT_REPLY("CREATE a\nCREATE b", "OK\r\n");
	cr_assert_str_eq(t_front_calls(front), "kv.create(a)\n");
}

Test(line, takes_names_and_values_as_bytes)
{
	static const char request[] = "GET \xff\x01\x02 \0\xfe\n";
	static const char reply[] = "\0\xfe\r\nOK\r\n";
	size_t size = 0;
	t_front_feed(front, request, sizeof(request) - 1);
	const char *output = t_front_output(front, &size);
	cr_assert_eq(size, sizeof(reply) - 1);
	cr_assert_eq(memcmp(output, reply, size), 0);
}

Test(line, passes_no_value_of_several_lines_for_replies)
{
	feed("GET a lines\r\nGET a b\r\n");
	cr_assert_str_eq(t_front_output(front, NULL),
			 "ERROR the value holds a line end, which this protocol cannot tell\r\nb\r\nOK\r\n");
}

static const char session[] = "CREATE a\r\nPUT a b c\nBOGUS\n\r\nGET a b\r\nGET missing b\nDELETE a b\r\nGET a nokey\n";
static const char replies[] =
	"OK\r\nOK\r\nUNKNOWN COMMAND\r\nUNKNOWN COMMAND\r\nb\r\nOK\r\nNOT FOUND\r\nOK\r\n\r\nOK\r\n";

Test(line, is_indifferent_to_how_the_bytes_were_cut)
{
	size_t size = strlen(session);
	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			t_front_connect(front, "127.0.0.1:1");
			t_front_feed(front, session, first);
			t_front_feed(front, session + first, second - first);
			t_front_feed(front, session + second, size - second);
			cr_assert_str_eq(t_front_output(front, NULL), replies, "cut at %zu and %zu", first, second);
		}
	}
}

Test(line, goes_on_where_there_was_no_room)
{
	for (unsigned room = 1; room < 8; room++) {
		t_front_connect(front, "127.0.0.1:1");
		t_front_set_room(front, room);
		feed(session);
		cr_assert_str_eq(t_front_output(front, NULL), replies, "room for %u", room);
	}
}

/* "CREATE " and as many letters as make the line `size` bytes long without its end. */
static const char *long_line(size_t size, const char *end)
{
	static char line[256];
	memset(line, 'x', sizeof(line));
	memcpy(line, "CREATE ", 7);
	strcpy(line + size, end);
	return line;
}

Test(line, refuses_a_line_that_is_too_long_and_closes)
{
	static const char *const ends[] = { "\n", "\r\n" };
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_REPLY(long_line(64, ends[i]), "OK\r\n");
		cr_assert_not(t_front_is_closed(front));
		EXPECT_REPLY(long_line(65, ends[i]), "ERROR line too long\r\n");
		cr_assert(t_front_is_closed(front));
	}
	EXPECT_REPLY(long_line(65, ""), "ERROR line too long\r\n");
	EXPECT_REPLY(long_line(64, "\r"), "");
	EXPECT_REPLY(long_line(64, "\rx\n"), "ERROR line too long\r\n");
}

Test(line, refuses_a_long_line_however_it_was_cut)
{
	const char *line = long_line(66, "\r\nCREATE b\n");
	size_t size = strlen(line);
	for (size_t cut = 0; cut <= size; cut++) {
		t_front_connect(front, "127.0.0.1:1");
		t_front_feed(front, line, cut);
		t_front_feed(front, line + cut, size - cut);
		cr_assert_str_eq(t_front_output(front, NULL), "ERROR line too long\r\n", "cut at %zu", cut);
	}
}

Test(line, answers_what_came_before_a_long_line)
{
	char text[512] = "CREATE a\n";
	strcat(text, long_line(100, "\n"));
	EXPECT_REPLY(text, "OK\r\nERROR line too long\r\n");
}

Test(line, takes_a_new_limit_while_it_runs)
{
	cr_assert_eq(t_front_set(front, "max_line", NULL, 100), 0);
	EXPECT_REPLY(long_line(100, "\n"), "OK\r\n");
	cr_assert_eq(t_front_set(front, "max_line", NULL, 10), -1);
	EXPECT_REPLY(long_line(100, "\n"), "OK\r\n");
}

Test(line_start, refuses_to_start_with_a_limit_that_makes_no_sense)
{
	struct t_setting wrong[4];
	const char *why = NULL;
	memcpy(wrong, settings, sizeof(wrong));
	wrong[2].number = 1 << 30;
	cr_assert_null(t_front_start(kvrel_component(), wrong, answer, &why));
	cr_assert_str_eq(why, "max_line is 1073741824 bytes; it must be between 64 and 16777216");
}

Test(line_start, refuses_to_start_when_the_port_is_taken)
{
	struct t_setting wrong[4];
	const char *why = NULL;
	memcpy(wrong, settings, sizeof(wrong));
	wrong[0].string = "taken";
	cr_assert_null(t_front_start(kvrel_component(), wrong, answer, &why));
	cr_assert_str_eq(why, "cannot listen on taken:4040: address already in use");
}
