/* SPDX-License-Identifier: MIT */
/* The commands over the store, in Redis' words: what is asked of kv, and how its results are written. */
#include "resp_front.h"

#include "command.h"
#include "front_end.h"

TestSuite(commands, .init = t_resp_init, .fini = t_resp_done, .timeout = 60);

Test(commands, asks_kv_for_hashes)
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

Test(commands, asks_kv_for_scans_with_all_options)
{
	EXPECT_CALL("SCAN 0", "kv.scan(0,*,10)\n");
	EXPECT_CALL("SCAN 5 COUNT 100 MATCH a?", "kv.scan(5,a?,100)\n");
	EXPECT_CALL("SCAN 5 TYPE hash", "kv.scan(5,*,10)\n");
	EXPECT_CALL("HSCAN b 7", "kv.hscan(b,7,*,10)\n");
	EXPECT_CALL("HSCAN b 7 match x count 3", "kv.hscan(b,7,x,3)\n");
	EXPECT("SCAN 0 TYPE string", "*2\r\n$1\r\n0\r\n*0\r\n");
	EXPECT("SCAN x", "-ERR invalid cursor\r\n");
	EXPECT("SCAN 18446744073709551616 TYPE string", "-ERR invalid cursor\r\n");
	EXPECT("SCAN 0 COUNT 0", "-ERR syntax error\r\n");
	EXPECT("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n");
	EXPECT("SCAN 0 MATCH", "-ERR syntax error\r\n");
	EXPECT("HSCAN b 0 TYPE hash", "-ERR syntax error\r\n");
}

Test(commands, takes_cursors_in_the_forms_that_strtoul_takes)
{
	EXPECT_CALL("SCAN 007", "kv.scan(7,*,10)\n");
	EXPECT_CALL("SCAN +5", "kv.scan(5,*,10)\n");
	EXPECT_CALL("SCAN 00", "kv.scan(0,*,10)\n");
	EXPECT_CALL("HSCAN b -0", "kv.hscan(b,0,*,10)\n");
	EXPECT_CALL("HSCAN b -1", "kv.hscan(b,18446744073709551615,*,10)\n");
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed("SCAN \"\"\r\nSCAN \"9\\x00x\"\r\n");
	cr_expect_str_eq(t_front_calls(t_resp), "kv.scan(0,*,10)\nkv.scan(9,*,10)\n");
	EXPECT("SCAN -", "-ERR invalid cursor\r\n");
	EXPECT("SCAN +", "-ERR invalid cursor\r\n");
	EXPECT("SCAN 1x", "-ERR invalid cursor\r\n");
	EXPECT("SCAN -18446744073709551616", "-ERR invalid cursor\r\n");
	EXPECT_RAW("SCAN \" 0\"\r\n", "-ERR invalid cursor\r\n");
}

Test(commands, minds_the_options_of_hscan_only_where_there_is_a_hash)
{
	EXPECT_CALL("HSCAN b 0 BOGUS x", "kv.exists(b)\n");
	EXPECT("HSCAN b 0 BOGUS x", "-ERR syntax error\r\n");
	EXPECT("HSCAN b 0 COUNT x", "-ERR value is not an integer or out of range\r\n");
	EXPECT("HSCAN nothing 0 BOGUS x", "*2\r\n$1\r\n0\r\n*0\r\n");
	EXPECT("HSCAN nothing 0 COUNT x", "*2\r\n$1\r\n0\r\n*0\r\n");
	EXPECT("HSCAN nothing x BOGUS", "-ERR invalid cursor\r\n");
	EXPECT("HSCAN broken 0 BOGUS", "-ERR the disk  is full\r\n");
}

Test(commands, writes_resp2)
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

Test(commands, writes_resp3_after_hello)
{
	t_feed("HELLO 3\r\n");
	cr_assert_eq(strncmp(t_output(), "%7\r\n$6\r\nserver\r\n$5\r\nkvrel\r\n", 27), 0, "%s", t_output());
	size_t before = strlen(t_output());
	t_feed("HGET b nofield\r\nHGETALL b\r\nHSCAN b 0\r\nHMGET b f g\r\nCLIENT GETNAME\r\n");
	cr_assert_str_eq(t_output() + before, "_\r\n"
					      "%2\r\n$2\r\nf1\r\n$2\r\nv1\r\n$2\r\nf2\r\n$2\r\nv2\r\n"
					      "*2\r\n$2\r\n17\r\n*2\r\n$2\r\nf1\r\n$2\r\nv1\r\n"
					      "*2\r\n$2\r\nv1\r\n_\r\n"
					      "_\r\n");
}

Test(commands, keeps_the_version_of_each_request_of_a_pipeline)
{
	t_feed("HGET b nofield\r\nHELLO 3\r\nHGET b nofield\r\nHELLO 2\r\nHGET b nofield\r\n");
	cr_assert_eq(strncmp(t_output(), "$-1\r\n%7\r\n", 9), 0);
	cr_assert_not_null(strstr(t_output(), "*0\r\n_\r\n*14\r\n"));
	cr_assert_str_eq(t_output() + strlen(t_output()) - 9, "*0\r\n$-1\r\n");
}

Test(commands, refuses_the_wrong_number_of_arguments_in_redis_words)
{
	EXPECT("HSET b f", "-ERR wrong number of arguments for 'hset' command\r\n");
	EXPECT("HSET b f v g", "-ERR wrong number of arguments for 'hset' command\r\n");
	EXPECT("hGet b", "-ERR wrong number of arguments for 'hget' command\r\n");
	EXPECT("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
	EXPECT("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
	EXPECT("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n");
}

Test(commands, does_not_know_other_commands_in_redis_words)
{
	EXPECT("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' \r\n");
	EXPECT("set a b", "-ERR unknown command 'set', with args beginning with: 'a' 'b' \r\n");
	EXPECT("ping2", "-ERR unknown command 'ping2', with args beginning with: \r\n");
	EXPECT_RAW("*1\r\n$5\r\nping \r\n", "-ERR unknown command 'ping ', with args beginning with: \r\n");
	EXPECT_RAW("*1\r\n$3\r\na\r\n\r\n", "-ERR unknown command 'a  ', with args beginning with: \r\n");
	EXPECT_RAW("x \"a\\x00b\" \"\\x00\" \"\\x01\\t\" c\r\n",
		   "-ERR unknown command 'x', with args beginning with: 'a' '' '\x01\t' 'c' \r\n");
	EXPECT("CLIENT BOGUS", "-ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.\r\n");
	EXPECT("CONFIG BOGUS a b", "-ERR unknown subcommand 'BOGUS'. Try CONFIG HELP.\r\n");
}

Test(commands, tells_why_on_one_line)
{
	EXPECT("HGET broken f", "-ERR the disk  is full\r\n");
}

Test(commands, checks_increments_before_it_asks)
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

Test(commands, describes_its_commands)
{
	EXPECT("COMMAND COUNT", ":37\r\n");
	EXPECT("COMMAND INFO hget bogus",
	       "*2\r\n*10\r\n$4\r\nhget\r\n:3\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
	       "*3\r\n+@read\r\n+@hash\r\n+@fast\r\n*0\r\n"
	       "*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"
	       "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n"
	       "$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n"
	       "*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
	EXPECT("COMMAND DOCS hdel",
	       "*2\r\n$4\r\nhdel\r\n*8\r\n$7\r\nsummary\r\n$35\r\nremoves fields; how many there were\r\n"
	       "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$4\r\nhash\r\n$9\r\narguments\r\n*2\r\n"
	       "*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
	       "*6\r\n$4\r\nname\r\n$5\r\nfield\r\n$4\r\ntype\r\n$6\r\nstring\r\n"
	       "$5\r\nflags\r\n*1\r\n+multiple\r\n");
	EXPECT("COMMAND DOCS dbsize bogus",
	       "*2\r\n$6\r\ndbsize\r\n*6\r\n$7\r\nsummary\r\n$25\r\nhow many hashes there are\r\n"
	       "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nserver\r\n");
	EXPECT("COMMAND LIST FILTERBY PATTERN hget*", "*2\r\n$4\r\nhget\r\n$7\r\nhgetall\r\n");
	EXPECT("COMMAND LIST FILTERBY PATTERN ec?o", "*1\r\n$4\r\necho\r\n");
	EXPECT("COMMAND LIST FILTERBY ACLCAT keyspace",
	       "*7\r\n$3\r\ndel\r\n$6\r\nunlink\r\n$6\r\nexists\r\n$4\r\ntype\r\n$4\r\nkeys\r\n$4\r\nscan\r\n"
	       "$6\r\ndbsize\r\n");
	EXPECT("COMMAND LIST FILTERBY ACLCAT Dangerous", "*2\r\n$4\r\nkeys\r\n$4\r\ninfo\r\n");
	EXPECT("COMMAND LIST FILTERBY ACLCAT danger", "*0\r\n");
	EXPECT("COMMAND LIST FILTERBY MODULE x", "*0\r\n");
	EXPECT("COMMAND LIST FILTERBY bogus x", "-ERR syntax error\r\n");
	EXPECT("COMMAND LIST x", "-ERR syntax error\r\n");
	EXPECT("COMMAND GETKEYS HSET b f v", "*1\r\n$1\r\nb\r\n");
	EXPECT("COMMAND GETKEYS del a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
	EXPECT("COMMAND GETKEYS watch a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
	EXPECT("COMMAND GETKEYSANDFLAGS hincrby b f 1", "*1\r\n*2\r\n$1\r\nb\r\n*3\r\n+RW\r\n+access\r\n+update\r\n");
	EXPECT("COMMAND GETKEYS ping a", "-ERR The command has no key arguments\r\n");
	EXPECT("COMMAND GETKEYS hget b", "-ERR Invalid number of arguments specified for command\r\n");
	EXPECT("COMMAND GETKEYS bogus b", "-ERR Invalid command specified\r\n");
	t_words("COMMAND");
	cr_assert_eq(strncmp(t_output(), "*37\r\n*10\r\n$4\r\nhset\r\n", 20), 0);
}

Test(commands, knows_what_redis_says_of_each_of_its_commands)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &command_table[i];
		const struct traits *traits = traits_of(command);
		cr_expect_str_eq(traits->name, command->name);
		cr_expect_eq(*traits->access != 0, (command->flags & (COMMAND_KEY | COMMAND_KEYS)) != 0, "%s",
			     command->name);
		cr_expect_eq(strstr(traits->flags, "no_auth") != NULL, (command->flags & COMMAND_GUEST) != 0, "%s",
			     command->name);
	}
}

Test(commands, tells_the_settings_that_clients_ask_for)
{
	EXPECT("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
	EXPECT("CONFIG GET bogus", "*0\r\n");
	static const char *const same[] = {
		"SAVE", "[r-t]ave", "[t-R]AVE", "[^a-r]?ve", "s[]ave", "s[a\\v", "\\sav[^]", "s[\\]a]ve", "?a*[e",
	};
	static const bool matches[] = { true, true, true, true, false, false, true, true, true };
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		char line[64];
		snprintf(line, sizeof(line), "CONFIG GET %s", same[i]);
		EXPECT(line, matches[i] ? "*2\r\n$4\r\nsave\r\n$0\r\n\r\n" : "*0\r\n");
	}
	EXPECT("CONFIG GET po* append*", "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nport\r\n$4\r\n6379\r\n");
}

Test(commands, changes_no_settings)
{
	EXPECT("CONFIG SET appendonly yes", "+OK\r\n");
	EXPECT_RAW("CONFIG SET SAVE \"\"\r\n", "+OK\r\n");
	EXPECT("CONFIG SET port 6379 databases 16",
	       "-ERR CONFIG SET failed (possibly related to argument 'databases') - "
	       "can't set immutable config\r\n");
	EXPECT("CONFIG SET bogus 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'bogus'\r\n");
	EXPECT("CONFIG SET port 6379 timeout", "-ERR syntax error\r\n");
	EXPECT("CONFIG SET port 6379 PORT 6379",
	       "-ERR CONFIG SET failed (possibly related to argument 'PORT') - duplicate parameter\r\n");
	EXPECT("CONFIG SET port", "-ERR wrong number of arguments for 'config|set' command\r\n");
	EXPECT("CONFIG REWRITE", "-ERR The server is running without a config file\r\n");
}

Test(commands, reports_the_sections_asked_for)
{
	EXPECT("INFO bogus", "$0\r\n\r\n");
	EXPECT("INFO cluster", "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
	t_words("INFO replication PERSISTENCE bogus");
	cr_assert_not_null(strstr(t_output(), "# Persistence\r\nloading:0\r\n"));
	cr_assert_not_null(strstr(t_output(), "\r\n\r\n# Replication\r\nrole:master\r\n"));
	cr_assert_null(strstr(t_output(), "# Server"));
	t_feed("CONFIG RESETSTAT\r\nPING\r\nPING\r\nINFO stats\r\n");
	cr_assert_not_null(strstr(t_output(), "total_connections_received:0\r\ntotal_commands_processed:"), "%s",
			   t_output());
	/* the reset, two PINGs, and the question itself */
	cr_assert_not_null(strstr(t_output(), "_processed:4\r\n"), "%s", t_output());
}

Test(commands, marks_reports_as_text_in_resp3)
{
	t_feed("HELLO 3\r\n");
	size_t before = strlen(t_output());
	t_feed("INFO cluster\r\nCOMMAND INFO echo\r\n");
	cr_assert_str_eq(t_output() + before,
			 "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"
			 "*1\r\n*10\r\n$4\r\necho\r\n:2\r\n~3\r\n+loading\r\n+stale\r\n+fast\r\n:0\r\n:0\r\n:0\r\n"
			 "~2\r\n+@fast\r\n+@connection\r\n~0\r\n~0\r\n~0\r\n");
}

Test(commands, reports_figures)
{
	t_words("INFO");
	cr_assert_str_eq(t_front_calls(t_resp), "kv.count()\n");
	cr_assert_not_null(strstr(t_output(), "redis_mode:standalone\r\n"));
	cr_assert_not_null(strstr(t_output(), "node:test@host\r\n"));
	cr_assert_not_null(strstr(t_output(), "connected_clients:1\r\n"));
}

Test(commands, helps)
{
	static const char *const families[] = { "CLIENT", "CONFIG", "COMMAND" };
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		char line[32], first[96];
		snprintf(line, sizeof(line), "%s HELP", families[i]);
		snprintf(first, sizeof(first), "\r\n+%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n",
			 families[i]);
		t_words(line);
		cr_expect_not_null(strstr(t_output(), first), "%s", t_output());
		size_t lines = 0;
		for (const char *at = t_output(); (at = strstr(at, "\r\n")); at += 2)
			lines++;
		cr_expect_eq(strtoul(t_output() + 1, NULL, 10), lines - 1, "%s", t_output());
	}
}
