/* SPDX-License-Identifier: MIT */
#include "front_end.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 16, OPS_MAX = 64, REQUESTS_MAX = 4096, REQUEST_ARGS = 8 };

struct kvrel_node {
	struct t_front *front;
};
struct kvrel_conn {
	struct t_front *front;
};
struct kvrel_value {
	const char *key;
	char *string;
	int64_t number;
};

struct pending {
	struct kvrel_call call; /* first */
	struct t_front *front;
	const struct kvrel_op_ref *op;
	struct kvrel_slice *args;
	char *copy; /* of the bytes of a request without an operation */
	uint32_t tag;
};

struct op {
	struct kvrel_op_ref ref; /* first */
	struct kvrel_op op;
	char name[32];
};

struct t_front {
	const struct kvrel_component *component;
	const struct kvrel_protocol *protocol;
	void *state, *protocol_state, *conn_state;
	struct kvrel_node node;
	struct kvrel_conn conn;
	const char *peer;
	t_answer_fn *answer;
	struct kvrel_value settings[SETTINGS_MAX];
	struct op ops[OPS_MAX];
	unsigned op_count;
	struct pending *pending[REQUESTS_MAX];
	unsigned pending_count, room;
	bool closed;
	struct kvrel_out rest, out, calls;
	char log[256];
};

static char failure[256];

/* ---- bytes ---- */

static char *reserve(struct kvrel_out *out, size_t size)
{
	if (!out->data || out->size + size > out->capacity) {
		out->capacity = (out->size + size) * 2;
		out->data = realloc(out->data, out->capacity + 1); /* for a NUL */
		assert(out->data);
	}
	return out->data + out->size;
}

static void commit(struct kvrel_out *out, size_t used)
{
	assert(out->size + used <= out->capacity);
	out->size += used;
}

static void append(struct kvrel_out *out, const void *data, size_t size)
{
	char *to = reserve(out, size);
	if (size > 0)
		memcpy(to, data, size);
	commit(out, size);
}

static const char *text(const struct kvrel_out *out)
{
	out->data[out->size] = '\0';
	return out->data;
}

static void clear(struct kvrel_out *out)
{
	out->size = 0;
	reserve(out, 0);
}

/* ---- api ---- */

static void api_fail(struct kvrel_node *node, const char *format, ...)
{
	va_list args;
	(void)node;
	va_start(args, format);
	vsnprintf(failure, sizeof(failure), format, args);
	va_end(args);
}

static void api_log(struct kvrel_node *node, enum kvrel_log_level level, const char *format, ...)
{
	va_list args;
	(void)level;
	va_start(args, format);
	vsnprintf(node->front->log, sizeof(node->front->log), format, args);
	va_end(args);
}

static const struct kvrel_value *api_config(struct kvrel_node *node, const char *key)
{
	for (unsigned i = 0; i < SETTINGS_MAX && node->front->settings[i].key; i++) {
		if (strcmp(node->front->settings[i].key, key) == 0)
			return &node->front->settings[i];
	}
	fprintf(stderr, "the test has no setting '%s'\n", key);
	abort();
}

static bool api_value_bool(const struct kvrel_value *value)
{
	return value->number != 0;
}

static int64_t api_value_int(const struct kvrel_value *value)
{
	return value->number;
}

static struct kvrel_slice api_value_string(const struct kvrel_value *value)
{
	return (struct kvrel_slice){ value->string, strlen(value->string) };
}

static const char *api_node_name(struct kvrel_node *node)
{
	(void)node;
	return "test@host";
}

static const struct kvrel_op_ref *api_op(struct kvrel_node *node, const char *name)
{
	struct t_front *front = node->front;
	assert(front->op_count < OPS_MAX);
	struct op *op = &front->ops[front->op_count++];
	snprintf(op->name, sizeof(op->name), "%s", name);
	op->op.name = op->name;
	op->ref.op = &op->op;
	return &op->ref;
}

static int api_listen(struct kvrel_node *node, const struct kvrel_protocol *protocol, void *protocol_state,
		      const char *address, uint16_t port)
{
	struct t_front *front = node->front;
	if (strcmp(address, "taken") == 0) {
		api_fail(node, "cannot listen on %s:%u: address already in use", address, (unsigned)port);
		return -1;
	}
	front->protocol = protocol;
	front->protocol_state = protocol_state;
	return port ? port : 40000;
}

static void *api_conn_state(struct kvrel_conn *conn)
{
	return conn->front->protocol_state;
}

static const char *api_conn_peer(struct kvrel_conn *conn)
{
	return conn->front->peer;
}

static void on_complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct pending *pending = (struct pending *)call;
	struct t_front *front = pending->front;
	front->protocol->encode(&front->conn, front->conn_state, pending->tag, result, &front->out);
}

static bool api_request(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
			uint32_t arg_count, uint32_t tag)
{
	struct t_front *front = conn->front;
	unsigned room = front->room ? front->room : REQUESTS_MAX;
	if (front->closed || front->pending_count >= room)
		return false;
	struct pending *pending = calloc(1, sizeof(*pending));
	assert(pending);
	pending->front = front;
	pending->op = op;
	pending->tag = tag;
	pending->args = calloc(arg_count + 1, sizeof(*args));
	for (uint32_t i = 0; i < arg_count; i++)
		pending->args[i] = args[i];
	if (!op && arg_count) {
		pending->copy = malloc(args[0].size + 1);
		memcpy(pending->copy, args[0].data, args[0].size);
		pending->args[0].data = pending->copy;
	}
	pending->call = (struct kvrel_call){ .args = pending->args, .arg_count = arg_count, .complete = on_complete };
	front->pending[front->pending_count++] = pending;
	return true;
}

/* What is waited for never comes on this node. */
static bool api_request_aside(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
			      uint32_t arg_count, uint32_t tag)
{
	(void)conn, (void)op, (void)args, (void)arg_count, (void)tag;
	return true;
}

static void api_close_after(struct kvrel_conn *conn)
{
	conn->front->closed = true;
}

static const struct kvrel_api api = {
	.abi = KVREL_ABI,
	.size = sizeof(api),
	.fail = api_fail,
	.log = api_log,
	.config = api_config,
	.value_bool = api_value_bool,
	.value_int = api_value_int,
	.value_string = api_value_string,
	.node_name = api_node_name,
	.op = api_op,
	.listen = api_listen,
	.conn_state = api_conn_state,
	.conn_peer = api_conn_peer,
	.request = api_request,
	.request_aside = api_request_aside,
	.close_after = api_close_after,
	.out_bytes = append,
	.out_reserve = reserve,
	.out_commit = commit,
};

/* ---- batches ---- */

static void note_call(struct t_front *front, const struct pending *pending)
{
	append(&front->calls, pending->op->op->name, strlen(pending->op->op->name));
	append(&front->calls, "(", 1);
	for (uint32_t i = 0; i < pending->call.arg_count; i++) {
		append(&front->calls, ",", i > 0);
		append(&front->calls, pending->args[i].data, pending->args[i].size);
	}
	append(&front->calls, ")\n", 2);
}

static void run_batch(struct t_front *front)
{
	for (unsigned i = 0; i < front->pending_count; i++) {
		struct pending *pending = front->pending[i];
		struct kvrel_result bytes = { .kind = KVREL_BYTES, .bytes = pending->args[0] };
		if (pending->op) {
			note_call(front, pending);
			front->answer(pending->op->op->name, &pending->call);
		} else {
			on_complete(&pending->call, pending->call.arg_count ? &bytes : NULL);
		}
		free(pending->args);
		free(pending->copy);
		free(pending);
	}
	front->pending_count = 0;
}

void t_front_feed(struct t_front *front, const void *data, size_t size)
{
	append(&front->rest, data, size);
	for (bool again = true; again && front->rest.size > 0 && !front->closed;) {
		char *input = malloc(front->rest.size);
		memcpy(input, front->rest.data, front->rest.size);
		size_t used = front->protocol->receive(&front->conn, front->conn_state,
						       (struct kvrel_slice){ input, front->rest.size });
		assert(used <= front->rest.size);
		again = front->room && front->pending_count == front->room;
		run_batch(front);
		free(input);
		memmove(front->rest.data, front->rest.data + used, front->rest.size - used);
		front->rest.size -= used;
	}
}

/* ---- life ---- */

static void disconnect(struct t_front *front)
{
	if (front->conn_state && front->protocol->closed)
		front->protocol->closed(&front->conn, front->conn_state);
	free(front->conn_state);
	front->conn_state = NULL;
}

void t_front_connect(struct t_front *front, const char *peer)
{
	disconnect(front);
	front->peer = peer;
	front->closed = false;
	front->conn_state = calloc(1, front->protocol->conn_bytes + 1);
	clear(&front->rest);
	clear(&front->out);
	clear(&front->calls);
	if (front->protocol->opened)
		front->protocol->opened(&front->conn, front->conn_state);
}

static void set(struct kvrel_value *value, const char *key, const char *string, int64_t number)
{
	free(value->string);
	*value = (struct kvrel_value){ .key = key, .string = string ? strdup(string) : NULL, .number = number };
}

struct t_front *t_front_start(const struct kvrel_component *component, const struct t_setting *settings,
			      t_answer_fn *answer, const char **why)
{
	struct t_front *front = calloc(1, sizeof(*front));
	assert(front);
	front->component = component;
	front->answer = answer;
	front->node.front = front->conn.front = front;
	for (unsigned i = 0; settings[i].key; i++)
		set(&front->settings[i], settings[i].key, settings[i].string, settings[i].number);
	failure[0] = '\0';
	if (component->start(&front->node, &api, &front->state) == 0) {
		t_front_connect(front, "127.0.0.1:50000");
		return front;
	}
	if (why)
		*why = failure;
	front->component = NULL;
	t_front_stop(front);
	return NULL;
}

void t_front_stop(struct t_front *front)
{
	if (front->protocol)
		disconnect(front);
	if (front->component)
		front->component->stop(front->state);
	for (unsigned i = 0; i < SETTINGS_MAX; i++)
		free(front->settings[i].string);
	free(front->rest.data);
	free(front->out.data);
	free(front->calls.data);
	free(front);
}

int t_front_set(struct t_front *front, const char *key, const char *string, int64_t number)
{
	for (unsigned i = 0; front->settings[i].key; i++) {
		if (strcmp(front->settings[i].key, key) == 0)
			set(&front->settings[i], front->settings[i].key, string, number);
	}
	return front->component->config_changed(front->state, key);
}

void t_front_set_room(struct t_front *front, unsigned requests)
{
	front->room = requests;
}

const char *t_front_output(const struct t_front *front, size_t *size)
{
	if (size)
		*size = front->out.size;
	return text(&front->out);
}

const char *t_front_calls(const struct t_front *front)
{
	return text(&front->calls);
}

const char *t_front_log(const struct t_front *front)
{
	return front->log;
}

bool t_front_is_closed(const struct t_front *front)
{
	return front->closed;
}
