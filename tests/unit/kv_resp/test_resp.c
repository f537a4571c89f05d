/* SPDX-License-Identifier: MIT */
/* The Redis protocol: requests in any form and any pieces, replies and error words as Redis has them. */
#include "front_end.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct kvrel_component *kvrel_component(void);

enum { SETTING_LISTEN, SETTING_PORT, SETTING_PASSWORD, SETTING_PROTECTED, SETTING_MAX_REQUEST, SETTINGS };
static const struct t_setting settings[SETTINGS + 1] = {
	{ "listen", "127.0.0.1", 0 }, { "port", NULL, 6379 },           { "password", "", 0 },
	{ "protected", NULL, 1 },     { "max_request", NULL, 1 << 20 }, { NULL, NULL, 0 },
};

/* ---- a store of paper ---- */

static bool arg_is(const struct kvrel_call *call, uint32_t index, const char *text)
{
	return index < call->arg_count && call->args[index].size == strlen(text) &&
	       memcmp(call->args[index].data, text, call->args[index].size) == 0;
}

static struct kvrel_result text_of(const char *text)
{
	return (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { text, strlen(text) } };
}

static struct kvrel_result number_of(int64_t number)
{
	return (struct kvrel_result){ .kind = KVREL_INT, .integer = number };
}

static struct kvrel_result of_items(enum kvrel_kind kind, const struct kvrel_result *items, size_t count)
{
	return (struct kvrel_result){ .kind = kind, .items = items, .count = count };
}

static void answer(const char *op, struct kvrel_call *call)
{
	struct kvrel_result pairs[] = { text_of("f1"), text_of("v1"), text_of("f2"), text_of("v2") };
	struct kvrel_result some[] = { text_of("v1"), { .kind = KVREL_NIL } };
	struct kvrel_result result = number_of(call->arg_count);
	if (arg_is(call, 0, "broken")) {
		result = text_of("the disk\r\nis full");
		result.status = KVREL_ERROR;
	} else if (strcmp(op, "kv.hget") == 0) {
		result = arg_is(call, 1, "nofield") ? (struct kvrel_result){ 0 } : text_of("value");
	} else if (strcmp(op, "kv.hgetall") == 0) {
		result = of_items(KVREL_PAIRS, pairs, 4);
	} else if (strcmp(op, "kv.hmget") == 0) {
		result = of_items(KVREL_LIST, some, 2);
	} else if (strcmp(op, "kv.hkeys") == 0 || strcmp(op, "kv.buckets") == 0) {
		result = of_items(KVREL_LIST, pairs, 1);
	} else if (strcmp(op, "kv.scan") == 0 || strcmp(op, "kv.hscan") == 0) {
		bool fields = strcmp(op, "kv.hscan") == 0;
		struct kvrel_result step[] = { text_of("17"), of_items(fields ? KVREL_PAIRS : KVREL_LIST, pairs, 2) };
		result = of_items(KVREL_LIST, step, 2);
		call->complete(call, &result);
		return;
	} else if (strcmp(op, "kv.exists") == 0 && arg_is(call, 0, "nothing")) {
		result = number_of(0);
	} else if (strcmp(op, "kv.hincrby") == 0) {
		result = number_of(INT64_MIN);
	}
	call->complete(call, &result);
}

/* ---- the suite ---- */

static struct t_front *front;

static struct t_front *start_with(unsigned index, const char *string, int64_t number, const char **why)
{
	struct t_setting mine[SETTINGS + 1];
	memcpy(mine, settings, sizeof(mine));
	if (index < SETTINGS) {
		mine[index].string = string;
		mine[index].number = number;
	}
	return t_front_start(kvrel_component(), mine, answer, why);
}

static void start(void)
{
	front = start_with(SETTINGS, NULL, 0, NULL);
	cr_assert_not_null(front);
}

static void stop(void)
{
	t_front_stop(front);
}

TestSuite(resp, .init = start, .fini = stop, .timeout = 60);

static const char *output(void)
{
	return t_front_output(front, NULL);
}

static void feed(const char *text)
{
	t_front_feed(front, text, strlen(text));
}

/* The words of an inline command as an array of bulk strings. */
static const char *array_of(const char *line)
{
	static char out[5000];
	char words[1024], body[4096] = "", *save = NULL;
	int count = 0;
	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save), count++)
		snprintf(body + strlen(body), sizeof(body) - strlen(body), "$%zu\r\n%s\r\n", strlen(word), word);
	snprintf(out, sizeof(out), "*%d\r\n%s", count, body);
	return out;
}

static void send_words(const char *line)
{
	t_front_connect(front, "127.0.0.1:1");
	feed(array_of(line));
}

#define EXPECT(line, reply) \
	do { \
		send_words(line); \
		cr_expect_str_eq(output(), (reply), "%s: got '%s'", (line), output()); \
	} while (0)

#define EXPECT_CALL(line, call) \
	do { \
		send_words(line); \
		cr_expect_str_eq(t_front_calls(front), (call), "%s: got '%s'", (line), t_front_calls(front)); \
	} while (0)

#define EXPECT_RAW(bytes, reply) \
	do { \
		t_front_connect(front, "127.0.0.1:1"); \
		feed(bytes); \
		cr_expect_str_eq(output(), (reply), "%s: got '%s'", (bytes), output()); \
	} while (0)

Test(resp, asks_kv_for_hashes)
{
	EXPECT_CALL("HSET b f v", "kv.hset(b,f,v)\n");
	EXPECT_CALL("hset b f v g w", "kv.hset(b,f,v,g,w)\n");
	EXPECT_CALL("HMSET b f v", "kv.hset(b,f,v)\n");
	EXPECT_CALL("HSETNX b f v", "kv.hsetnx(b,f,v)\n");
	EXPECT_CALL("HINCRBY b f -5", "kv.hincrby(b,f,-5)\n");
	EXPECT_CALL("HGET b f", "kv.hget(b,f)\n");
	EXPECT_CALL("HMGET b f g", "kv.hmget(b,f,g)\n");
	EXPECT_CALL("HGETALL b", "kv.hgetall(b)\n");
	EXPECT_CALL("HDEL b f g", "kv.hdel(b,f,g)\n");
	EXPECT_CALL("HEXISTS b f", "kv.hexists(b,f)\n");
	EXPECT_CALL("HLEN b", "kv.hlen(b)\n");
	EXPECT_CALL("HKEYS b", "kv.hkeys(b)\n");
	EXPECT_CALL("HVALS b", "kv.hvals(b)\n");
	EXPECT_CALL("HSTRLEN b f", "kv.hstrlen(b,f)\n");
	EXPECT_CALL("DEL a b", "kv.drop(a,b)\n");
	EXPECT_CALL("UNLINK a", "kv.drop(a)\n");
	EXPECT_CALL("EXISTS a b", "kv.exists(a,b)\n");
	EXPECT_CALL("TYPE a", "kv.exists(a)\n");
	EXPECT_CALL("KEYS a*", "kv.buckets(a*)\n");
	EXPECT_CALL("DBSIZE", "kv.count()\n");
}

Test(resp, asks_kv_for_scans_with_all_options)
{
	EXPECT_CALL("SCAN 0", "kv.scan(0,*,10)\n");
	EXPECT_CALL("SCAN 5 COUNT 100 MATCH a?", "kv.scan(5,a?,100)\n");
	EXPECT_CALL("SCAN 5 TYPE hash", "kv.scan(5,*,10)\n");
	EXPECT_CALL("HSCAN b 7", "kv.hscan(b,7,*,10)\n");
	EXPECT_CALL("HSCAN b 7 match x count 3", "kv.hscan(b,7,x,3)\n");
	EXPECT("SCAN 0 TYPE string", "*2\r\n$1\r\n0\r\n*0\r\n");
	EXPECT("SCAN x", "-ERR invalid cursor\r\n");
	EXPECT("HSCAN b -1", "-ERR invalid cursor\r\n");
	EXPECT("SCAN 0 COUNT 0", "-ERR syntax error\r\n");
	EXPECT("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SCAN 0 MATCH", "-ERR syntax error\r\n");
	EXPECT("HSCAN b 0 TYPE hash", "-ERR syntax error\r\n");
}

Test(resp, writes_resp2)
{
	EXPECT("HSET b f v", ":3\r\n");
	EXPECT("HMSET b f v", "+OK\r\n");
	EXPECT("HGET b f", "$5\r\nvalue\r\n");
	EXPECT("HGET b nofield", "$-1\r\n");
	EXPECT("HMGET b f g", "*2\r\n$2\r\nv1\r\n$-1\r\n");
	EXPECT("HGETALL b", "*4\r\n$2\r\nf1\r\n$2\r\nv1\r\n$2\r\nf2\r\n$2\r\nv2\r\n");
	EXPECT("HKEYS b", "*1\r\n$2\r\nf1\r\n");
	EXPECT("HINCRBY b f 1", ":-9223372036854775808\r\n");
	EXPECT("SCAN 0", "*2\r\n$2\r\n17\r\n*2\r\n$2\r\nf1\r\n$2\r\nv1\r\n");
	EXPECT("HSCAN b 0", "*2\r\n$2\r\n17\r\n*2\r\n$2\r\nf1\r\n$2\r\nv1\r\n");
	EXPECT("TYPE b", "+hash\r\n");
	EXPECT("TYPE nothing", "+none\r\n");
	EXPECT("DBSIZE", ":0\r\n");
}

Test(resp, writes_resp3_after_hello)
{
	feed("HELLO 3\r\n");
	cr_assert_eq(strncmp(output(), "%7\r\n$6\r\nserver\r\n$5\r\nkvrel\r\n", 27), 0, "%s", output());
	size_t before = strlen(output());
	feed("HGET b nofield\r\nHGETALL b\r\nHSCAN b 0\r\nHMGET b f g\r\nCLIENT GETNAME\r\n");
	cr_assert_str_eq(output() + before, "_\r\n"
					    "%2\r\n$2\r\nf1\r\n$2\r\nv1\r\n$2\r\nf2\r\n$2\r\nv2\r\n"
					    "*2\r\n$2\r\n17\r\n*2\r\n$2\r\nf1\r\n$2\r\nv1\r\n"
					    "*2\r\n$2\r\nv1\r\n_\r\n"
					    "_\r\n");
}

Test(resp, keeps_the_version_of_each_request_of_a_pipeline)
{
	feed("HGET b nofield\r\nHELLO 3\r\nHGET b nofield\r\nHELLO 2\r\nHGET b nofield\r\n");
	cr_assert_eq(strncmp(output(), "$-1\r\n%7\r\n", 9), 0);
	cr_assert_not_null(strstr(output(), "*0\r\n_\r\n*14\r\n"));
	cr_assert_str_eq(output() + strlen(output()) - 9, "*0\r\n$-1\r\n");
}

Test(resp, refuses_the_wrong_number_of_arguments_in_redis_words)
{
	EXPECT("HSET b f", "-ERR wrong number of arguments for 'hset' command\r\n");
	EXPECT("HSET b f v g", "-ERR wrong number of arguments for 'hset' command\r\n");
	EXPECT("hGet b", "-ERR wrong number of arguments for 'hget' command\r\n");
	EXPECT("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
	EXPECT("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
	EXPECT("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n");
}

Test(resp, does_not_know_other_commands_in_redis_words)
{
	EXPECT("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' \r\n");
	EXPECT("set a b", "-ERR unknown command 'set', with args beginning with: 'a' 'b' \r\n");
	EXPECT("ping2", "-ERR unknown command 'ping2', with args beginning with: \r\n");
	EXPECT_RAW("*1\r\n$5\r\nping \r\n", "-ERR unknown command 'ping ', with args beginning with: \r\n");
	EXPECT_RAW("*1\r\n$3\r\na\r\n\r\n", "-ERR unknown command 'a  ', with args beginning with: \r\n");
	EXPECT("CLIENT BOGUS", "-ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.\r\n");
	EXPECT("CONFIG BOGUS a b", "-ERR unknown subcommand 'BOGUS'. Try CONFIG HELP.\r\n");
}

Test(resp, tells_why_on_one_line)
{
	EXPECT("HGET broken f", "-ERR the disk  is full\r\n");
}

Test(resp, checks_increments_before_it_asks)
{
	static const char *const wrong[] = {
		"x", "1.5", "+1", "01", "-", "9223372036854775808", "99999999999999999999"
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char line[64];
		snprintf(line, sizeof(line), "HINCRBY b f %s", wrong[i]);
		EXPECT(line, "-ERR value is not an integer or out of range\r\n");
	}
	EXPECT_CALL("HINCRBY b f -9223372036854775808", "kv.hincrby(b,f,-9223372036854775808)\n");
	EXPECT_CALL("HINCRBY b f 0", "kv.hincrby(b,f,0)\n");
}

Test(resp, answers_about_the_connection)
{
	EXPECT("PING", "+PONG\r\n");
	EXPECT("PING hello", "$5\r\nhello\r\n");
	EXPECT("ECHO hello", "$5\r\nhello\r\n");
	EXPECT("SELECT 0", "+OK\r\n");
	EXPECT("SELECT 1", "-ERR DB index is out of range\r\n");
	EXPECT("SELECT x", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SELECT 00", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SELECT 9999999999", "-ERR value is not an integer or out of range\r\n");
	EXPECT("CLIENT REPLY ON", "+OK\r\n");
	EXPECT("CLIENT REPLY x", "-ERR syntax error\r\n");
	EXPECT("CLIENT GETNAME", "$-1\r\n");
	EXPECT("CLIENT SETINFO LIB-NAME x", "+OK\r\n");
	EXPECT("RESET", "+RESET\r\n");
	EXPECT_RAW("CLIENT SETNAME me\r\nCLIENT GETNAME\r\n", "+OK\r\n$2\r\nme\r\n");
	EXPECT_RAW("CLIENT SETNAME \"a b\"\r\n",
		   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
}

Test(resp, keeps_silent_where_asked_to)
{
	EXPECT_RAW("CLIENT REPLY OFF\r\nPING\r\nHGET b f\r\nBOGUS\r\nHGET b\r\nCLIENT REPLY SKIP\r\nECHO a\r\n", "");
	feed("PING\r\nCLIENT REPLY ON\r\nPING\r\n");
	cr_expect_str_eq(output(), "+OK\r\n+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nPING\r\nECHO b\r\n", "$1\r\nb\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nHGET b f\r\nPING\r\n", "+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n", "+OK\r\n");
	EXPECT_RAW("CLIENT REPLY OFF\r\nRESET\r\nPING\r\n", "+RESET\r\n+PONG\r\n");
	EXPECT_RAW("CLIENT REPLY OFF\r\nHSET b f v\r\n", "");
	cr_expect_str_eq(t_front_calls(front), "kv.hset(b,f,v)\n");
}

Test(resp, keeps_silent_where_there_was_no_room)
{
	for (unsigned room = 1; room < 6; room++) {
		t_front_connect(front, "127.0.0.1:1");
		t_front_set_room(front, room);
		feed("PING\r\nCLIENT REPLY SKIP\r\nHGET b f\r\nPING\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n");
		cr_assert_str_eq(output(), "+PONG\r\n+PONG\r\n$1\r\na\r\n", "room %u: %s", room, output());
	}
}

Test(resp, tells_of_connections)
{
	t_front_connect(front, "127.0.0.1:4711");
	feed("CLIENT SETNAME me\r\nCLIENT SETINFO LIB-NAME test\r\nCLIENT SETINFO lib-ver 1.2\r\nHELLO 3\r\n");
	size_t before = strlen(output());
	feed("CLIENT LIST\r\n");
	cr_assert_not_null(strstr(output() + before, " addr=127.0.0.1:4711 fd=-1 name=me age=0 idle=0 flags=N db=0 "));
	cr_assert_not_null(strstr(output() + before, " cmd=client "));
	cr_assert_not_null(strstr(output() + before, " resp=3 lib-name=test lib-ver=1.2\n\r\n"));
	before = strlen(output());
	feed("CLIENT LIST TYPE pubsub\r\nCLIENT LIST ID 123456\r\n");
	cr_assert_str_eq(output() + before, "$0\r\n\r\n$0\r\n\r\n");
	EXPECT("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
	EXPECT("CLIENT LIST TYPE bogus", "-ERR Unknown client type 'bogus'\r\n");
	EXPECT("CLIENT LIST bogus", "-ERR syntax error\r\n");
	EXPECT("CLIENT LIST ID", "-ERR syntax error\r\n");
	EXPECT("CLIENT NO-EVICT x", "-ERR syntax error\r\n");
	EXPECT("CLIENT SETINFO bogus x", "-ERR Unrecognized option 'bogus'\r\n");
	EXPECT_RAW("CLIENT SETINFO LIB-NAME \"a b\"\r\n",
		   "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
}

Test(resp, tells_all_of_a_long_name)
{
	enum { LENGTH = 5000 };
	char name[LENGTH + 1], request[LENGTH + 64];
	memset(name, 'n', LENGTH);
	name[LENGTH] = '\0';
	snprintf(request, sizeof(request), "CLIENT SETNAME %s\r\nCLIENT INFO\r\n", name);
	feed(request);
	const char *found = strstr(output(), name);
	cr_assert_not_null(found);
	cr_assert_eq(strncmp(found + LENGTH, " age=", 5), 0);
}

Test(resp, helps)
{
	static const char *const families[] = { "CLIENT", "CONFIG", "COMMAND" };
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		char line[32], first[96];
		snprintf(line, sizeof(line), "%s HELP", families[i]);
		snprintf(first, sizeof(first), "\r\n+%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n",
			 families[i]);
		send_words(line);
		cr_expect_not_null(strstr(output(), first), "%s", output());
		size_t lines = 0;
		for (const char *at = output(); (at = strstr(at, "\r\n")); at += 2)
			lines++;
		cr_expect_eq(strtoul(output() + 1, NULL, 10), lines - 1, "%s", output());
	}
}

Test(resp, closes_after_quit)
{
	EXPECT_RAW("PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n");
	cr_assert(t_front_is_closed(front));
}

Test(resp, hangs_up_on_requests_of_http)
{
	EXPECT_RAW("POST / HTTP/1.1\r\nHSET b f v\r\n",
		   "-ERR unknown command 'POST', with args beginning with: '/' 'HTTP/1.1' \r\n");
	t_front_connect(front, "127.0.0.1:1");
	EXPECT_RAW("Host: a\r\nHSET b f v\r\n", "-ERR unknown command 'Host:', with args beginning with: 'a' \r\n");
}

Test(resp, describes_its_commands)
{
	EXPECT("COMMAND COUNT", ":32\r\n");
	EXPECT("COMMAND INFO hget bogus",
	       "*2\r\n*10\r\n$4\r\nhget\r\n:3\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n$-1\r\n");
	EXPECT("COMMAND DOCS hget", "*2\r\n$4\r\nhget\r\n*6\r\n$7\r\nsummary\r\n$20\r\nthe value of a field\r\n"
				    "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$4\r\nhash\r\n");
	EXPECT("COMMAND LIST FILTERBY PATTERN hget*", "*2\r\n$4\r\nhget\r\n$7\r\nhgetall\r\n");
	EXPECT("COMMAND LIST FILTERBY PATTERN ec?o", "*1\r\n$4\r\necho\r\n");
	EXPECT("COMMAND LIST FILTERBY ACLCAT keyspace",
	       "*6\r\n$3\r\ndel\r\n$6\r\nunlink\r\n$6\r\nexists\r\n$4\r\ntype\r\n$4\r\nkeys\r\n$4\r\nscan\r\n");
	EXPECT("COMMAND LIST FILTERBY MODULE x", "*0\r\n");
	EXPECT("COMMAND LIST FILTERBY bogus x", "-ERR syntax error\r\n");
	EXPECT("COMMAND LIST x", "-ERR syntax error\r\n");
	EXPECT("COMMAND GETKEYS HSET b f v", "*1\r\n$1\r\nb\r\n");
	EXPECT("COMMAND GETKEYS del a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
	EXPECT("COMMAND GETKEYS ping a", "-ERR The command has no key arguments\r\n");
	EXPECT("COMMAND GETKEYS hget b", "-ERR Invalid number of arguments specified for command\r\n");
	EXPECT("COMMAND GETKEYS bogus b", "-ERR Invalid command specified\r\n");
	send_words("COMMAND");
	cr_assert_eq(strncmp(output(), "*32\r\n*10\r\n$4\r\nhset\r\n", 20), 0);
}

Test(resp, tells_the_settings_that_clients_ask_for)
{
	EXPECT("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
	EXPECT("CONFIG GET bogus", "*0\r\n");
	EXPECT("CONFIG GET po* append*", "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nport\r\n$4\r\n6379\r\n");
}

Test(resp, changes_no_settings)
{
	EXPECT("CONFIG SET appendonly yes", "+OK\r\n");
	EXPECT_RAW("CONFIG SET SAVE \"\"\r\n", "+OK\r\n");
	EXPECT("CONFIG SET port 6379 databases 16",
	       "-ERR CONFIG SET failed (possibly related to argument 'databases') - "
	       "can't set immutable config\r\n");
	EXPECT("CONFIG SET bogus 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'bogus'\r\n");
	EXPECT("CONFIG SET port 6379 timeout",
	       "-ERR Unknown option or number of arguments for CONFIG SET - 'timeout'\r\n");
	EXPECT("CONFIG SET port", "-ERR wrong number of arguments for 'config|set' command\r\n");
	EXPECT("CONFIG REWRITE", "-ERR The server is running without a config file\r\n");
}

Test(resp, reports_the_sections_asked_for)
{
	EXPECT("INFO bogus", "$0\r\n\r\n");
	EXPECT("INFO cluster", "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
	send_words("INFO replication PERSISTENCE bogus");
	cr_assert_not_null(strstr(output(), "# Persistence\r\nloading:0\r\n"));
	cr_assert_not_null(strstr(output(), "\r\n\r\n# Replication\r\nrole:master\r\n"));
	cr_assert_null(strstr(output(), "# Server"));
	feed("CONFIG RESETSTAT\r\nPING\r\nPING\r\nINFO stats\r\n");
	cr_assert_not_null(strstr(output(), "total_connections_received:0\r\ntotal_commands_processed:"), "%s",
			   output());
	/* the reset, two PINGs, and the question itself */
	cr_assert_not_null(strstr(output(), "_processed:4\r\n"), "%s", output());
}

Test(resp, reports_figures)
{
	send_words("INFO");
	cr_assert_str_eq(t_front_calls(front), "kv.count()\n");
	cr_assert_not_null(strstr(output(), "redis_mode:standalone\r\n"));
	cr_assert_not_null(strstr(output(), "node:test@host\r\n"));
	cr_assert_not_null(strstr(output(), "connected_clients:1\r\n"));
}

/* ---- inline commands ---- */

Test(resp, takes_inline_commands)
{
	EXPECT_RAW("PING\n", "+PONG\r\n");
	EXPECT_RAW("\r\n\n  \r\nPING\r\n", "+PONG\r\n");
	EXPECT_RAW("ECHO \"a\\x41\\n\\\"\"\r\n", "$4\r\naA\n\"\r\n");
	EXPECT_RAW("ECHO 'it\\'s \\n'\r\n", "$7\r\nit's \\n\r\n");
	EXPECT_RAW("ECHO \"\"\r\n", "$0\r\n\r\n");
	EXPECT_RAW("HSET b \"a b\" 'c d'\r\n", ":3\r\n");
	cr_assert_str_eq(t_front_calls(front), "kv.hset(b,a b,c d)\n");
}

Test(resp, refuses_unbalanced_quotes_and_closes)
{
	static const char *const wrong[] = { "ECHO \"a\r\n", "ECHO 'a\r\n", "ECHO \"a\"b\r\n", "ECHO 'a'b\r\n" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_RAW(wrong[i], "-ERR Protocol error: unbalanced quotes in request\r\n");
		cr_assert(t_front_is_closed(front));
	}
}

Test(resp, bounds_inline_commands)
{
	char *line = malloc(70000);
	memset(line, 'a', 70000);
	t_front_feed(front, line, 65535);
	cr_assert_str_eq(output(), "");
	t_front_feed(front, line, 1);
	cr_assert_str_eq(output(), "-ERR Protocol error: too big inline request\r\n");
	cr_assert(t_front_is_closed(front));
	free(line);
}

/* ---- the stream ---- */

Test(resp, refuses_a_broken_stream_in_redis_words_and_closes)
{
	static const char *const wrong[][2] = {
		{ "*1\r\n:1\r\n", "expected '$', got ':'" },
		{ "*1\r\n\x01", "expected '$', got '\\x01'" },
		{ "*x\r\n", "invalid multibulk length" },
		{ "*1048577\r\n", "invalid multibulk length" },
		{ "*99999999999\r\n", "invalid multibulk length" },
		{ "*1\r\n$-1\r\n", "invalid bulk length" },
		{ "*1\r\n$x\r\n", "invalid bulk length" },
		{ "*1\r\n$99999999999\r\n", "invalid bulk length" },
		{ "*1\r\n$2000000\r\n", "too big request" },
		{ "*1\r\n$4\r\nPINGxx", "bulk string without its end" },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char reply[128];
		snprintf(reply, sizeof(reply), "-ERR Protocol error: %s\r\n", wrong[i][1]);
		EXPECT_RAW(wrong[i][0], reply);
		cr_assert(t_front_is_closed(front), "%s", wrong[i][0]);
	}
}

Test(resp, passes_over_empty_requests)
{
	EXPECT_RAW("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
}

Test(resp, takes_bytes_in_names_and_values)
{
	static const char request[] = "*2\r\n$4\r\nECHO\r\n$6\r\n\0\r\n\xff*$\r\n";
	size_t size = 0;
	t_front_feed(front, request, sizeof(request) - 1);
	const char *got = t_front_output(front, &size);
	cr_assert_eq(size, 12);
	cr_assert_eq(memcmp(got, "$6\r\n\0\r\n\xff*$\r\n", 12), 0);
}

/* Short ones are read in another way than long ones. */
Test(resp, takes_words_of_any_length_whole_or_cut)
{
	char word[1200], request[1300], expected[1300];
	memset(word, 'w', sizeof(word));
	for (int size = 0; size < (int)sizeof(word); size += size < 120 ? 1 : 97) {
		int length =
			snprintf(request, sizeof(request), "*2\r\n$4\r\nECHO\r\n$%d\r\n%.*s\r\n", size, size, word);
		snprintf(expected, sizeof(expected), "$%d\r\n%.*s\r\n", size, size, word);
		for (size_t at = 0; at <= (size_t)length; at += at < 30 ? 1 : 60) {
			t_front_connect(front, "127.0.0.1:1");
			t_front_feed(front, request, at);
			t_front_feed(front, request + at, (size_t)length - at);
			cr_assert_str_eq(output(), expected, "%d bytes, cut at %zu", size, at);
		}
	}
}

static const char session[] = "*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$1\r\nf\r\n$3\r\na\r\n\r\n"
			      "PING\r\n"
			      "*3\r\n$4\r\nhget\r\n$1\r\nb\r\n$1\r\nf\r\n"
			      "ECHO \"x\\ny\"\r\n"
			      "*0\r\n*1\r\n$5\r\nBOGUS\r\n"
			      "HELLO 3\n*2\r\n$7\r\nHGETALL\r\n$0\r\n\r\n";

Test(resp, is_indifferent_to_how_the_bytes_were_cut)
{
	size_t size = sizeof(session) - 1;
	t_front_connect(front, "127.0.0.1:1");
	t_front_feed(front, session, size);
	char *whole = strdup(output()), *id = strstr(whole, "$2\r\nid\r\n");
	cr_assert_not_null(id);
	size_t same = (size_t)(id - whole);
	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			t_front_connect(front, "127.0.0.1:1");
			t_front_feed(front, session, first);
			t_front_feed(front, session + first, second - first);
			t_front_feed(front, session + second, size - second);
			/* the id grows with each connection */
			const char *rest = strstr(output() + same, "$4\r\nmode");
			cr_assert_eq(strncmp(output(), whole, same), 0, "cut at %zu and %zu", first, second);
			cr_assert_str_eq(rest, strstr(whole + same, "$4\r\nmode"), "cut at %zu and %zu", first, second);
		}
	}
	free(whole);
}

Test(resp, goes_on_where_there_was_no_room)
{
	for (unsigned room = 1; room < 6; room++) {
		t_front_connect(front, "127.0.0.1:1");
		t_front_set_room(front, room);
		feed("ECHO 'a b'\r\nPING\r\nHSET b 'f 1' v\r\nHGET b f\r\nECHO \"c d\"\r\nPING\r\n");
		cr_assert_str_eq(output(), "$3\r\na b\r\n+PONG\r\n:3\r\n$5\r\nvalue\r\n$3\r\nc d\r\n+PONG\r\n");
	}
}

Test(resp, takes_many_fields_at_once)
{
	enum { FIELDS = 5000 };
	char *request = malloc(FIELDS * 32 + 64), *to = request;
	to += sprintf(to, "*%d\r\n$4\r\nHSET\r\n$1\r\nb\r\n", 2 + FIELDS * 2);
	for (int i = 0; i < FIELDS; i++)
		to += sprintf(to, "$6\r\n%06d\r\n$1\r\nv\r\n", i);
	for (size_t at = 0; at < (size_t)(to - request); at += 1000) {
		size_t left = (size_t)(to - request) - at;
		t_front_feed(front, request + at, left < 1000 ? left : 1000);
	}
	cr_assert_str_eq(output(), ":10001\r\n");
	free(request);
}

/* ---- who may ---- */

Test(resp_guests, must_authenticate_where_there_is_a_password)
{
	front = start_with(SETTING_PASSWORD, "open sesame", 0, NULL);
	EXPECT("HGET b f", "-NOAUTH Authentication required.\r\n");
	EXPECT("PING", "-NOAUTH Authentication required.\r\n");
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
	send_words("HELLO 3");
	cr_assert_eq(strncmp(output(), "-NOAUTH HELLO must be called", 28), 0);
	t_front_connect(front, "127.0.0.1:1");
	feed("HELLO 3 AUTH default \"open sesame\" SETNAME me\r\nCLIENT GETNAME\r\n");
	cr_assert_eq(strncmp(output(), "%7\r\n", 4), 0);
	cr_assert_str_eq(output() + strlen(output()) - 8, "$2\r\nme\r\n");
	t_front_stop(front);
}

Test(resp_guests, may_not_send_much_before_they_authenticate)
{
	front = start_with(SETTING_PASSWORD, "secret", 0, NULL);
	EXPECT_RAW("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
	EXPECT_RAW("*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n");
	EXPECT_RAW("AUTH secret\r\n*11\r\n", "+OK\r\n");
	t_front_stop(front);
}

Test(resp_guests, are_told_when_there_is_no_password)
{
	front = start_with(SETTINGS, NULL, 0, NULL);
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
	t_front_stop(front);
}

Test(resp_guests, from_other_hosts_are_turned_away_without_a_password)
{
	front = start_with(SETTING_LISTEN, "0.0.0.0", 0, NULL);
	t_front_connect(front, "127.0.0.1:5000");
	feed("PING\r\n");
	cr_assert_str_eq(output(), "+PONG\r\n");
	t_front_connect(front, "192.0.2.7:5000");
	feed("PING\r\n");
	cr_assert_eq(strncmp(output(), "-DENIED ", 8), 0, "%s", output());
	cr_assert(t_front_is_closed(front));
	cr_assert_eq(t_front_set(front, "password", "secret", 0), 0);
	t_front_connect(front, "192.0.2.7:5000");
	feed("AUTH secret\r\nPING\r\n");
	cr_assert_str_eq(output(), "+OK\r\n+PONG\r\n");
	cr_assert_eq(t_front_set(front, "password", "", 0), 0);
	cr_assert_eq(t_front_set(front, "protected", NULL, 0), 0);
	t_front_connect(front, "192.0.2.7:5000");
	feed("PING\r\n");
	cr_assert_str_eq(output(), "+PONG\r\n");
	t_front_stop(front);
}

Test(resp_start, refuses_a_limit_that_makes_no_sense)
{
	const char *why = NULL;
	cr_assert_null(start_with(SETTING_MAX_REQUEST, NULL, 100, &why));
	cr_assert_str_eq(why, "max_request is 100 bytes; it must be between 16384 and 1073741824");
}
