/* SPDX-License-Identifier: MIT */
/*
 * What Redis 7 says of the commands that this front-end has, in its words and their order: client libraries route,
 * retry and cache by it. It is no part of the table of commands, which every request looks into.
 */
#include "command.h"

#include <stddef.h>
#include <string.h>

#define ALWAYS      "noscript loading stale"
#define READS       "@read @hash @fast"
#define READS_ALL   "@read @hash @slow"
#define WRITES      "@write @hash @fast"
#define CONNECTION  "@fast @connection"
#define TRANSACTION "@fast @transaction"
#define UNORDERED   "nondeterministic_output_order"
#define SUM         "response_policy:agg_sum"
#define SHARDED     "request_policy:multi_shard " SUM

/* clang-format off */
#define ARGS(...) (const struct argument[]){ __VA_ARGS__, { 0 } }
#define KEY       { "key", "key" }
#define KEYS      { "key", "key", "multiple" }
#define FIELD     { "field", "string" }
#define FIELDS    { "field", "string", "multiple" }
#define VALUE     { "value", "string" }
#define PAIRS     { "field_value", "block", "multiple", .parts = pair }
#define CURSOR    { "cursor", "integer" }
#define MATCH     { "pattern", "pattern", "optional", "MATCH" }
#define COUNT     { "count", "integer", "optional", "COUNT" }
/* clang-format on */

static const struct argument pair[] = { FIELD, VALUE, { 0 } };
static const struct argument login[] = { { "username", "string" }, { "password", "string" }, { 0 } };
static const struct argument greeting[] = {
	{ "protover", "integer" },
	{ "username_password", "block", "optional", "AUTH", login },
	{ "clientname", "string", "optional", "SETNAME" },
	{ 0 },
};

static const struct traits table[] = {
	{ "hset", "write denyoom fast", WRITES, "", "RW update", ARGS(KEY, PAIRS) },
	{ "hget", "readonly fast", READS, "", "RO access", ARGS(KEY, FIELD) },
	{ "hmget", "readonly fast", READS, "", "RO access", ARGS(KEY, FIELDS) },
	{ "hmset", "write denyoom fast", WRITES, "", "RW update", ARGS(KEY, PAIRS) },
	{ "hsetnx", "write denyoom fast", WRITES, "", "RW insert", ARGS(KEY, FIELD, VALUE) },
	{ "hincrby", "write denyoom fast", WRITES, "", "RW access update",
	  ARGS(KEY, FIELD, { "increment", "integer" }) },
	{ "hgetall", "readonly", READS_ALL, UNORDERED, "RO access", ARGS(KEY) },
	{ "hdel", "write fast", WRITES, "", "RW delete", ARGS(KEY, FIELDS) },
	{ "hexists", "readonly fast", READS, "", "RO", ARGS(KEY, FIELD) },
	{ "hlen", "readonly fast", READS, "", "RO", ARGS(KEY) },
	{ "hkeys", "readonly", READS_ALL, UNORDERED, "RO access", ARGS(KEY) },
	{ "hvals", "readonly", READS_ALL, UNORDERED, "RO access", ARGS(KEY) },
	{ "hstrlen", "readonly fast", READS, "", "RO", ARGS(KEY, FIELD) },
	{ "hscan", "readonly", READS_ALL, "nondeterministic_output", "RO access", ARGS(KEY, CURSOR, MATCH, COUNT) },
	{ "del", "write", "@keyspace @write @slow", SHARDED, "RM delete", ARGS(KEYS) },
	{ "unlink", "write fast", "@keyspace @write @fast", SHARDED, "RM delete", ARGS(KEYS) },
	{ "exists", "readonly fast", "@keyspace @read @fast", SHARDED, "RO", ARGS(KEYS) },
	{ "type", "readonly fast", "@keyspace @read @fast", "", "RO", ARGS(KEY) },
	{ "keys", "readonly", "@keyspace @read @slow @dangerous", "request_policy:all_shards " UNORDERED, "",
	  ARGS({ "pattern", "pattern" }) },
	{ "scan", "readonly", "@keyspace @read @slow", "nondeterministic_output request_policy:special", "",
	  ARGS(CURSOR, MATCH, COUNT, { "type", "string", "optional", "TYPE" }) },
	{ "dbsize", "readonly fast", "@keyspace @read @fast", "request_policy:all_shards " SUM, "", NULL },
	{ "ping", "fast", CONNECTION, "request_policy:all_shards response_policy:all_succeeded", "",
	  ARGS({ "message", "string", "optional" }) },
	{ "echo", "loading stale fast", CONNECTION, "", "", ARGS({ "message", "string" }) },
	{ "hello", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "",
	  ARGS({ "arguments", "block", "optional", .parts = greeting }) },
	{ "auth", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "",
	  ARGS({ "username", "string", "optional" }, { "password", "string" }) },
	{ "select", "loading stale fast", CONNECTION, "", "", ARGS({ "index", "integer" }) },
	{ "quit", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "", NULL },
	{ "reset", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "", NULL },
	{ "multi", ALWAYS " fast allow_busy", TRANSACTION, "", "", NULL },
	{ "exec", ALWAYS " skip_slowlog", "@slow @transaction", "", "", NULL },
	{ "discard", ALWAYS " fast allow_busy", TRANSACTION, "", "", NULL },
	{ "watch", ALWAYS " fast allow_busy", TRANSACTION, "", "RO", ARGS(KEYS) },
	{ "unwatch", ALWAYS " fast allow_busy", TRANSACTION, "", "", NULL },
	{ "client", "", "@slow", "", "", NULL },
	{ "command", "loading stale", "@slow @connection", UNORDERED, "", NULL },
	{ "config", "", "@slow", "", "", NULL },
	{ "info", "loading stale", "@slow @dangerous",
	  "nondeterministic_output request_policy:all_shards response_policy:special", "",
	  ARGS({ "section", "string", "optional multiple" }) },
};

const struct traits *traits_of(const struct command *command)
{
	static const struct traits none = { "", "", "", "", "", NULL };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, command->name) == 0)
			return &table[i];
	}
	return &none;
}
