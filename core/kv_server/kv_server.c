/* SPDX-License-Identifier: MIT */
/*
 * The component: ties the parser and the replies to the node's network and to the operations of kv.
 *
 * One instance a node, as components are; conn_state() of the api would lead to it, but the table of functions has to
 * be known before it can be asked, hence the one static pointer.
 */
#include "line.h"
#include "reply.h"

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

/*
 * SUBSCRIBE asks kv where the changes of a bucket begin; from then on one question aside is always on its way: what
 * comes after the last change that was told? A subscriber that reads too slowly is not asked for, until kv no longer
 * has what he missed: he is told so and the connection is closed.
 *
 * Whether a SUBSCRIBE counts is decided when its reply is written, in the order of the requests: how the bytes were cut
 * on their way makes no difference. A connection follows one bucket.
 */
struct bucket_name {
	struct bucket_name *next;
	size_t size;
	char bytes[];
};

struct subscriber {
	struct bucket_name *followed;     /* NULL: none */
	struct bucket_name *first, *last; /* of SUBSCRIBE requests that are not answered */
};

static bool subscribe(struct kvrel_conn *conn, struct subscriber *subscriber, const struct server *server,
		      const struct line *line)
{
	struct bucket_name *name = malloc(sizeof(*name) + line->args[0].size);
	if (!name) {
		api->close_after(conn);
		return false;
	}
	if (!api->request(conn, server->ops[COMMAND_SUBSCRIBE], line->args, 1, COMMAND_SUBSCRIBE)) {
		free(name);
		return false;
	}
	*name = (struct bucket_name){ .size = line->args[0].size };
	memcpy(name->bytes, line->args[0].data, name->size);
	if (subscriber->last)
		subscriber->last->next = name;
	else
		subscriber->first = name;
	subscriber->last = name;
	return true;
}

static struct bucket_name *take_first(struct subscriber *subscriber)
{
	struct bucket_name *name = subscriber->first;
	subscriber->first = name->next;
	if (!subscriber->first)
		subscriber->last = NULL;
	return name;
}

static void ask_for_changes(struct kvrel_conn *conn, const struct subscriber *subscriber, int64_t number)
{
	const struct server *server = api->conn_state(conn);
	const struct bucket_name *name = subscriber->followed;
	char text[24];
	int size = snprintf(text, sizeof(text), "%lld", (long long)number);
	const struct kvrel_slice args[] = { { name->bytes, name->size }, { text, (size_t)size } };
	if (!api->request_aside(conn, server->ops[COMMAND_SUBSCRIBE], args, 2, TAG_CHANGES))
		api->close_after(conn);
}

/* The reply to SUBSCRIBE; the same bucket once more is fine and changes nothing. */
static void begin(struct kvrel_conn *conn, struct subscriber *subscriber, const struct kvrel_result *result,
		  struct kvrel_out *out)
{
	struct bucket_name *name = take_first(subscriber);
	const struct bucket_name *followed = subscriber->followed;
	bool is_new = result->status == KVREL_OK && !followed;
	bool is_other = result->status == KVREL_OK && followed &&
			(followed->size != name->size || memcmp(followed->bytes, name->bytes, name->size) != 0);
	reply_write(api, out, is_other ? TAG_SUBSCRIBED_ALREADY : COMMAND_SUBSCRIBE, result);
	if (!is_new) {
		free(name);
		return;
	}
	name->next = NULL;
	subscriber->followed = name;
	ask_for_changes(conn, subscriber, result->integer);
}

static void tell_changes(struct kvrel_conn *conn, const struct subscriber *subscriber,
			 const struct kvrel_result *result, struct kvrel_out *out)
{
	reply_write(api, out, TAG_CHANGES, result);
	if (result->status == KVREL_OK && result->count > 0)
		ask_for_changes(conn, subscriber, result->items[0].integer);
	else
		api->close_after(conn);
}

static void closed(struct kvrel_conn *conn, void *conn_state)
{
	struct subscriber *subscriber = conn_state;
	(void)conn;
	while (subscriber->first)
		free(take_first(subscriber));
	free(subscriber->followed);
	subscriber->followed = NULL;
}

/* Makes the request of one line. False when there is no room for it now. */
static bool submit(struct kvrel_conn *conn, struct subscriber *subscriber, const struct server *server,
		   const struct line *line)
{
	if (line->kind == LINE_UNKNOWN)
		return api->request(conn, NULL, NULL, 0, TAG_UNKNOWN);
	if (line->command == COMMAND_SUBSCRIBE)
		return subscribe(conn, subscriber, server, line);
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

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	if (tag == COMMAND_SUBSCRIBE)
		begin(conn, conn_state, result, out);
	else if (tag == TAG_CHANGES)
		tell_changes(conn, conn_state, result, out);
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
