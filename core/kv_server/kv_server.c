/* SPDX-License-Identifier: MIT */
/*
 * The component: ties the parser and the replies to the node's network and to the operations of kv.
 *
 * One instance a node, as components are; conn_state() of the api would lead to it, but the table of functions has to
 * be known before it can be asked, hence the one static pointer.
 */
#include "line.h"
#include "reply.h"
#include "subscriber.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE_LEAST = 64, MAX_LINE_MOST = 16 << 20 };

struct server {
	struct kvrel_node *node;
	const struct kvrel_op_ref *ops[COMMAND_COUNT];
	_Atomic size_t max_line; /* set by the main thread, read by workers */
};

static const struct kvrel_api *api;

static void closed(struct kvrel_conn *conn, void *conn_state)
{
	(void)conn;
	subscriber_done(conn_state);
}

/* Makes the request of one line. False when there is no room for it now. */
static bool submit(struct kvrel_conn *conn, struct subscriber *subscriber, const struct server *server,
		   const struct line *line)
{
	if (line->kind == LINE_UNKNOWN)
		return api->request(conn, NULL, NULL, 0, TAG_UNKNOWN);
	if (line->command == COMMAND_SUBSCRIBE)
		return subscriber_ask(api, conn, subscriber, server->ops[COMMAND_SUBSCRIBE], line->args[0]);
	const struct command_spec *spec = &command_table[line->command];
	return api->request(conn, server->ops[line->command], line->args, spec->args, line->command);
}

static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	struct server *server = api->conn_state(conn);
	size_t max_line = atomic_load_explicit(&server->max_line, memory_order_relaxed);
	size_t used = 0;
	for (;;) {
		struct line line = line_parse((struct kvrel_slice){ input.data + used, input.size - used }, max_line);
		if (line.kind == LINE_INCOMPLETE)
			return used;
		if (line.kind == LINE_TOO_LONG) {
			if (api->request(conn, NULL, NULL, 0, TAG_TOO_LONG))
				api->close_after(conn);
			return used;
		}
		if (!submit(conn, conn_state, server, &line))
			return used;
		used += line.size;
	}
}

static void encode_subscription(struct kvrel_conn *conn, struct subscriber *subscriber, uint32_t tag,
				const struct kvrel_result *result, struct kvrel_out *out)
{
	const struct server *server = api->conn_state(conn);
	const struct kvrel_op_ref *watch = server->ops[COMMAND_SUBSCRIBE];
	if (tag == COMMAND_SUBSCRIBE)
		subscriber_begin(api, conn, subscriber, watch, result, out);
	else
		subscriber_tell(api, conn, subscriber, watch, tag - TAG_CHANGES, result, out);
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	if (tag == COMMAND_SUBSCRIBE || tag >= TAG_CHANGES)
		encode_subscription(conn, conn_state, tag, result, out);
	else
		reply_write(api, out, tag, result);
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol),
	.name = "line",
	.conn_bytes = sizeof(struct subscriber),
	.input_max = MAX_LINE_MOST + 2, /* receive() is stricter */
	.receive = receive,
	.encode = encode,
	.closed = closed,
	.refusal = { "ERROR too many connections\r\n", sizeof("ERROR too many connections\r\n") - 1 },
};

/* ---- life ---- */

static int read_max_line(struct server *server)
{
	int64_t bytes = api->value_int(api->config(server->node, "max_line"));
	if (bytes < MAX_LINE_LEAST || bytes > MAX_LINE_MOST) {
		api->fail(server->node, "max_line is %lld bytes; it must be between %d and %d", (long long)bytes,
			  MAX_LINE_LEAST, MAX_LINE_MOST);
		return -1;
	}
	atomic_store_explicit(&server->max_line, (size_t)bytes, memory_order_relaxed);
	return 0;
}

static int bind_ops(struct server *server)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		server->ops[i] = api->op(server->node, command_table[i].op);
		if (!server->ops[i])
			return -1;
	}
	return 0;
}

static int listen_on(struct server *server)
{
	const char *address = api->value_string(api->config(server->node, "listen")).data;
	int64_t port = api->value_int(api->config(server->node, "port"));
	int bound = api->listen(server->node, &protocol, server, address, (uint16_t)port);
	if (bound < 0)
		return -1;
	api->log(server->node, KVREL_INFO, "Accepting connections on port %d", bound);
	return 0;
}

static int start(struct kvrel_node *node, const struct kvrel_api *node_api, void **state)
{
	struct server *server = calloc(1, sizeof(*server));
	api = node_api;
	if (!server) {
		api->fail(node, "out of memory");
		return -1;
	}
	server->node = node;
	if (read_max_line(server) != 0 || bind_ops(server) != 0 || listen_on(server) != 0) {
		free(server);
		return -1;
	}
	*state = server;
	return 0;
}

/* The node has closed listeners and connections by now. */
static void stop(void *state)
{
	free(state);
}

static int config_changed(void *state, const char *key)
{
	(void)key; /* max_line is the one that can change */
	return read_max_line(state);
}

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);

const struct kvrel_component *kvrel_component(void)
{
	static const struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = "kv_server",
		.start = start,
		.stop = stop,
		.config_changed = config_changed,
	};
	return &component;
}
