/* SPDX-License-Identifier: MIT */
/*
 * How a link comes about, at awkward moments: a peer of the test's making listens, answers when the test says so, or
 * not at all; names lead nowhere.
 */
#include "base/log.h"
#include "base/scope.h"
#include "node/dist/dist.h"

#include "fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 5, SETTLE_US = 30 * 1000, ASK_MS = 20 * 1000 };

static char dir[] = "/tmp/kvrel-opening-XXXXXX";
static struct dist *nodes[NODES];
static const char *const names[NODES] = { "n0@here", "n1@here", "n2@here", "n3@here", "n4@here" };
static sem_t blocked, released;

static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[0] });
}

/* The thread of n0's links stands still until the test lets it go on. */
static void run_block(void *state, struct kvrel_call *call)
{
	sem_post(&blocked);
	sem_wait(&released);
	run_echo(state, call);
}

static void run_onward(void *state, struct kvrel_call *call);
static const struct kvrel_op ops[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
	{ .name = "block", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_block },
	{ .name = "onward", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_onward },
};

static void run_onward(void *state, struct kvrel_call *call)
{
	const struct dist_request request = {
		.node = "made@here", .component = "t", .op = &ops[0], .timeout_ms = ASK_MS
	};
	(void)state;
	dist_forward(nodes[0], call, &request);
}

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	return t_enter(ops, ARRAY_LEN(ops), context, op, out, err);
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	sem_init(&blocked, 0, 0);
	sem_init(&released, 0, 0);
	for (int i = 0; i < NODES; i++)
		nodes[i] = t_start(dir, names[i], enter, 0);
}

static void tear_down(void)
{
	char command[128];
	for (int i = 0; i < NODES; i++) {
		dist_stop(nodes[i], 200);
		dist_free(nodes[i]);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(opening, .init = set_up, .fini = tear_down, .timeout = 100);

static enum kvrel_status ask(int from, const char *to, size_t op)
{
	const struct kvrel_slice args[] = { { "x", 1 } };
	const struct dist_request request = { .node = to, .component = "t", .op = &ops[op], .timeout_ms = ASK_MS };
	return dist_call(nodes[from], &request, args, 1, NULL, NULL);
}

static void keep(void *context, const struct kvrel_result *result)
{
	enum { SAID_BYTES = 512 };
	snprintf(context, SAID_BYTES, "%.*s", (int)result->bytes.size, result->bytes.data);
}

struct asking {
	pthread_t thread;
	int from;
	size_t op;
};

static void *ask_n0(void *context)
{
	const struct asking *asking = context;
	ask(asking->from, names[0], asking->op);
	return NULL;
}

static void begin_asking(struct asking *asking, int from, size_t op)
{
	*asking = (struct asking){ .from = from, .op = op };
	cr_assert_eq(pthread_create(&asking->thread, NULL, ask_n0, asking), 0);
	usleep(SETTLE_US);
}

static int made_listens(void)
{
	struct error err;
	int fd = -1;
	cr_assert_eq(control_listen(dir, "made@here.dist", &fd, &err), 0, "%s", err.message);
	return fd;
}

/* n0 finds in one wake-up: a request for the other node, that node's hello, and another request for it. */
Test(opening, may_end_between_two_requests)
{
	SCOPE(buf_done) struct buf hello = { 0 };
	SCOPE_FD int listener = made_listens();
	struct asking first, holding, second, third;
	for (int i = 1; i < NODES; i++)
		cr_assert_eq(ask(i, names[0], 0), KVREL_OK);
	begin_asking(&first, 1, 2);
	SCOPE_FD int fd = accept(listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	begin_asking(&holding, 4, 1);
	sem_wait(&blocked);
	begin_asking(&second, 2, 2);
	t_put_hello(&hello, "made@here", names[0]);
	cr_assert(t_say(fd, buf_slice(&hello)));
	usleep(SETTLE_US);
	begin_asking(&third, 3, 2);
	sem_post(&released);
	pthread_join(holding.thread, NULL);
	cr_expect_eq(ask(4, names[0], 0), KVREL_OK);
	shutdown(fd, SHUT_RDWR);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	pthread_join(third.thread, NULL);
}

/* ---- names that lead nowhere ---- */

Test(opening, by_a_host_that_nobody_knows_is_an_error, .timeout = 60)
{
	static char said[512];
	const struct dist_options options = { .name = "lost@127.0.0.1",
					      .listen = "127.0.0.1:0",
					      .cookie = SLICE("biscuit"),
					      .tls_library = TLS_PATH,
					      .heartbeat_ms = 15000,
					      .host = { NULL, enter, t_leave, t_control } };
	const struct dist_request request = { .node = "x@no-such-host.invalid", .timeout_ms = ASK_MS };
	struct dist *dist = NULL;
	struct error err;
	cr_assert_eq(dist_new(&options, &dist, &err), 0, "%s", err.message);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(dist_call(dist, &request, NULL, 0, keep, said), KVREL_ERROR);
		cr_expect_not_null(strstr(said, "node 'x@no-such-host.invalid' is unreachable: "), "%s", said);
	}
	dist_stop(dist, 200);
	dist_free(dist);
}
