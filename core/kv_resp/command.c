/* SPDX-License-Identifier: MIT */
/*
 * Names are looked up for every request, so they are kept as two machine words of lower-case letters: one hash, one
 * comparison. The words are the name's first and last bytes, which may overlap: that needs neither a loop nor padding.
 * Setting bit 5 makes upper case lower; among names of letters alone no other byte can take a letter's place.
 */
#include "command.h"

#include "request.h"

#include <assert.h>
#include <string.h>

#define ROW(name, arity, flags, shape, op, run, group, summary) \
	{ \
		name, arity, flags, shape, op, run, group, summary, NULL \
	}
#define FAMILY(name, arity, run, family, group, summary) \
	{ \
		name, arity, 0, SHAPE_RAW, NULL, run, group, summary, family \
	}

/* clang-format off */
const struct command command_table[] = {
	ROW("hset", -4, COMMAND_KEY, SHAPE_INTEGER, "kv.hset", run_hset, "hash", "sets fields of a hash; how many were new"),
	ROW("hget", 3, COMMAND_KEY, SHAPE_BULK, "kv.hget", NULL, "hash", "the value of a field"),
	ROW("hmget", -3, COMMAND_KEY, SHAPE_ARRAY, "kv.hmget", NULL, "hash", "the values of fields"),
	ROW("hmset", -4, COMMAND_KEY, SHAPE_OK, "kv.hset", run_hset, "hash", "sets fields of a hash"),
	ROW("hsetnx", 4, COMMAND_KEY, SHAPE_INTEGER, "kv.hsetnx", NULL, "hash", "sets a field that is not there yet"),
	ROW("hincrby", 4, COMMAND_KEY, SHAPE_INTEGER, "kv.hincrby", run_hincrby, "hash", "adds to the integer in a field"),
	ROW("hgetall", 2, COMMAND_KEY, SHAPE_MAP, "kv.hgetall", NULL, "hash", "all fields and values"),
	ROW("hdel", -3, COMMAND_KEY, SHAPE_INTEGER, "kv.hdel", NULL, "hash", "removes fields; how many there were"),
	ROW("hexists", 3, COMMAND_KEY, SHAPE_INTEGER, "kv.hexists", NULL, "hash", "whether a field is there"),
	ROW("hlen", 2, COMMAND_KEY, SHAPE_INTEGER, "kv.hlen", NULL, "hash", "how many fields a hash has"),
	ROW("hkeys", 2, COMMAND_KEY, SHAPE_ARRAY, "kv.hkeys", NULL, "hash", "all fields"),
	ROW("hvals", 2, COMMAND_KEY, SHAPE_ARRAY, "kv.hvals", NULL, "hash", "all values"),
	ROW("hstrlen", 3, COMMAND_KEY, SHAPE_INTEGER, "kv.hstrlen", NULL, "hash", "the length of a field's value"),
	ROW("hscan", -3, COMMAND_KEY, SHAPE_SCAN, "kv.hscan", run_hscan, "hash", "fields and values, some at a time"),
	ROW("del", -2, COMMAND_KEYS, SHAPE_INTEGER, "kv.drop", NULL, "generic", "removes hashes; how many there were"),
	ROW("unlink", -2, COMMAND_KEYS, SHAPE_INTEGER, "kv.drop", NULL, "generic", "removes hashes; how many there were"),
	ROW("exists", -2, COMMAND_KEYS, SHAPE_INTEGER, "kv.exists", NULL, "generic", "how many of these hashes there are"),
	ROW("type", 2, COMMAND_KEY, SHAPE_TYPE, "kv.exists", NULL, "generic", "hash, or none"),
	ROW("keys", 2, 0, SHAPE_ARRAY, "kv.buckets", NULL, "generic", "the names of the hashes that match a pattern"),
	ROW("scan", -2, 0, SHAPE_SCAN, "kv.scan", run_scan, "generic", "names of hashes, some at a time"),
	ROW("dbsize", 1, 0, SHAPE_INTEGER, "kv.count", NULL, "server", "how many hashes there are"),
	ROW("ping", -1, 0, SHAPE_PONG, NULL, run_ping, "connection", "PONG, or the text given"),
	ROW("echo", 2, 0, SHAPE_BULK, NULL, run_echo, "connection", "the text given"),
	ROW("hello", -1, COMMAND_GUEST, SHAPE_RAW, NULL, run_hello, "connection", "chooses the version of the protocol"),
	ROW("auth", -2, COMMAND_GUEST, SHAPE_RAW, NULL, run_auth, "connection", "authenticates the connection"),
	ROW("select", 2, 0, SHAPE_RAW, NULL, run_select, "connection", "database 0 is the only one"),
	ROW("quit", -1, COMMAND_GUEST | COMMAND_NOW, SHAPE_RAW, NULL, run_quit, "connection", "closes the connection"),
	ROW("reset", 1, COMMAND_GUEST | COMMAND_NOW, SHAPE_RAW, NULL, run_reset, "connection", "forgets name, version and authentication"),
	ROW("multi", 1, COMMAND_NOW, SHAPE_RAW, NULL, run_multi, "transactions", "begins a transaction"),
	ROW("exec", 1, COMMAND_NOW, SHAPE_RAW, NULL, run_exec, "transactions", "runs the requests of a transaction"),
	ROW("discard", 1, COMMAND_NOW, SHAPE_RAW, NULL, run_discard, "transactions", "forgets the requests of a transaction"),
	ROW("watch", -2, COMMAND_KEYS | COMMAND_NOW, SHAPE_RAW, NULL, run_watch, "transactions", "not supported yet"),
	ROW("unwatch", 1, 0, SHAPE_RAW, NULL, run_unwatch, "transactions", "does nothing: nothing is watched"),
	FAMILY("client", -2, subcommand_run, client_family, "connection", "names and lists connections"),
	FAMILY("command", -1, run_command, command_family, "server", "describes the commands"),
	FAMILY("config", -2, subcommand_run, config_family, "server", "the settings that clients ask for"),
	ROW("info", -1, 0, SHAPE_INFO, NULL, run_info, "server", "figures of the server"),
};
/* clang-format on */
const size_t command_count = sizeof(command_table) / sizeof(command_table[0]);
_Static_assert(sizeof(command_table) / sizeof(command_table[0]) <= COMMANDS_MAX, "server.ops has room for all");

enum { NAME_BYTES = 16, LOOKUP_BITS = 8, LOOKUP_SIZE = 1 << LOOKUP_BITS };

struct entry {
	uint64_t key[2];
	size_t size;
	const struct command *command;
};
static struct entry lookup[LOOKUP_SIZE];

static inline uint64_t bytes8(const char *from)
{
	uint64_t bytes;
	memcpy(&bytes, from, sizeof(bytes));
	return bytes;
}

static inline uint64_t bytes4(const char *from)
{
	uint32_t bytes;
	memcpy(&bytes, from, sizeof(bytes));
	return bytes;
}

static inline bool to_key(struct kvrel_slice name, uint64_t key[2])
{
	const uint64_t lower = UINT64_C(0x2020202020202020);
	const char *c = name.data;
	size_t size = name.size;
	key[1] = 0;
	if (size >= 4 && size <= 8) {
		key[0] = bytes4(c) | bytes4(c + size - 4) << 32;
	} else if (size > 8 && size <= NAME_BYTES) {
		key[0] = bytes8(c);
		key[1] = bytes8(c + size - 8);
	} else if (size > 0 && size < 4) {
		key[0] = (uint64_t)(unsigned char)c[0] | (uint64_t)(unsigned char)c[size / 2] << 8 |
			 (uint64_t)(unsigned char)c[size - 1] << 16;
	} else {
		return false;
	}
	key[0] |= lower;
	key[1] |= lower;
	return true;
}

static unsigned place(const uint64_t key[2])
{
	return (unsigned)((key[0] * UINT64_C(0x9e3779b97f4a7c15) ^ key[1] * UINT64_C(0xc2b2ae3d27d4eb4f)) >>
			  (64 - LOOKUP_BITS));
}

void command_setup(void)
{
	memset(lookup, 0, sizeof(lookup));
	for (size_t i = 0; i < command_count; i++) {
		uint64_t key[2] = { 0 };
		size_t size = strlen(command_table[i].name);
		bool fits = to_key((struct kvrel_slice){ command_table[i].name, size }, key);
		assert(fits);
		(void)fits;
		unsigned at = place(key);
		while (lookup[at].command)
			at = (at + 1) % LOOKUP_SIZE;
		lookup[at] = (struct entry){ { key[0], key[1] }, size, &command_table[i] };
	}
}

const struct command *command_find(struct kvrel_slice name)
{
	uint64_t key[2];
	if (!to_key(name, key))
		return NULL;
	for (unsigned at = place(key); lookup[at].command; at = (at + 1) % LOOKUP_SIZE) {
		const struct entry *entry = &lookup[at];
		if (entry->key[0] == key[0] && entry->key[1] == key[1] && entry->size == name.size)
			return entry->command;
	}
	return NULL;
}

static void upper_case(char *to, size_t room, const char *lower)
{
	size_t i = 0;
	for (; lower[i] && i + 1 < room; i++)
		to[i] = (char)(lower[i] >= 'a' && lower[i] <= 'z' ? lower[i] & ~0x20 : lower[i]);
	to[i] = '\0';
}

static bool answer_help(struct request *request)
{
	const struct subcommand *family = request->command->family;
	struct text text = { 0 };
	size_t count = 0;
	char upper[16];
	while (family[count].name)
		count++;
	upper_case(upper, sizeof(upper), request->command->name);
	text_array(&text, 3 + 2 * count);
	text_format(&text, "+%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n", upper);
	for (size_t i = 0; i < count; i++)
		text_format(&text, "+%s\r\n+    %s\r\n", family[i].usage, family[i].summary);
	text_simple(&text, "HELP");
	text_simple(&text, "    Print this help.");
	return request_answer(request, &text);
}

/* NULL when there is none. */
static const struct subcommand *subcommand_find(const struct request *request)
{
	static const struct subcommand help = { "help", 2, answer_help, NULL, NULL };
	const struct subcommand *at = request->command->family;
	if (word_is(request->args[1], help.name))
		return &help;
	while (at->name && !word_is(request->args[1], at->name))
		at++;
	return at->name ? at : NULL;
}

bool subcommand_refused(struct request *request, bool *taken)
{
	const struct command *command = request->command;
	char upper[16];
	if (!command->family || request->count < 2)
		return false;
	struct kvrel_slice word = request->args[1];
	const struct subcommand *found = subcommand_find(request);
	if (found && arity_takes(found->arity, request->count))
		return false;
	upper_case(upper, sizeof(upper), command->name);
	if (found)
		*taken = request_error(request, "ERR wrong number of arguments for '%s|%s' command", command->name,
				       found->name);
	else
		*taken = request_error(request, "ERR unknown subcommand '%.*s'. Try %s HELP.",
				       (int)(word.size > 128 ? 128 : word.size), word.data, upper);
	return true;
}

bool subcommand_run(struct request *request)
{
	bool taken;
	return subcommand_refused(request, &taken) ? taken : subcommand_find(request)->run(request);
}
