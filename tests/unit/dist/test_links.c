/* SPDX-License-Identifier: MIT */
/*
 * Several nodes' links in one process, with an operation that echoes, one that forwards, one that is silent. Calls come
 * from the test's own thread.
 */
#include "base/log.h"
#include "base/scope.h"
#include "node/dist/dist.h"

#include "serving.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NODES = 5, ASK_MS = 20 * 1000, SOON_MS = 10 * 1000 /* on a busy machine */ };

struct t_node {
	struct dist *dist;
	char name[64];
	const char *next; /* where the forwarding operation sends to */
	_Atomic int ran;
	struct kvrel_call *held; /* of the silent operation */
};

static char dir[] = "/tmp/kvrel-dist-XXXXXX";
static struct t_node nodes[NODES];

static void run_echo(void *state, struct kvrel_call *call)
{
	struct t_node *node = state;
	node->ran++;
	const struct kvrel_result result = { .kind = KVREL_BYTES, .bytes = call->args[0] };
	call->complete(call, &result);
}

static void run_silent(void *state, struct kvrel_call *call)
{
	struct t_node *node = state;
	call->next = node->held;
	node->held = call;
	node->ran++;
}

/* As a component's stop() does. */
static void give_back_held(struct t_node *node)
{
	while (node->held != NULL) {
		struct kvrel_call *call = node->held;
		node->held = call->next;
		call->complete(call, &(struct kvrel_result){ .status = KVREL_ERROR });
	}
}

static void run_onward(void *state, struct kvrel_call *call);
static const struct kvrel_op ops[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
	{ .name = "silent", .max_args = 1, .flags = KVREL_OP_WRITE | KVREL_OP_WAITS, .run = run_silent },
	{ .name = "onward", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_onward },
};

static void run_onward(void *state, struct kvrel_call *call)
{
	const struct t_node *node = state;
	const struct dist_request request = {
		.node = node->next, .component = "t", .op = &ops[2], .timeout_ms = ASK_MS
	};
	dist_forward(node->dist, call, &request);
}

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	return t_enter(ops, ARRAY_LEN(ops), context, op, out, err);
}

static struct dist_options options_of(struct t_node *node)
{
	return (struct dist_options){
		.name = node->name, .dir = dir, .heartbeat_ms = 15000, .host = { node, enter, t_leave, t_control }
	};
}

static void start(int index)
{
	struct t_node *node = &nodes[index];
	struct error err;
	snprintf(node->name, sizeof(node->name), "n%d@here", index);
	const struct dist_options options = options_of(node);
	cr_assert_eq(dist_new(&options, &node->dist, &err), 0, "%s", err.message);
}

static void stop(int index)
{
	dist_stop(nodes[index].dist, 200);
	give_back_held(&nodes[index]);
	dist_free(nodes[index].dist);
	nodes[index].dist = NULL;
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	for (int i = 0; i < NODES; i++)
		start(i);
}

static void tear_down(void)
{
	char command[128];
	for (int i = 0; i < NODES; i++)
		stop(i);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

static char said[512];

static void keep(void *context, const struct kvrel_result *result)
{
	(void)context;
	snprintf(said, sizeof(said), "%.*s", (int)result->bytes.size, result->bytes.data);
}

static enum kvrel_status ask(int from, const char *to, size_t op, const char *text, uint32_t timeout_ms)
{
	const struct kvrel_slice args[] = { { text, strlen(text) } };
	const struct dist_request request = { .node = to, .component = "t", .op = &ops[op], .timeout_ms = timeout_ms };
	said[0] = '\0';
	return dist_call(nodes[from].dist, &request, args, 1, keep, NULL);
}

TestSuite(links, .init = set_up, .fini = tear_down, .timeout = 60);

Test(links, are_opened_by_the_first_request)
{
	SCOPE(buf_done) struct buf names = { 0 };
	dist_list(nodes[0].dist, &names);
	cr_expect_eq(names.size, 0);
	cr_expect_eq(ask(0, "n1@here", 0, "hello", ASK_MS), KVREL_OK);
	cr_expect_str_eq(said, "hello");
	dist_list(nodes[0].dist, &names);
	cr_expect_str_eq(buf_string(&names), "n1@here");
	cr_expect_eq(ask(1, "n0@here", 0, "back", ASK_MS), KVREL_OK);
	cr_expect_str_eq(said, "back");
}

Test(links, pass_a_request_over_five_nodes)
{
	for (int i = 0; i + 1 < NODES; i++)
		nodes[i].next = nodes[i + 1].name;
	nodes[NODES - 1].next = "n9@here";
	cr_expect_eq(ask(0, "n1@here", 2, "x", ASK_MS), KVREL_ERROR);
	cr_expect_str_eq(said, "node 'n9@here' is unreachable: it is not running on this host");
}

Test(links, find_a_circle_of_five_nodes)
{
	for (int i = 0; i < NODES; i++)
		nodes[i].next = nodes[(i + 1) % NODES].name;
	cr_expect_eq(ask(0, "n1@here", 2, "x", ASK_MS), KVREL_ERROR);
	cr_expect_not_null(strstr(said, "cycle"), "%s", said);
	cr_expect_not_null(strstr(said, "n3@here, n4@here, n0@here"), "%s", said);
}

Test(links, answer_at_once_when_nobody_is_there)
{
	int64_t before = dist_now_ms();
	cr_expect_eq(ask(0, "nobody@here", 0, "x", ASK_MS), KVREL_ERROR);
	cr_expect_lt(dist_now_ms() - before, SOON_MS);
	cr_expect_not_null(strstr(said, "unreachable"), "%s", said);
}

Test(links, keep_deadlines)
{
	int64_t before = dist_now_ms();
	cr_expect_eq(ask(0, "n1@here", 1, "x", 200), KVREL_ERROR);
	int64_t took = dist_now_ms() - before;
	cr_expect(took >= 190 && took < SOON_MS, "%lld ms", (long long)took);
	cr_expect_not_null(strstr(said, "the outcome is unknown"), "%s", said);
	cr_expect_eq(ask(0, "n1@here", 0, "still there", ASK_MS), KVREL_OK);
}

static void *ask_silent(void *context)
{
	(void)context;
	ask(0, "n1@here", 1, "x", 20000);
	return NULL;
}

Test(links, say_that_the_outcome_is_unknown_and_repeat_nothing)
{
	pthread_t thread;
	cr_assert_eq(pthread_create(&thread, NULL, ask_silent, NULL), 0);
	while (nodes[1].ran == 0)
		usleep(1000);
	stop(1);
	pthread_join(thread, NULL);
	cr_expect_str_eq(said, "the link to node 'n1@here' was lost before it answered: the outcome is unknown");
	start(1);
	enum kvrel_status status = KVREL_ERROR;
	for (int i = 0; i < 100 && status != KVREL_OK; i++) {
		status = ask(0, "n1@here", 0, "again", ASK_MS);
		usleep(20000);
	}
	cr_expect_eq(status, KVREL_OK);
	cr_expect_eq(nodes[1].ran, 2); /* the silent one and the last echo */
}

static enum kvrel_status ask_quietly(int from, int to)
{
	const struct kvrel_slice args[] = { { "x", 1 } };
	const struct dist_request request = {
		.node = nodes[to].name, .component = "t", .op = &ops[0], .timeout_ms = ASK_MS
	};
	return dist_call(nodes[from].dist, &request, args, 1, NULL, NULL);
}

static void *storm(void *context)
{
	int from = (int)(intptr_t)context;
	for (int i = 0; i < 200; i++) {
		for (int to = 0; to < NODES; to++) {
			if (to != from && ask_quietly(from, to) != KVREL_OK)
				return (void *)1;
		}
	}
	return NULL;
}

Test(links, become_one_when_all_are_opened_at_once)
{
	pthread_t threads[NODES];
	for (intptr_t i = 0; i < NODES; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, storm, (void *)i), 0);
	for (int i = 0; i < NODES; i++) {
		void *failed = NULL;
		pthread_join(threads[i], &failed);
		cr_expect_null(failed);
	}
	for (int i = 0; i < NODES; i++)
		cr_expect_eq(nodes[i].ran, 200 * (NODES - 1));
}

Test(links, carry_large_values)
{
	size_t size = 8 << 20;
	SCOPE_FREE char *text = malloc(size + 1);
	memset(text, 'v', size);
	text[size] = '\0';
	const struct kvrel_slice args[] = { { text, size } };
	const struct dist_request request = {
		.node = "n1@here", .component = "t", .op = &ops[0], .timeout_ms = ASK_MS
	};
	cr_expect_eq(dist_call(nodes[0].dist, &request, args, 1, NULL, NULL), KVREL_OK);
}

/* ---- by name ---- */

static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	SCOPE_FD int fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

/* On a port that was free a moment ago: somebody else may have taken it since. */
static void start_by_name(struct t_node *node, const char *name, const char *cookie)
{
	enum { TIMES = 10 };
	struct error err;
	struct dist_options options = options_of(node);
	int rc = -ERROR_EXISTS;
	options.dir = NULL;
	options.cookie = slice_of(cookie);
	options.tls_library = TLS_PATH;
	for (int i = 0; i < TIMES && rc == -ERROR_EXISTS; i++) {
		snprintf(node->name, sizeof(node->name), "%s@127.0.0.1:%u", name, (unsigned)free_port());
		rc = dist_new(&options, &node->dist, &err);
	}
	cr_assert_eq(rc, 0, "%s", err.message);
}

static void two_by_name(const char *cookie)
{
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	start_by_name(&nodes[0], "n0", "biscuit");
	start_by_name(&nodes[1], "n1", cookie);
}

Test(by_name, same_cookie_links, .timeout = 60)
{
	two_by_name("biscuit");
	cr_expect_eq(ask(0, nodes[1].name, 0, "hello", ASK_MS), KVREL_OK, "%s", said);
	cr_expect_eq(ask(1, nodes[0].name, 0, "hello", ASK_MS), KVREL_OK, "%s", said);
	stop(0);
	stop(1);
}

Test(by_name, another_cookie_is_refused_both_ways, .timeout = 60)
{
	two_by_name("cracker");
	cr_expect_eq(ask(0, nodes[1].name, 0, "hello", ASK_MS), KVREL_ERROR);
	cr_expect_not_null(strstr(said, "cookie"), "%s", said);
	cr_expect_eq(ask(1, nodes[0].name, 0, "hello", ASK_MS), KVREL_ERROR);
	cr_expect_not_null(strstr(said, "cookie"), "%s", said);
	stop(0);
	stop(1);
}

Test(by_name, half_a_handshake_of_many_keeps_nobody_out, .timeout = 60)
{
	int fds[300];
	two_by_name("biscuit");
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(dist_listening_port(nodes[1].dist)) };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		cr_assert_eq(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		cr_assert_eq(send(fds[i], "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
	}
	cr_expect_eq(ask(0, nodes[1].name, 0, "hello", ASK_MS), KVREL_OK, "%s", said);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	stop(0);
	stop(1);
}
