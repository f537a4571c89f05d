/* SPDX-License-Identifier: MIT */
/*
 * The component: ties the parser, the commands and the replies to the node's network and to the operations of kv. A
 * bucket is a hash; there are no other types, no expiry, and one database.
 *
 * One instance a node, as components are, hence the one static pointer to the node's functions.
 */
#include "plain.h"
#include "request.h"

#include <stdlib.h>
#include <string.h>

enum {
	REQUEST_LEAST = 16 << 10,
	REQUEST_MOST = 1 << 30,
	PATIENCE = 4096, /* shorter requests are tried at each read, so that a mistake is told at once */
};

static const struct kvrel_api *api;

/* ---- requests ---- */

/* The connection's worker alone writes it, so there is nothing to lock. */
static inline void count_command(struct session *session)
{
	uint64_t count = atomic_load_explicit(&session->commands, memory_order_relaxed);
	atomic_store_explicit(&session->commands, count + 1, memory_order_relaxed);
}

/* Pipelines repeat themselves: a short name that is written as the one before is that command again. */
static inline const struct command *find_command(struct named *before, struct kvrel_slice name)
{
	enum { PART = 4 };
	if (name.size < PART || name.size > 2 * PART)
		return command_find(name);
	uint64_t bytes = resp_word4(name.data) | (uint64_t)resp_word4(name.data + name.size - PART) << 32;
	if (bytes != before->bytes || name.size != before->size)
		*before = (struct named){ bytes, name.size, command_find(name) };
	return before->command;
}

static inline bool run(struct request *request)
{
	const struct command *command = find_command(&request->named, request->args[0]);
	request->command = command;
	atomic_store_explicit(&request->session->last, command, memory_order_relaxed);
	if (!command)
		return request_unknown(request);
	if (!arity_takes(command->arity, request->count))
		return request_wrong_arity(request);
	if (!(command->flags & COMMAND_GUEST) && request_is_guest(request->server, request->session))
		return request_unauthenticated(request);
	if (command->run)
		return command->run(request);
	return request_ask(request, request->server->ops[command - command_table], request->args + 1,
			   request->count - 1, command->shape);
}

static inline bool dispatch(struct request *request)
{
	struct session *session = request->session;
	if (session->replies == REPLY_SKIP_NEXT && session->transaction != TRANSACTION_RUNS)
		session->replies = REPLY_SKIP;
	if (!run(request))
		return false;
	count_command(session);
	if (session->replies == REPLY_SKIP)
		session->replies = REPLY_ON;
	return true;
}

static const char denied[] = "DENIED this node has no password and answers clients of its own host alone. To change "
			     "that set kv_resp.password, "
			     "or kv_resp.protected to false if the network keeps strangers out";

/* Parses and submits requests until there are no more, no room, or a transaction begins. Returns what was consumed. */
static size_t receive_all(struct request *request, struct kvrel_slice input, struct resp_request *parsed)
{
	struct session *session = request->session;
	struct resp_limits limits = {
		.request_max = atomic_load_explicit(&request->server->max_request, memory_order_relaxed),
	};
	size_t used = 0;
	for (;;) {
		struct kvrel_slice rest = { input.data + used, input.size - used };
		limits.guest = request_is_guest(request->server, session);
		switch (resp_parse(parsed, rest, &limits, &session->words)) {
		case RESP_INCOMPLETE:
			session->need = parsed->need;
			return used;
		case RESP_MISTAKE:
			request_end_mistaken(request, parsed->mistake);
			return used;
		case RESP_REQUEST:
			break;
		}
		request->args = parsed->args;
		request->count = parsed->count;
		if (parsed->count > 0 && !dispatch(request))
			return used;
		used += parsed->size;
	}
}

static size_t receive_requests(struct request *request, struct kvrel_slice input, struct resp_request *parsed)
{
	const struct session *session = request->session;
	size_t used = 0;
	for (;;) {
		if (transaction_is_open(session) && !transaction_receive(request, input, parsed, &used))
			return used;
		struct kvrel_slice rest = { input.data + used, input.size - used };
		used += receive_all(request, rest, parsed);
		if (!transaction_is_open(session))
			return used;
	}
}

static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	struct session *session = conn_state;
	struct request request = { .api = api, .server = api->conn_state(conn), .session = session, .conn = conn };
	if (input.size > PATIENCE && input.size < session->need)
		return 0;
	session->need = 0;
	atomic_store_explicit(&session->active_s, clock_s(), memory_order_relaxed);
	resp_words_free(session->words); /* the batch that looked at them has run */
	session->words = NULL;
	if (session->foreign && atomic_load_explicit(&request.server->guarded, memory_order_relaxed)) {
		request_end(&request, denied);
		return 0;
	}
	struct resp_request parsed;
	resp_request_init(&parsed);
	request.parsed = &parsed;
	size_t used = receive_requests(&request, input, &parsed);
	resp_request_done(&parsed);
	return used;
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	(void)conn_state;
	reply_write(api, conn, tag, result, out);
}

/* ---- connections ---- */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 || strcmp(address, "::1") == 0;
}

static void opened(struct kvrel_conn *conn, void *conn_state)
{
	struct server *server = api->conn_state(conn);
	struct session *session = conn_state;
	session->foreign = !is_loopback(server->address) && !is_loopback(api->conn_peer(conn));
	client_opened(server, session, conn, api->conn_peer(conn));
}

static void closed(struct kvrel_conn *conn, void *conn_state)
{
	struct server *server = api->conn_state(conn);
	struct session *session = conn_state;
	client_closed(server, session);
	resp_words_free(session->words);
}

#define REFUSAL "-ERR max number of clients reached\r\n"

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol),
	.name = "resp",
	.conn_bytes = sizeof(struct session),
	.input_max = REQUEST_MOST, /* receive() is stricter */
	.receive = receive,
	.encode = encode,
	.opened = opened,
	.closed = closed,
	.refusal = { REFUSAL, sizeof(REFUSAL) - 1 },
};

/* ---- settings ---- */

static int read_settings(struct server *server)
{
	struct kvrel_slice password = api->value_string(api->config(server->node, "password"));
	int64_t request = api->value_int(api->config(server->node, "max_request"));
	if (request < REQUEST_LEAST || request > REQUEST_MOST) {
		api->fail(server->node, "max_request is %lld bytes; it must be between %d and %d", (long long)request,
			  REQUEST_LEAST, REQUEST_MOST);
		return -1;
	}
	if (password.size > PASSWORD_MAX) {
		api->fail(server->node, "password is longer than %d bytes", PASSWORD_MAX);
		return -1;
	}
	atomic_store_explicit(&server->max_request, (size_t)request, memory_order_relaxed);
	pthread_rwlock_wrlock(&server->settings_lock);
	memcpy(server->password, password.data, password.size);
	server->password_size = password.size;
	pthread_rwlock_unlock(&server->settings_lock);
	atomic_store_explicit(&server->has_password, password.size > 0, memory_order_relaxed);
	bool wanted = api->value_bool(api->config(server->node, "protected"));
	atomic_store_explicit(&server->guarded, wanted && password.size == 0, memory_order_relaxed);
	return 0;
}

/* ---- life ---- */

static int bind_ops(struct server *server)
{
	for (size_t i = 0; i < command_count; i++) {
		if (!command_table[i].op)
			continue;
		server->ops[i] = api->op(server->node, command_table[i].op);
		if (!server->ops[i])
			return -1;
	}
	server->count_op = api->op(server->node, "kv.count");
	server->exists_op = api->op(server->node, "kv.exists");
	return server->count_op && server->exists_op ? 0 : -1;
}

static int listen_on(struct server *server)
{
	struct kvrel_slice address = api->value_string(api->config(server->node, "listen"));
	int64_t port = api->value_int(api->config(server->node, "port"));
	size_t size = address.size < sizeof(server->address) ? address.size : sizeof(server->address) - 1;
	memcpy(server->address, address.data, size);
	server->port = api->listen(server->node, &protocol, server, address.data, (uint16_t)port);
	if (server->port < 0)
		return -1;
	api->log(server->node, KVREL_INFO, "Accepting connections on port %d", server->port);
	return 0;
}

static void server_free(struct server *server)
{
	explicit_bzero(server->password, sizeof(server->password));
	pthread_rwlock_destroy(&server->settings_lock);
	pthread_mutex_destroy(&server->sessions_lock);
	free(server);
}

/* NULL without memory. */
static struct server *server_new(void)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	if (pthread_rwlock_init(&server->settings_lock, NULL) != 0) {
		free(server);
		return NULL;
	}
	pthread_mutex_init(&server->sessions_lock, NULL);
	server->started_s = clock_s();
	return server;
}

static int start(struct kvrel_node *node, const struct kvrel_api *node_api, void **state)
{
	struct server *server = server_new();
	api = node_api;
	if (!server) {
		api->fail(node, "out of memory");
		return -1;
	}
	server->node = node;
	command_setup();
	if (read_settings(server) != 0 || bind_ops(server) != 0 || listen_on(server) != 0) {
		server_free(server);
		return -1;
	}
	*state = server;
	return 0;
}

/* The node has closed listeners and connections by now. */
static void stop(void *state)
{
	server_free(state);
}

static int config_changed(void *state, const char *key)
{
	(void)key;
	return read_settings(state);
}

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);

const struct kvrel_component *kvrel_component(void)
{
	static const struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = "kv_resp",
		.start = start,
		.stop = stop,
		.config_changed = config_changed,
	};
	return &component;
}
