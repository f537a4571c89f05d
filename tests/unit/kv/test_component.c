/* SPDX-License-Identifier: MIT */
/* The component under a node of paper: settings, start and stop, routing, settings that change. */
#include "driver.h"

#include "kv.h"
#include "router.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values of paper ------------------------------------------------------------------------------------------ */

struct kvrel_value {
	enum kvrel_value_type type;
	const char *string;
	int64_t integer;
	const struct kvrel_value *items; /* of a list; of a map: range, node */
	size_t count;
	const char *origin;
};

static enum kvrel_value_type value_type(const struct kvrel_value *value)
{
	return value->type;
}

static int64_t value_int(const struct kvrel_value *value)
{
	return value->integer;
}

static struct kvrel_slice value_string(const struct kvrel_value *value)
{
	return (struct kvrel_slice){ value->string, strlen(value->string) };
}

static size_t value_count(const struct kvrel_value *value)
{
	return value->count;
}

static const struct kvrel_value *value_item(const struct kvrel_value *list, size_t index)
{
	return &list->items[index];
}

static const struct kvrel_value *value_get(const struct kvrel_value *map, const char *key)
{
	size_t index = strcmp(key, "range") == 0 ? 0 : 1;

	return index < map->count ? &map->items[index] : NULL;
}

static const char *value_origin(const struct kvrel_value *value, char *out, size_t size)
{
	snprintf(out, size, "%s", value->origin != NULL ? value->origin : "releases.yaml:9:7");
	return out;
}

#define STRING(text) \
	{ \
		.type = KVREL_VALUE_STRING, .string = (text) \
	}
#define ENTRY(range, node) \
	{ \
		.type = KVREL_VALUE_MAP, .items = (const struct kvrel_value[]){ STRING(range), STRING(node) }, \
		.count = 2 \
	}
#define TABLE(...) \
	(const struct kvrel_value) \
	{ \
		.type = KVREL_VALUE_LIST, .items = (const struct kvrel_value[]){ __VA_ARGS__ }, \
		.count = sizeof((const struct kvrel_value[]){ __VA_ARGS__ }) / sizeof(struct kvrel_value) \
	}

/* ---- the node ------------------------------------------------------------------------------------------------- */

struct kvrel_node {
	char dir[256], failure[1024], log[1024];
	const struct kvrel_value *routing_table;
	const char *durability, *engine;
};

static struct kvrel_node node;

static void fail(struct kvrel_node *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(n->failure, sizeof(n->failure), format, args);
	va_end(args);
}

static void node_log(struct kvrel_node *n, enum kvrel_log_level level, const char *format, ...)
{
	va_list args;

	(void)level;
	va_start(args, format);
	vsnprintf(n->log, sizeof(n->log), format, args);
	va_end(args);
}

static const struct kvrel_value *config(struct kvrel_node *n, const char *key)
{
	static struct kvrel_value value;

	value = (struct kvrel_value){ .type = KVREL_VALUE_STRING, .string = "kv" };
	if (strcmp(key, "routing_table") == 0)
		return n->routing_table;
	if (strcmp(key, "durability") == 0)
		value.string = n->durability;
	else if (strcmp(key, "engine") == 0)
		value.string = n->engine;
	else if (strcmp(key, "data_dir") != 0)
		value = (struct kvrel_value){ .type = KVREL_VALUE_INT, .integer = 4 << 20 };
	return &value;
}

static const char *node_name(struct kvrel_node *n)
{
	(void)n;
	return "foo@host";
}

static const char *data_dir(struct kvrel_node *n)
{
	return n->dir;
}

static uint32_t worker_count(struct kvrel_node *n)
{
	(void)n;
	return 2;
}

static void thread_begin(struct kvrel_node *n)
{
	(void)n;
}

static const struct kvrel_api api = {
	.abi = KVREL_ABI,
	.size = sizeof(api),
	.fail = fail,
	.failed = fail,
	.log = node_log,
	.config = config,
	.value_type = value_type,
	.value_int = value_int,
	.value_string = value_string,
	.value_count = value_count,
	.value_item = value_item,
	.value_get = value_get,
	.value_origin = value_origin,
	.node_name = node_name,
	.data_dir = data_dir,
	.worker_count = worker_count,
	.thread_begin = thread_begin,
};

const struct kvrel_component *kvrel_component(void);

static void up(void)
{
	memset(&node, 0, sizeof(node));
	t_make_dir(node.dir);
	node.durability = "always";
	node.engine = "durable";
}

static void down(void)
{
	t_remove(node.dir);
}

TestSuite(component, .init = up, .fini = down);

static char answer[600];

static void take(struct kvrel_call *call, const struct kvrel_result *result)
{
	(void)call;
	if (result->kind == KVREL_INT)
		snprintf(answer, sizeof(answer), "%d %lld", (int)result->status, (long long)result->integer);
	else
		snprintf(answer, sizeof(answer), "%d %.*s", (int)result->status, (int)result->bytes.size,
			 result->bytes.size > 0 ? result->bytes.data : "");
}

static const char *run_op(void *state, const char *name, struct kvrel_call *call)
{
	for (size_t i = 0; i < kv_op_count; i++) {
		if (strcmp(kv_ops[i].name, name) == 0) {
			call->op = &kv_ops[i];
			kv_ops[i].run(state, call);
		}
	}
	return answer;
}

/* With the memory engine, so that the answer is there at once. */
static const char *ask(void *state, const char *name, const char *bucket, const char *key)
{
	struct kvrel_slice args[] = { { bucket, strlen(bucket) }, { key, key != NULL ? strlen(key) : 0 } };
	struct kvrel_call call = { .args = args, .arg_count = key != NULL ? 2 : 1, .complete = take };

	return run_op(state, name, &call);
}

Test(component, has_the_abi_and_the_name_that_the_node_looks_for)
{
	const struct kvrel_component *component = kvrel_component();

	cr_expect_eq(component->abi, KVREL_ABI);
	cr_expect_eq(component->size, sizeof(*component));
	cr_expect_str_eq(component->name, "kv");
	cr_expect_eq(component->op_count, kv_op_count);
}

Test(component, documents_every_operation)
{
	for (size_t i = 0; i < kv_op_count; i++) {
		const struct kvrel_op *op = &kv_ops[i];

		cr_expect(strlen(op->name) > 0 && strlen(op->doc) > 10 && op->params != NULL, "%s", op->name);
		cr_expect(op->min_args <= op->max_args && op->run != NULL, "%s", op->name);
		uint32_t kind = op->flags & ~(uint32_t)KVREL_OP_WAITS;
		cr_expect(kind == KVREL_OP_READ || kind == KVREL_OP_WRITE, "%s", op->name);
	}
}

Test(component, starts_and_stops_and_starts_again)
{
	void *state = NULL;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(kvrel_component()->start(&node, &api, &state), 0, "%s", node.failure);
		kvrel_component()->stop(state);
	}
	cr_expect_str_eq(node.failure, "");
}

Test(component, routes_by_the_first_byte_and_the_first_match)
{
	const struct kvrel_value table =
		TABLE(ENTRY("m-p", "bar@host"), ENTRY("a-z", "self"), ENTRY("0x00-0x1f", "foo@host"));
	void *state = NULL;

	node.routing_table = &table;
	node.engine = "memory";
	cr_assert_eq(kvrel_component()->start(&node, &api, &state), 0, "%s", node.failure);
	cr_expect_str_eq(ask(state, "create", "apple", NULL), "0 ");
	cr_expect_str_eq(ask(state, "create", "", NULL), "0 ");
	cr_expect_str_eq(ask(state, "get", "milk", "k"),
			 "3 node 'bar@host' is unreachable: there are no links to other nodes");
	cr_expect_str_eq(ask(state, "get", "9\n9", "k"), "3 no node for bucket '9?9'");
	cr_expect_str_eq(ask(state, "exists", "apple", "milk"),
			 "3 node 'bar@host' is unreachable: there are no links to other nodes");
	kvrel_component()->stop(state);
}

/* Links of paper: bar says that it has all that it is asked for, others are down. Notes what each was asked. */
static char asked[300];

static void forward(struct kvrel_node *n, struct kvrel_call *call, const char *target, uint32_t timeout_ms)
{
	static const char down_text[] = "it is down";
	size_t size = strlen(asked);
	struct kvrel_result result = { .kind = KVREL_INT, .integer = call->arg_count };

	(void)n;
	(void)timeout_ms;
	size += (size_t)snprintf(asked + size, sizeof(asked) - size, "%s:", target);
	for (uint32_t i = 0; i < call->arg_count; i++)
		size += (size_t)snprintf(asked + size, sizeof(asked) - size, " %.*s", (int)call->args[i].size,
					 call->args[i].data);
	snprintf(asked + size, sizeof(asked) - size, ";");
	if (strcmp(target, "bar@host") != 0)
		result = (struct kvrel_result){ .status = KVREL_ERROR,
						.kind = KVREL_BYTES,
						.bytes = { down_text, sizeof(down_text) - 1 } };
	call->complete(call, &result);
}

/* name of the operation, then its arguments, separated by spaces */
static const char *ask_many(void *state, const char *text)
{
	static char copy[200];
	struct kvrel_slice args[20];
	struct kvrel_call call = { .args = args, .complete = take };
	char *save = NULL, *name = strtok_r(strcpy(copy, text), " ", &save);

	for (char *word; (word = strtok_r(NULL, " ", &save)) != NULL;)
		args[call.arg_count++] = (struct kvrel_slice){ word, strlen(word) };
	asked[0] = answer[0] = '\0';
	return run_op(state, name, &call);
}

Test(component, splits_a_request_for_buckets_of_several_nodes)
{
	const struct kvrel_value table = TABLE(ENTRY("a-f", "self"), ENTRY("g-h", "bar@host"), ENTRY("i", "baz@host"),
					       ENTRY("j", "qux@host"), ENTRY("k-z", "bar@host"));
	struct kvrel_api linked = api;
	void *state = NULL;

	linked.forward = forward;
	node.routing_table = &table;
	node.engine = "memory";
	cr_assert_eq(kvrel_component()->start(&node, &linked, &state), 0, "%s", node.failure);
	ask_many(state, "create apple");
	cr_expect_str_eq(ask_many(state, "exists apple bread apple"), "0 2");
	cr_expect_str_eq(asked, "");
	cr_expect_str_eq(ask_many(state, "exists milk zoo"), "0 2");
	cr_expect_str_eq(asked, "bar@host: milk zoo;");
	cr_expect_str_eq(ask_many(state, "exists zoo apple grapes bread zoo"), "0 4");
	cr_expect_str_eq(asked, "bar@host: zoo grapes zoo;");
	cr_expect_str_eq(ask_many(state, "exists apple ink milk"), "3 it is down");
	cr_expect_str_eq(ask_many(state, "drop apple 9 milk"), "3 no node for bucket '9'");
	cr_expect_str_eq(asked, "");
	cr_expect_str_eq(ask_many(state, "drop ink apple milk jam"),
			 "3 it is down (and 1 more failed); other nodes did their part: 2");
	cr_expect_str_eq(ask_many(state, "exists apple"), "0 0");
	kvrel_component()->stop(state);
}

Test(component, takes_a_new_routing_table_while_it_runs)
{
	const struct kvrel_value before = TABLE(ENTRY("0x00-0xff", "self")),
				 after = TABLE(ENTRY("0x00-0xff", "bar@host")), wrong = TABLE(ENTRY("z-a", "self"));
	void *state = NULL;

	node.routing_table = &before;
	node.engine = "memory";
	cr_assert_eq(kvrel_component()->start(&node, &api, &state), 0);
	cr_expect_str_eq(node.log, "");
	cr_expect_str_eq(ask(state, "create", "apple", NULL), "0 ");
	node.routing_table = &after;
	cr_expect_eq(kvrel_component()->config_changed(state, "routing_table"), 0);
	cr_expect_eq(ask(state, "create", "apple", NULL)[0], '3');
	node.routing_table = &wrong;
	cr_expect_eq(kvrel_component()->config_changed(state, "routing_table"), -1);
	cr_expect_eq(ask(state, "create", "apple", NULL)[0], '3');
	kvrel_component()->stop(state);
}

Test(component, refuses_what_is_no_routing_table_and_says_where)
{
	const struct {
		struct kvrel_value entry;
		const char *message;
	} cases[] = {
		{ ENTRY("z-a", "self"),
		  "releases.yaml:9:7: 'z-a' is not a range of first characters: write a-m, or 0x80-0xff" },
		{ ENTRY("", "self"),
		  "releases.yaml:9:7: '' is not a range of first characters: write a-m, or 0x80-0xff" },
		{ ENTRY("abc", "self"),
		  "releases.yaml:9:7: 'abc' is not a range of first characters: write a-m, or 0x80-0xff" },
		{ ENTRY("a-m", "foo"), "releases.yaml:9:7: 'foo' is not a node: write self, or a name like foo@host" },
		{ ENTRY("a-m", "a b@c"),
		  "releases.yaml:9:7: 'a b@c' is not a node: write self, or a name like foo@host" },
		{ STRING("a-m"), "releases.yaml:9:7: an entry of kv.routing_table is {range: a-m, node: foo@host}" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kvrel_value table = { .type = KVREL_VALUE_LIST, .items = &cases[i].entry, .count = 1 };
		struct router *router;
		struct kv_error err;

		cr_assert_eq(router_new(&api, &table, "foo@host", &router, &err), -1);
		cr_expect_str_eq(err.message, cases[i].message);
	}
}

Test(component, changes_its_durability_while_it_runs)
{
	void *state = NULL;

	cr_assert_eq(kvrel_component()->start(&node, &api, &state), 0);
	node.durability = "everysec";
	cr_expect_eq(kvrel_component()->config_changed(state, "durability"), 0);
	kvrel_component()->stop(state);
}
