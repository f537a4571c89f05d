/* SPDX-License-Identifier: MIT */
/*
 * Two nodes' links, each on the first of several workers: clients of both ask the other node through every worker,
 * answers come at once or from another thread, and one node stops under load. For the thread sanitizer to watch; every
 * answer is checked. A plain program, because the sanitizer cannot start under Criterion.
 */
#include "fixture.h"
#include "serving.h"

#include "base/log.h"
#include "node/dist/dist.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NODES = 2, WORKERS = 3, CLIENTS = 6, PIPELINE = 40, ROUNDS = 300, TEXT_BYTES = 96 };

struct late {
	struct kvrel_call *call;
	struct late *next;
	char text[TEXT_BYTES];
};

struct node {
	struct net *net;
	struct dist *dist;
	char name[16];
	const char *other;
	uint16_t port;
	pthread_t answerer;
	pthread_mutex_t lock;
	struct late *late;
	bool ends;
};

static struct node nodes[NODES];
static struct kvrel_api api;
static char dir[] = "/tmp/kvrel-race-XXXXXX";
static _Atomic bool stopping;
static _Atomic unsigned wrong, refused;

/* ---- what a node offers ---- */

static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[0] });
}

static void run_late(void *state, struct kvrel_call *call)
{
	struct node *node = state;
	struct late *late = malloc(sizeof(*late));
	late->call = call;
	snprintf(late->text, sizeof(late->text), "%.*s", (int)call->args[0].size, call->args[0].data);
	pthread_mutex_lock(&node->lock);
	late->next = node->late;
	node->late = late;
	pthread_mutex_unlock(&node->lock);
}

/* As a component does, it answers what it has before it ends. */
static void *answer_late(void *context)
{
	struct node *node = context;
	for (bool ends = false; !ends;) {
		pthread_mutex_lock(&node->lock);
		struct late *late = node->late;
		node->late = NULL;
		ends = node->ends;
		pthread_mutex_unlock(&node->lock);
		while (late != NULL) {
			struct late *next = late->next;
			struct kvrel_slice text = { late->text, strlen(late->text) };
			late->call->complete(late->call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = text });
			free(late);
			late = next;
		}
		usleep(200);
	}
	return NULL;
}

static const struct kvrel_op offered[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
	{ .name = "late", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_late },
};

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	return t_enter(offered, sizeof(offered) / sizeof(offered[0]), context, op, out, err);
}

/* ---- its clients' protocol: lines; the other node answers them ---- */

static void run_ask(void *state, struct kvrel_call *call)
{
	struct node *node = state;
	const struct dist_request request = {
		.node = node->other,
		.component = "t",
		.op = &offered[call->args[0].data[0] == 'l'],
		.timeout_ms = 5000,
	};
	dist_forward(node->dist, call, &request);
}

static const struct kvrel_op ask = { .name = "ask", .min_args = 1, .max_args = 1, .run = run_ask };
static struct net_op asks[NODES];

static size_t receive(struct kvrel_conn *conn, void *state, struct kvrel_slice input)
{
	const struct net_op *op = api.conn_state(conn);
	const char *at = input.data;
	const char *end = input.data + input.size;
	const char *line_end;
	(void)state;
	while ((line_end = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		struct kvrel_slice line = { at, (size_t)(line_end - at) };
		if (!api.request(conn, &op->ref, &line, 1, 0))
			break;
		at = line_end + 1;
	}
	return (size_t)(at - input.data);
}

static void encode(struct kvrel_conn *conn, void *state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	(void)conn;
	(void)state;
	(void)tag;
	if (result->status != KVREL_OK)
		api.out_bytes(out, "error: ", 7);
	api.out_bytes(out, result->bytes.data, result->bytes.size);
	api.out_bytes(out, "\n", 1);
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol), .name = "lines", .input_max = 4096, .receive = receive, .encode = encode
};

/* ---- nodes ---- */

static void call_on_seat(void *context, void (*run)(void *argument), void *argument)
{
	net_call(context, run, argument);
}

static void turn(void *context)
{
	dist_turn(context);
}

static void check(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s\n", err->message);
	exit(1);
}

static void start(unsigned index)
{
	struct node *node = &nodes[index];
	struct error err;
	const struct net_options options = { .workers = WORKERS, .max_connections = 100, .output_max_bytes = 65536 };
	node->other = nodes[1 - index].name;
	pthread_mutex_init(&node->lock, NULL);
	asks[index] = (struct net_op){ .ref = { &ask, node } };
	check(net_new(&options, &node->net, &err), &err);
	const struct dist_options links = {
		.name = node->name,
		.dir = dir,
		.heartbeat_ms = 15000,
		.seat = { net_loop(node->net), node->net, call_on_seat },
		.host = { node, enter, t_leave, t_control },
	};
	check(dist_new(&links, &node->dist, &err), &err);
	net_set_guest(node->net, turn, node->dist);
	check(net_listen(node->net, "t", &protocol, &asks[index], "127.0.0.1", 0, &node->port, &err), &err);
	net_accept(node->net, "t");
	pthread_create(&node->answerer, NULL, answer_late, node);
}

static void stop(struct node *node)
{
	net_stop_accepting(node->net);
	net_drain(node->net, 2000);
	dist_stop(node->dist, 2000);
	pthread_mutex_lock(&node->lock);
	node->ends = true;
	pthread_mutex_unlock(&node->lock);
	pthread_join(node->answerer, NULL);
	net_set_guest(node->net, NULL, NULL);
	dist_free(node->dist);
	net_free(node->net);
}

/* ---- clients ---- */

static void fill(char *requests, unsigned seed)
{
	*requests = '\0';
	for (unsigned i = 0; i < PIPELINE; i++)
		requests += sprintf(requests, "%s-%u-%u-that-may-be-too-long-for-a-slot\n",
				    (seed + i) % 3 == 0 ? "late" : "echo", seed, i);
}

/* The answers in the order of the requests; errors only once a node stops. False at the connection's end. */
static bool read_answers(FILE *from, char *requests)
{
	char *rest = NULL;
	char answer[512];
	for (char *line = strtok_r(requests, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (fgets(answer, sizeof(answer), from) == NULL) {
			atomic_fetch_add(&wrong, !atomic_load(&stopping));
			return false;
		}
		answer[strcspn(answer, "\n")] = '\0';
		if (strcmp(answer, line) == 0)
			continue;
		if (strncmp(answer, "error: ", 7) == 0 && atomic_load(&stopping)) {
			atomic_fetch_add(&refused, 1);
			continue;
		}
		fprintf(stderr, "asked '%s', got '%s'\n", line, answer);
		atomic_fetch_add(&wrong, 1);
	}
	return true;
}

static void *client(void *context)
{
	unsigned number = *(unsigned *)context;
	char requests[PIPELINE * TEXT_BYTES];
	int fd = t_connect(nodes[number % NODES].port);
	FILE *from = fdopen(fd, "r");
	for (unsigned round = 0; round < ROUNDS || (number % NODES == 0 && !atomic_load(&stopping)); round++) {
		fill(requests, number * 1000 + round);
		t_send(fd, requests);
		if (!read_answers(from, requests))
			break;
	}
	/* those of the node that stays go on while the other one stops */
	for (unsigned round = 0; round < ROUNDS / 10 && number % NODES == 0; round++) {
		fill(requests, round);
		t_send(fd, requests);
		if (!read_answers(from, requests))
			break;
	}
	fclose(from);
	return NULL;
}

int main(void)
{
	pthread_t clients[CLIENTS];
	unsigned numbers[CLIENTS];
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	if (mkdtemp(dir) == NULL)
		return 1;
	net_fill_api(&api);
	for (unsigned i = 0; i < NODES; i++)
		snprintf(nodes[i].name, sizeof(nodes[i].name), "n%u@here", i);
	for (unsigned i = 0; i < NODES; i++)
		start(i);
	for (unsigned i = 0; i < CLIENTS; i++) {
		numbers[i] = i;
		pthread_create(&clients[i], NULL, client, &numbers[i]);
	}
	for (unsigned i = 1; i < CLIENTS; i += NODES)
		pthread_join(clients[i], NULL);
	atomic_store(&stopping, true);
	stop(&nodes[1]);
	for (unsigned i = 0; i < CLIENTS; i += NODES)
		pthread_join(clients[i], NULL);
	stop(&nodes[0]);
	rmdir(dir);
	if (atomic_load(&wrong) > 0)
		return 1;
	printf("every answer right, %u refused while a node stopped\n", atomic_load(&refused));
	return 0;
}
