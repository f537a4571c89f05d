/* SPDX-License-Identifier: MIT */
/* A connection: who may use it, what it is called, when it keeps silent and when it ends. */
#include "resp_front.h"

#include "front_end.h"
#include "request.h"

TestSuite(connection, .init = t_resp_init, .fini = t_resp_done, .timeout = 60);

Test(connection, answers_about_the_connection)
{
	EXPECT("PING", "+PONG\r\n");
	EXPECT("PING hello", "$5\r\nhello\r\n");
	EXPECT("ECHO hello", "$5\r\nhello\r\n");
	EXPECT("SELECT 0", "+OK\r\n");
	EXPECT("SELECT 1", "-ERR DB index is out of range\r\n");
	EXPECT("SELECT x", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SELECT 00", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SELECT 9999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
	EXPECT("CLIENT REPLY ON", "+OK\r\n");
	EXPECT("CLIENT REPLY x", "-ERR syntax error\r\n");
	EXPECT("CLIENT GETNAME", "$-1\r\n");
	EXPECT("CLIENT SETINFO LIB-NAME x", "+OK\r\n");
	EXPECT("RESET", "+RESET\r\n");
	EXPECT_RAW("CLIENT SETNAME me\r\nCLIENT GETNAME\r\n", "+OK\r\n$2\r\nme\r\n");
	EXPECT_RAW("CLIENT SETNAME \"a b\"\r\n",
		   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
}

Test(connection, takes_no_name_that_is_long)
{
	static const char *const requests[] = { "CLIENT SETNAME", "CLIENT SETINFO LIB-NAME", "HELLO 2 SETNAME" };
	static const char *const whose[] = { "Client names", "lib-name", "Client names" };
	char name[CLIENT_TEXT_MAX + 2] = "", line[sizeof(name) + 64], reply[100];
	memset(name, 'n', CLIENT_TEXT_MAX + 1);
	for (size_t i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "%s %s\r\n", requests[i], name);
		snprintf(reply, sizeof(reply), "-ERR %s cannot be longer than 1024 bytes.\r\n", whose[i]);
		EXPECT_RAW(line, reply);
		snprintf(line, sizeof(line), "%s %s\r\n", requests[i], name + 1);
		t_feed(line);
		cr_expect(t_output()[strlen(reply)] != '-', "%s", t_output());
	}
}

Test(connection, answers_no_more_than_fits)
{
	enum { TIMES = 200000, WORD = sizeof("$5\r\nhscan\r\n") - 1 };
	static char bytes[64 + TIMES * WORD];
	int at = snprintf(bytes, sizeof(bytes), "*%d\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n", TIMES + 2);
	for (size_t i = 0; i < TIMES; i++)
		memcpy(bytes + at + i * WORD, "$5\r\nhscan\r\n", WORD + 1);
	t_resp_done();
	t_resp = t_resp_start(SETTING_MAX_REQUEST, NULL, sizeof(bytes), NULL);
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed(bytes);
	cr_expect(strcmp(t_output(), "-ERR the reply would be longer than 64 MiB: ask for less\r\n") == 0, "%.80s",
		  t_output());
	EXPECT("PING", "+PONG\r\n");
}

Test(connection, keeps_silent_where_asked_to)
{
	EXPECT_RAW("CLIENT REPLY OFF\r\nPING\r\nHGET b f\r\nBOGUS\r\nHGET b\r\nCLIENT REPLY SKIP\r\nECHO a\r\n", "");
	t_feed("PING\r\nCLIENT REPLY ON\r\nPING\r\n");
	cr_expect_str_eq(t_output(), "+OK\r\n+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nPING\r\nECHO b\r\n", "$1\r\nb\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nHGET b f\r\nPING\r\n", "+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n", "+OK\r\n");
	EXPECT_RAW("CLIENT REPLY OFF\r\nRESET\r\nPING\r\n", "+RESET\r\n+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n", "+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY OFF\r\nHSET b f v\r\n", "");
	cr_expect_str_eq(t_front_calls(t_resp), "kv.hset(b,f,v)\n");
}

Test(connection, keeps_silent_where_there_was_no_room)
{
	for (unsigned room = 1; room < 6; room++) {
		t_front_connect(t_resp, "127.0.0.1:1");
		t_front_set_room(t_resp, room);
		t_feed("PING\r\nCLIENT REPLY SKIP\r\nHGET b f\r\nPING\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n");
		cr_assert_str_eq(t_output(), "+PONG\r\n+PONG\r\n$1\r\na\r\n", "room %u: %s", room, t_output());
	}
}

Test(connection, tells_of_connections)
{
	t_front_connect(t_resp, "127.0.0.1:4711");
	t_feed("CLIENT SETNAME me\r\nCLIENT SETINFO LIB-NAME test\r\nCLIENT SETINFO lib-ver 1.2\r\nHELLO 3\r\n");
	size_t before = strlen(t_output());
	t_feed("CLIENT LIST\r\n");
	cr_assert_not_null(
		strstr(t_output() + before, " addr=127.0.0.1:4711 fd=-1 name=me age=0 idle=0 flags=N db=0 "));
	cr_assert_not_null(strstr(t_output() + before, " cmd=client "));
	cr_assert_not_null(strstr(t_output() + before, " resp=3 lib-name=test lib-ver=1.2\n\r\n"));
	before = strlen(t_output());
	t_feed("CLIENT LIST TYPE pubsub\r\nCLIENT LIST ID 123456\r\n");
	cr_assert_str_eq(t_output() + before, "=4\r\ntxt:\r\n=4\r\ntxt:\r\n");
	EXPECT("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
	EXPECT("CLIENT LIST TYPE bogus", "-ERR Unknown client type 'bogus'\r\n");
	EXPECT("CLIENT LIST bogus", "-ERR syntax error\r\n");
	EXPECT("CLIENT LIST ID", "-ERR syntax error\r\n");
	EXPECT("CLIENT NO-EVICT x", "-ERR syntax error\r\n");
	EXPECT("CLIENT SETINFO bogus x", "-ERR Unrecognized option 'bogus'\r\n");
	EXPECT_RAW("CLIENT SETINFO LIB-NAME \"a b\"\r\n",
		   "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
}

Test(connection, lists_the_ids_asked_for_as_often_as_they_are)
{
	t_feed("CLIENT ID\r\n");
	char request[64];
	long id = strtol(t_output() + 1, NULL, 10);
	snprintf(request, sizeof(request), "CLIENT LIST ID %ld 0 -1 %ld\r\n", id, id);
	size_t before = strlen(t_output());
	t_feed(request);
	const char *first = strstr(t_output() + before, "\nid=");
	cr_assert_not_null(first);
	const char *second = strstr(first + 1, "\nid=");
	cr_assert_not_null(second);
	cr_assert_null(strstr(second + 1, "\nid="));
}

Test(connection, ends_itself_where_it_is_among_those_to_end)
{
	EXPECT("CLIENT KILL 127.0.0.1:2", "-ERR No such client\r\n");
	EXPECT("CLIENT KILL ID 99999", ":0\r\n");
	EXPECT("CLIENT KILL ADDR 127.0.0.1:1", ":0\r\n");
	EXPECT("CLIENT KILL SKIPME no TYPE pubsub", ":0\r\n");
	EXPECT("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
	EXPECT("CLIENT KILL TYPE bogus", "-ERR Unknown client type 'bogus'\r\n");
	EXPECT("CLIENT KILL USER bogus", "-ERR No such user 'bogus'\r\n");
	EXPECT("CLIENT KILL USER default SKIPME maybe", "-ERR syntax error\r\n");
	EXPECT("CLIENT KILL BOGUS x", "-ERR syntax error\r\n");
	EXPECT("CLIENT KILL ID 1 ADDR", "-ERR syntax error\r\n");
	cr_assert_not(t_front_is_closed(t_resp));
	for (unsigned room = 1; room < 3; room++) {
		t_front_set_room(t_resp, room);
		EXPECT_RAW("PING\r\nCLIENT KILL 127.0.0.1:1\r\nPING\r\n", "+PONG\r\n+OK\r\n");
		cr_assert(t_front_is_closed(t_resp));
		EXPECT_RAW("PING\r\nCLIENT KILL SKIPME no USER default TYPE normal\r\nPING\r\n", "+PONG\r\n:1\r\n");
		cr_assert(t_front_is_closed(t_resp));
	}
}

Test(connection, tells_all_of_a_long_name)
{
	enum { LENGTH = CLIENT_TEXT_MAX };
	char name[LENGTH + 1], request[LENGTH + 64];
	memset(name, 'n', LENGTH);
	name[LENGTH] = '\0';
	snprintf(request, sizeof(request), "CLIENT SETNAME %s\r\nCLIENT INFO\r\n", name);
	t_feed(request);
	const char *found = strstr(t_output(), name);
	cr_assert_not_null(found);
	cr_assert_eq(strncmp(found + LENGTH, " age=", 5), 0);
}

Test(connection, closes_after_quit)
{
	EXPECT_RAW("PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n");
	cr_assert(t_front_is_closed(t_resp));
}

Test(connection, hangs_up_on_requests_of_http)
{
	EXPECT_RAW("POST / HTTP/1.1\r\nHSET b f v\r\n",
		   "-ERR unknown command 'POST', with args beginning with: '/' 'HTTP/1.1' \r\n");
	t_front_connect(t_resp, "127.0.0.1:1");
	EXPECT_RAW("Host: a\r\nHSET b f v\r\n", "-ERR unknown command 'Host:', with args beginning with: 'a' \r\n");
}

Test(guests, must_authenticate_where_there_is_a_password)
{
	t_resp = t_resp_start(SETTING_PASSWORD, "open sesame", 0, NULL);
	EXPECT("HGET b f", "-NOAUTH Authentication required.\r\n");
	EXPECT("PING", "-NOAUTH Authentication required.\r\n");
	EXPECT("CLIENT LIST", "-NOAUTH Authentication required.\r\n");
	EXPECT("CLIENT BOGUS", "-ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.\r\n");
	EXPECT("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n");
	EXPECT("BOGUS", "-ERR unknown command 'BOGUS', with args beginning with: \r\n");
	EXPECT("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	EXPECT_RAW("AUTH \"open sesam\"\r\n", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	EXPECT_RAW("AUTH \"open sesameopen sesame\"\r\n",
		   "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	EXPECT_RAW("AUTH root \"open sesame\"\r\n",
		   "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	EXPECT_RAW("AUTH \"open sesame\"\r\nPING\r\nRESET\r\nPING\r\n",
		   "+OK\r\n+PONG\r\n+RESET\r\n-NOAUTH Authentication required.\r\n");
	EXPECT_RAW("AUTH default \"open sesame\"\r\nPING\r\n", "+OK\r\n+PONG\r\n");
	t_words("HELLO 3");
	cr_assert_eq(strncmp(t_output(), "-NOAUTH HELLO must be called", 28), 0);
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed("HELLO 3 AUTH default \"open sesame\" SETNAME me\r\nCLIENT GETNAME\r\n");
	cr_assert_eq(strncmp(t_output(), "%7\r\n", 4), 0);
	cr_assert_str_eq(t_output() + strlen(t_output()) - 8, "$2\r\nme\r\n");
	t_front_stop(t_resp);
}

Test(guests, may_not_send_much_before_they_authenticate)
{
	t_resp = t_resp_start(SETTING_PASSWORD, "secret", 0, NULL);
	EXPECT_RAW("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
	EXPECT_RAW("*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n");
	EXPECT_RAW("AUTH secret\r\n*11\r\n", "+OK\r\n");
	t_front_stop(t_resp);
}

Test(guests, are_told_when_there_is_no_password)
{
	t_resp = t_resp_start(SETTINGS, NULL, 0, NULL);
	EXPECT("AUTH x",
	       "-ERR AUTH <password> called without any password configured for the default user. Are you sure "
	       "your configuration is correct?\r\n");
	EXPECT("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
	EXPECT("HELLO 10", "-NOPROTO unsupported protocol version\r\n");
	EXPECT("HELLO -1", "-NOPROTO unsupported protocol version\r\n");
	EXPECT("AUTH default anything", "+OK\r\n");
	EXPECT("AUTH root anything", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
	EXPECT("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
	EXPECT("HELLO 3 BOGUS", "-ERR Syntax error in HELLO option 'BOGUS'\r\n");
	EXPECT_RAW("HELLO 3 SETNAME 'a b' BOGUS\r\n",
		   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
	t_front_stop(t_resp);
}

Test(guests, from_other_hosts_are_turned_away_without_a_password)
{
	t_resp = t_resp_start(SETTING_LISTEN, "0.0.0.0", 0, NULL);
	t_front_connect(t_resp, "127.0.0.1:5000");
	t_feed("PING\r\n");
	cr_assert_str_eq(t_output(), "+PONG\r\n");
	t_front_connect(t_resp, "192.0.2.7:5000");
	t_feed("PING\r\n");
	cr_assert_eq(strncmp(t_output(), "-DENIED ", 8), 0, "%s", t_output());
	cr_assert(t_front_is_closed(t_resp));
	cr_assert_eq(t_front_set(t_resp, "password", "secret", 0), 0);
	t_front_connect(t_resp, "192.0.2.7:5000");
	t_feed("AUTH secret\r\nPING\r\n");
	cr_assert_str_eq(t_output(), "+OK\r\n+PONG\r\n");
	cr_assert_eq(t_front_set(t_resp, "password", "", 0), 0);
	cr_assert_eq(t_front_set(t_resp, "protected", NULL, 0), 0);
	t_front_connect(t_resp, "192.0.2.7:5000");
	t_feed("PING\r\n");
	cr_assert_str_eq(t_output(), "+PONG\r\n");
	t_front_stop(t_resp);
}

Test(start, refuses_a_limit_that_makes_no_sense)
{
	const char *why = NULL;
	cr_assert_null(t_resp_start(SETTING_MAX_REQUEST, NULL, 100, &why));
	cr_assert_str_eq(why, "max_request is 100 bytes; it must be between 16384 and 1073741824");
}
