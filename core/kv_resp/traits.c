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

static const struct traits table[] = {
	{ "hset", "write denyoom fast", WRITES, "", "RW update" },
	{ "hget", "readonly fast", READS, "", "RO access" },
	{ "hmget", "readonly fast", READS, "", "RO access" },
	{ "hmset", "write denyoom fast", WRITES, "", "RW update" },
	{ "hsetnx", "write denyoom fast", WRITES, "", "RW insert" },
	{ "hincrby", "write denyoom fast", WRITES, "", "RW access update" },
	{ "hgetall", "readonly", READS_ALL, UNORDERED, "RO access" },
	{ "hdel", "write fast", WRITES, "", "RW delete" },
	{ "hexists", "readonly fast", READS, "", "RO" },
	{ "hlen", "readonly fast", READS, "", "RO" },
	{ "hkeys", "readonly", READS_ALL, UNORDERED, "RO access" },
	{ "hvals", "readonly", READS_ALL, UNORDERED, "RO access" },
	{ "hstrlen", "readonly fast", READS, "", "RO" },
	{ "hscan", "readonly", READS_ALL, "nondeterministic_output", "RO access" },
	{ "del", "write", "@keyspace @write @slow", SHARDED, "RM delete" },
	{ "unlink", "write fast", "@keyspace @write @fast", SHARDED, "RM delete" },
	{ "exists", "readonly fast", "@keyspace @read @fast", SHARDED, "RO" },
	{ "type", "readonly fast", "@keyspace @read @fast", "", "RO" },
	{ "keys", "readonly", "@keyspace @read @slow @dangerous", "request_policy:all_shards " UNORDERED, "" },
	{ "scan", "readonly", "@keyspace @read @slow", "nondeterministic_output request_policy:special", "" },
	{ "dbsize", "readonly fast", "@keyspace @read @fast", "request_policy:all_shards " SUM, "" },
	{ "ping", "fast", CONNECTION, "request_policy:all_shards response_policy:all_succeeded", "" },
	{ "echo", "loading stale fast", CONNECTION, "", "" },
	{ "hello", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "" },
	{ "auth", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "" },
	{ "select", "loading stale fast", CONNECTION, "", "" },
	{ "quit", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "" },
	{ "reset", ALWAYS " fast no_auth allow_busy", CONNECTION, "", "" },
	{ "multi", ALWAYS " fast allow_busy", TRANSACTION, "", "" },
	{ "exec", ALWAYS " skip_slowlog", "@slow @transaction", "", "" },
	{ "discard", ALWAYS " fast allow_busy", TRANSACTION, "", "" },
	{ "watch", ALWAYS " fast allow_busy", TRANSACTION, "", "RO" },
	{ "unwatch", ALWAYS " fast allow_busy", TRANSACTION, "", "" },
	{ "client", "", "@slow", "", "" },
	{ "command", "loading stale", "@slow @connection", UNORDERED, "" },
	{ "config", "", "@slow", "", "" },
	{ "info", "loading stale", "@slow @dangerous",
	  "nondeterministic_output request_policy:all_shards response_policy:special", "" },
};

const struct traits *traits_of(const struct command *command)
{
	static const struct traits none = { "", "", "", "", "" };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, command->name) == 0)
			return &table[i];
	}
	return &none;
}
