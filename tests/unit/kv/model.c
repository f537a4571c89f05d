/* SPDX-License-Identifier: MIT */
/*
 * The durable engine against the memory engine, which does the obvious thing: the same random requests, in the same
 * batches, and the same answers. Memtables come and go meanwhile, the store is stopped and started, listings go on step
 * by step while what they list changes, and keys and values have the sizes at which something else begins.
 *
 *	kv_model [--batches N] [--seed N]
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BATCH_MAX = 12,
	ARGS_MAX = 10,
	BUCKETS = 6,
	SCANS = 4,
	VALUE_MAX = 200000, /* a request fits into a segment */
	MATERIAL = 1 << 20, /* values are pieces of it */
	ARENA = 4 << 10
};

enum form { NONE, NAME, NAMES, KEY, KEYS, PAIR, PAIRS, DELTA, PATTERN };

static const struct {
	const char *op;
	enum form form;
	unsigned weight;
} kinds[] = {
	{ "hset", PAIRS, 80 },  { "put", PAIR, 48 },       { "hsetnx", PAIR, 24 }, { "hincrby", DELTA, 32 },
	{ "hdel", KEYS, 40 },   { "delete", KEY, 40 },     { "hget", KEY, 48 },    { "get", KEY, 48 },
	{ "hmget", KEYS, 24 },  { "hexists", KEY, 16 },    { "hstrlen", KEY, 16 }, { "hlen", NAME, 24 },
	{ "hgetall", NAME, 8 }, { "hkeys", NAME, 8 },      { "hvals", NAME, 8 },   { "keys", NAME, 8 },
	{ "create", NAME, 8 },  { "drop", NAMES, 1 },      { "exists", NAMES, 8 }, { "count", NONE, 8 },
	{ "buckets", NONE, 8 }, { "buckets", PATTERN, 8 },
};

/* A listing that is under way, in both. */
struct scan {
	char op[8], bucket[32], pattern[8], count[8];
	char cursors[2][32];
};

struct requests {
	struct t_request items[BATCH_MAX];
	struct kvrel_slice args[BATCH_MAX][ARGS_MAX];
	unsigned count;
	char arena[ARENA];
	size_t used;
};

static struct t_engine durable, memory;
static struct requests requests;
static struct scan scans[SCANS];
static char *material, dir[256];
static unsigned random_state;
static unsigned long batch_number;

static unsigned pick(unsigned below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % below;
}

static void give_up(const char *what, const char *got, const char *expected)
{
	fprintf(stderr, "kv_model: batch %lu: %s\ndurable: %.300s\nmemory:  %.300s\n", batch_number, what, got,
		expected);
	for (unsigned i = 0; i < requests.count; i++) {
		fprintf(stderr, "  %s", requests.items[i].op);
		for (unsigned k = 0; k < requests.items[i].arg_count; k++)
			fprintf(stderr, " [%zu]%.*s", requests.args[i][k].size,
				(int)(requests.args[i][k].size < 24 ? requests.args[i][k].size : 24),
				requests.args[i][k].data);
		fputc('\n', stderr);
	}
	exit(1);
}

/* ---- what is asked for ----------------------------------------------------------------------------------------- */

static struct kvrel_slice keep(const void *bytes, size_t size)
{
	char *at = requests.arena + requests.used;

	memcpy(at, bytes, size);
	requests.used += size;
	return (struct kvrel_slice){ at, size };
}

static struct kvrel_slice bucket_name(void)
{
	char name[16];
	unsigned bucket = pick(BUCKETS);

	return bucket == 0 ? keep("", 0) : keep(name, (size_t)sprintf(name, "%.*s", (int)bucket, "bbbbbbbb"));
}

/*
 * Long ones differ at their beginning: the durable engine lists those of one beginning in the order of digests, which
 * is not the model's.
 */
static struct kvrel_slice key_name(void)
{
	static const struct kvrel_slice odd[] = { { "", 0 },         { "\0", 1 },  { "\0\0", 2 }, { "\xff", 1 },
						  { "\xff\xff", 2 }, { "a", 1 },   { "a\0", 2 },  { "aa", 2 },
						  { "*", 1 },        { "\r\n", 2 } };
	static const size_t sizes[] = { 8, 9, 487, 488, 489, 490, 504, 505, 506, 510, 511, 512, 513, 65535 };
	char key[16];

	if (pick(3) == 0)
		return odd[pick(sizeof(odd) / sizeof(odd[0]))];
	if (pick(4) == 0) {
		size_t size = sizes[pick(pick(4) == 0 ? 14 : 13)];

		return (struct kvrel_slice){ material + MATERIAL - 65535 - 256 * size / 64, size };
	}
	return keep(key, (size_t)sprintf(key, "key%u", pick(200)));
}

static struct kvrel_slice value(void)
{
	char number[16];
	size_t size = pick(40) == 0 ? pick(VALUE_MAX) : pick(8) == 0 ? 1000 + pick(3000) : pick(200);

	if (pick(4) == 0)
		return keep(number, (size_t)sprintf(number, "%d", (int)pick(2000) - 1000));
	return (struct kvrel_slice){ material + pick(1000), size };
}

static struct kvrel_slice delta(void)
{
	static const struct kvrel_slice odd[] = {
		{ "9223372036854775807", 19 }, { "-9223372036854775808", 20 }, { "x", 1 }, { "", 0 }, { "-0", 2 }
	};
	char number[16];

	return pick(10) == 0 ? odd[pick(5)] : keep(number, (size_t)sprintf(number, "%d", (int)pick(200) - 100));
}

static unsigned kind_at_random(void)
{
	unsigned sum = 0, at;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += kinds[i].weight;
	at = pick(sum);
	for (unsigned i = 0;; i++) {
		if (at < kinds[i].weight)
			return i;
		at -= kinds[i].weight;
	}
}

static void add_request(void)
{
	unsigned kind = kind_at_random(), some = 1 + pick(4), count = 0;
	struct kvrel_slice *args = requests.args[requests.count];
	enum form form = kinds[kind].form;

	if (form >= NAME && form != PATTERN)
		args[count++] = bucket_name();
	for (unsigned i = 1; form == NAMES && i < some; i++)
		args[count++] = bucket_name();
	for (unsigned i = 0; form >= KEY && form <= DELTA && i < (form == KEYS || form == PAIRS ? some : 1); i++) {
		args[count++] = key_name();
		if (form == PAIR || form == PAIRS)
			args[count++] = value();
	}
	if (form == DELTA)
		args[count++] = delta();
	if (form == PATTERN)
		args[count++] = (struct kvrel_slice){ "bb*", 3 };
	requests.items[requests.count++] = (struct t_request){ .op = kinds[kind].op, .args = args, .arg_count = count };
}

/* ---- comparing ------------------------------------------------------------------------------------------------- */

static void compare(const char *what, uint32_t worker)
{
	char *expected = strdup(t_batch(&memory, worker, requests.items, requests.count));
	const char *got = t_batch(&durable, worker, requests.items, requests.count);

	if (strcmp(got, expected) != 0)
		give_up(what, got, expected);
	free(expected);
}

static void run_batch(void)
{
	unsigned count = 1 + pick(BATCH_MAX);

	requests.count = 0;
	requests.used = 0;
	while (requests.count < count)
		add_request();
	compare("they answer differently", pick(2));
}

/* One step. "OK [<cursor>, <items>]": the items are the same, the cursors are each engine's own. What follows those. */
static const char *step(struct scan *scan, struct t_engine *t, unsigned which)
{
	struct kvrel_slice args[] = { { scan->bucket, strlen(scan->bucket) },
				      { scan->cursors[which], strlen(scan->cursors[which]) },
				      { scan->pattern, strlen(scan->pattern) },
				      { scan->count, strlen(scan->count) } };
	unsigned first = strcmp(scan->op, "scan") == 0;
	const char *text = t_call_slices(t, 0, scan->op, args + first, 4 - first), *comma = strchr(text, ',');

	if (comma == NULL || sscanf(text, "OK [%31[0-9]", scan->cursors[which]) != 1)
		give_up("a step of a listing failed", text, "");
	return comma;
}

static void go_on(struct scan *scan)
{
	const char *got;
	char *expected;

	if (strcmp(scan->cursors[0], "0") == 0 || scan->op[0] == '\0') {
		snprintf(scan->op, sizeof(scan->op), "%s", pick(5) == 0 ? "scan" : "hscan");
		snprintf(scan->bucket, sizeof(scan->bucket), "%.*s", (int)pick(BUCKETS), "bbbbbbbb");
		snprintf(scan->pattern, sizeof(scan->pattern), "%s", pick(2) == 0 ? "*" : "*1*");
		snprintf(scan->count, sizeof(scan->count), "%u", 1 + pick(20));
		strcpy(scan->cursors[0], "0");
		strcpy(scan->cursors[1], "0");
	}
	requests.count = 0;
	expected = strdup(step(scan, &memory, 1));
	got = step(scan, &durable, 0);
	if (strcmp(got, expected) != 0 || (scan->cursors[0][0] == '0') != (scan->cursors[1][0] == '0'))
		give_up("they list differently", got, expected);
	free(expected);
}

/* ---- */

static void open_durable(void)
{
	struct kv_error err = { "" };

	memset(&durable, 0, sizeof(durable));
	durable.options = t_options(&durable, dir);
	durable.options.checkpoint_ms = 1 + pick(100);
	durable.options.durability = (enum engine_durability)pick(3);
	durable.options.cache_size = pick(4) == 0 ? 0 : 1 << 14;
	if (engine_durable_open(&durable.options, &durable.engine, &err) != 0)
		give_up("cannot open", err.message, "");
}

static void reopen(void)
{
	const char *answer = t_call_slices(&durable, KVREL_NO_WORKER, "verify", NULL, 0);

	requests.count = 0;
	if (strcmp(answer, "OK nil") != 0)
		give_up("it is not sound", answer, "");
	t_close(&durable);
	open_durable();
	for (unsigned i = 0; i < SCANS; i++)
		scans[i].op[0] = '\0'; /* cursors end with the process */
}

static unsigned long number_after(int argc, char **argv, const char *option, unsigned long otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return strtoul(argv[i + 1], NULL, 10);
	return otherwise;
}

int main(int argc, char **argv)
{
	unsigned long batches = number_after(argc, argv, "--batches", 4000),
		      seed = number_after(argc, argv, "--seed", (unsigned long)time(NULL));

	fprintf(stderr, "kv_model: seed %lu\n", seed);
	random_state = (unsigned)seed;
	material = malloc(MATERIAL);
	if (material == NULL)
		return 1;
	for (size_t i = 0; i < MATERIAL; i++)
		material[i] = (char)(i < VALUE_MAX + 1000 ? 'a' + pick(26) : 'A' + i / 256 % 26);
	t_make_dir(dir);
	t_open_memory(&memory);
	open_durable();
	for (batch_number = 0; batch_number < batches; batch_number++) {
		run_batch();
		if (pick(3) == 0)
			go_on(&scans[pick(SCANS)]);
		if (pick(600) == 0)
			reopen();
	}
	t_close(&durable);
	t_close(&memory);
	t_remove(dir);
	free(material);
	return 0;
}
