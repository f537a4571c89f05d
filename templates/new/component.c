/*
 * The component <%= project.name %>: a line over TCP is a name, the reply greets it. The same is offered to
 * other components and to consoles as the operation <%= project.name %>.greet. kvrel/component.h says what each
 * function may do.
 */
#include "greeting.h"

#include <kvrel/component.h>

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096, REPLY_MAX_BYTES = 2 * LINE_MAX_BYTES };
enum { TAG_GREET, TAG_TOO_LONG };

struct greeter {
	char *greeting;
};

/* The functions that the node offers; the same for every instance. */
static const struct kvrel_api *api;

/* ---- the line protocol ---- */

static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	size_t used = 0;
	(void)conn_state;
	for (;;) {
		const char *begin = input.data + used;
		const char *end = memchr(begin, '\n', input.size - used);
		if (!end && input.size - used <= LINE_MAX_BYTES)
			return used; /* the rest of the line is still on its way */
		if (!end || end - begin > LINE_MAX_BYTES) {
			if (api->request(conn, NULL, NULL, 0, TAG_TOO_LONG))
				api->close_after(conn);
			return used;
		}
		struct kvrel_slice name = { begin, (size_t)(end - begin) };
		if (name.size > 0 && name.data[name.size - 1] == '\r')
			name.size--;
		if (!api->request(conn, NULL, &name, 1, TAG_GREET))
			return used; /* no room now: it is called again */
		used += (size_t)(end - begin) + 1;
	}
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	const struct greeter *greeter = api->conn_state(conn);
	(void)conn_state;
	if (tag == TAG_TOO_LONG) {
		static const char reply[] = "ERROR line too long\r\n";
		api->out_bytes(out, reply, sizeof(reply) - 1);
		return;
	}
	char reply[REPLY_MAX_BYTES];
	size_t size =
		greeting_write(reply, sizeof(reply) - 2, greeter->greeting, result->bytes.data, result->bytes.size);
	memcpy(reply + size, "\r\n", 2);
	api->out_bytes(out, reply, size + 2);
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol),
	.name = "<%= project.name %>",
	.input_max = LINE_MAX_BYTES + 2,
	.receive = receive,
	.encode = encode,
};

/* ---- the operation ---- */

static void greet(void *state, struct kvrel_call *call)
{
	const struct greeter *greeter = state;
	char reply[REPLY_MAX_BYTES];
	struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_BYTES };
	size_t size = greeting_write(reply, sizeof(reply), greeter->greeting, call->args[0].data, call->args[0].size);
	result.bytes = (struct kvrel_slice){ reply, size };
	if (size > sizeof(reply)) {
		static const char reason[] = "the name is too long";
		result = (struct kvrel_result){ .status = KVREL_ERROR, .bytes = { reason, sizeof(reason) - 1 } };
	}
	call->complete(call, &result);
}

static const struct kvrel_op ops[] = {
	{ .name = "greet",
	  .params = "name",
	  .doc = "Greets somebody.",
	  .min_args = 1,
	  .max_args = 1,
	  .flags = KVREL_OP_READ,
	  .run = greet },
};

/* ---- its life ---- */

static int start(struct kvrel_node *node, const struct kvrel_api *node_api, void **state)
{
	struct greeter *greeter = calloc(1, sizeof(*greeter));
	api = node_api;
	if (greeter)
		greeter->greeting = strdup(api->value_string(api->config(node, "greeting")).data);
	if (!greeter || !greeter->greeting) {
		api->fail(node, "out of memory");
		free(greeter);
		return -1;
	}
	if (strlen(greeter->greeting) > LINE_MAX_BYTES / 2) {
		api->fail(node, "the greeting is longer than %d bytes", LINE_MAX_BYTES / 2);
		free(greeter->greeting);
		free(greeter);
		return -1;
	}
	int port = api->listen(node, &protocol, greeter, api->value_string(api->config(node, "listen")).data,
			       (uint16_t)api->value_int(api->config(node, "port")));
	if (port < 0) {
		free(greeter->greeting);
		free(greeter);
		return -1; /* listen() has said why */
	}
	api->log(node, KVREL_INFO, "Greeting on port %d", port);
	*state = greeter;
	return 0;
}

/* Listener and connections are closed by now. */
static void stop(void *state)
{
	struct greeter *greeter = state;
	free(greeter->greeting);
	free(greeter);
}

const struct kvrel_component *kvrel_component(void)
{
	static const struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = "<%= project.name %>",
		.ops = ops,
		.op_count = sizeof(ops) / sizeof(ops[0]),
		.start = start,
		.stop = stop,
	};
	return &component;
}
