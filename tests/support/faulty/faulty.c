/* SPDX-License-Identifier: MIT */
/* A component that fails when it is told to: at start, later, in stop, and by a crash. */
#include "kvrel/component.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FAULTY_NAME
#define FAULTY_NAME "faulty"
#endif

struct faulty {
	struct kvrel_node *node;
	const struct kvrel_api *api;
};

static const struct kvrel_api *shared_api;

/* ---- a line, an OK ---- */

static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	size_t used = 0;
	const char *end;
	(void)conn_state;
	while (used < input.size && (end = memchr(input.data + used, '\n', input.size - used))) {
		if (!shared_api->request(conn, NULL, NULL, 0, 0))
			return used;
		used = (size_t)(end - input.data) + 1;
	}
	return used;
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	(void)conn, (void)conn_state, (void)tag, (void)result;
	shared_api->out_bytes(out, "OK\n", 3);
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol),
	.name = "faulty",
	.input_max = 1024,
	.receive = receive,
	.encode = encode,
	.refusal = { "FULL\n", 5 },
};

/* ---- failing ---- */

static void run_die(void *state, struct kvrel_call *call)
{
	const struct kvrel_result nothing = { .kind = KVREL_NIL };
	struct faulty *faulty = state;
	faulty->api->failed(faulty->node, "told to die");
	call->complete(call, &nothing);
}

static void run_crash(void *state, struct kvrel_call *call)
{
	static int *volatile nowhere;
	(void)state, (void)call;
	*nowhere = 1;
}

static int __attribute__((noinline)) dig(int depth)
{
	volatile char hole[4096];
	hole[0] = (char)depth;
	return depth < 0 ? 0 : dig(depth + 1) + hole[0];
}

static void *dig_main(void *argument)
{
	struct faulty *faulty = argument;
	faulty->api->thread_begin(faulty->node);
	dig(0);
	return NULL;
}

/* In a thread of the component's own. */
static void run_overflow(void *state, struct kvrel_call *call)
{
	pthread_t thread;
	(void)call; /* never completed */
	if (pthread_create(&thread, NULL, dig_main, state) != 0)
		abort();
}

static void run_volume(void *state, struct kvrel_call *call)
{
	struct faulty *faulty = state;
	const struct kvrel_result result = {
		.kind = KVREL_INT,
		.integer = faulty->api->value_int(faulty->api->config(faulty->node, "volume")),
	};
	call->complete(call, &result);
}

static const struct kvrel_op ops[] = {
	{ .name = "die", .params = "", .doc = "the component fails", .run = run_die },
	{ .name = "crash", .params = "", .doc = "the process crashes", .run = run_crash },
	{ .name = "overflow",
	  .params = "",
	  .doc = "a thread of the component runs over its stack",
	  .run = run_overflow },
	{ .name = "volume", .params = "", .doc = "the volume now", .run = run_volume },
};

/* ---- the component ---- */

static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	static struct faulty faulty;
	const char *refuse = api->value_string(api->config(node, "refuse_file")).data;
	uint16_t port = (uint16_t)api->value_int(api->config(node, "port"));
	if (access(refuse, F_OK) == 0) {
		api->fail(node, "refused by %s", refuse);
		return -1;
	}
	shared_api = api;
	faulty = (struct faulty){ node, api };
	if (port > 0 && api->listen(node, &protocol, NULL, "127.0.0.1", port) < 0)
		return -1;
	*state = &faulty;
	return 0;
}

static void stop(void *state)
{
	struct faulty *faulty = state;
	while (faulty->api->value_bool(faulty->api->config(faulty->node, "hang_in_stop")))
		pause();
}

static int config_changed(void *state, const char *key)
{
	struct faulty *faulty = state;
	faulty->api->log(faulty->node, KVREL_INFO, "%s has a new value", key);
	return 0;
}

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);
const struct kvrel_component *kvrel_component(void)
{
	static const struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = FAULTY_NAME,
		.ops = ops,
		.op_count = sizeof(ops) / sizeof(ops[0]),
		.start = start,
		.stop = stop,
		.config_changed = config_changed,
	};
	return &component;
}
