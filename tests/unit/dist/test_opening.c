/* SPDX-License-Identifier: MIT */
/*
 * How a link comes about and ends, at awkward moments: a peer of the test's making listens, answers when the test says
 * so, or not at all, or lies; names lead nowhere.
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

enum { NODES = 5, SETTLE_US = 30 * 1000, ASK_MS = 20 * 1000, SAID_BYTES = 512 };

static char dir[] = "/tmp/kvrel-opening-XXXXXX";
static struct dist *nodes[NODES];
static const char *const names[NODES] = { "n0@here", "n1@here", "n2@here", "n3@here", "n4@here" };
static sem_t blocked, released;
static _Atomic bool arguments_were_good = true;

/* Every argument here is an x. */
static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	arguments_were_good &= call->args[0].size == 1 && call->args[0].data[0] == 'x';
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
	snprintf(context, SAID_BYTES, "%.*s", (int)result->bytes.size, result->bytes.data);
}

struct asking {
	pthread_t thread;
	int from;
	size_t op;
	enum kvrel_status status;
	char said[SAID_BYTES];
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

/* The node keeps the beginning of a frame; what is asked for there runs, though a lie behind it ends the link. */
Test(opening, may_be_followed_by_requests_and_a_lie)
{
	enum { REQUESTS = 20, FIRST_BYTES = 7 };
	const struct kvrel_slice x = { "x", 1 };
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE_FD int fd = t_connect_to(dir, names[0]);
	char said[256];
	t_put_hello(&out, "evil@here", names[0]);
	size_t at = out.size + FIRST_BYTES;
	for (uint64_t i = 0; i < REQUESTS; i++)
		cr_assert(frame_add_request(&out, &(struct frame_open){ 0 },
					    &(struct frame_request){ .id = i,
								     .trace = i,
								     .timeout_ms = ASK_MS,
								     .op = SLICE("t.echo"),
								     .args = &x,
								     .arg_count = 1 }));
	frame_put(&out, (enum frame_type)'?', SLICE("hello"));
	cr_assert(t_say(fd, (struct slice){ out.data, at }));
	cr_assert_gt(recv(fd, said, sizeof(said), 0), 0); /* it has read that */
	cr_assert(t_say(fd, (struct slice){ out.data + at, out.size - at }));
	t_hear(fd, -1);
	cr_expect_eq(ask(1, names[0], 0), KVREL_OK);
	cr_expect(arguments_were_good);
}

/* ---- put off ---- */

static void *ask_made(void *context)
{
	struct asking *asking = context;
	const struct dist_request request = { .node = "made@here", .timeout_ms = ASK_MS };
	asking->status = dist_call(nodes[0], &request, NULL, 0, keep, asking->said);
	return NULL;
}

static void begin_asking_made(struct asking *asking)
{
	*asking = (struct asking){ .from = 0 };
	cr_assert_eq(pthread_create(&asking->thread, NULL, ask_made, asking), 0);
}

/* The next whole frame of a link; false at its end. */
static bool hear(int fd, struct buf *in, char *type, struct slice *payload, size_t *consumed)
{
	char piece[4096];
	ssize_t n = 1;
	while (frame_next(buf_slice(in), FRAME_MAX, type, payload, consumed) != 1 &&
	       (n = recv(fd, piece, sizeof(piece), 0)) > 0)
		buf_append(in, piece, (size_t)n);
	return n > 0;
}

/* As made@here: lets n0 in and answers so many requests. */
static void serve_made(int fd, unsigned count)
{
	const struct kvrel_result yes = { .kind = KVREL_NIL };
	SCOPE(buf_done) struct buf in = { 0 };
	SCOPE(buf_done) struct buf out = { 0 };
	struct frame_request request;
	struct slice payload, rest;
	size_t consumed;
	char type;
	t_put_hello(&out, "made@here", names[0]);
	cr_assert(t_say(fd, buf_slice(&out)));
	while (count > 0) {
		cr_assert(hear(fd, &in, &type, &payload, &consumed));
		buf_clear(&out);
		for (bool whole = type == FRAME_REQUESTS && frame_get_shared(payload, &request, &rest);
		     whole && rest.size > 0; count--) {
			whole = frame_get_request(&rest, &request);
			frame_add_reply(&out, &(struct frame_open){ 0 }, request.id, &yes);
		}
		buf_consume(&in, consumed);
		cr_assert(t_say(fd, buf_slice(&out)));
	}
}

static void expect_answered(struct asking *asking)
{
	pthread_join(asking->thread, NULL);
	cr_expect_eq(asking->status, KVREL_OK, "%s", asking->said);
}

/* The other side's link counts, which never comes: n0 tries again, and nobody hears of it. */
Test(opening, twice_fails_no_request)
{
	SCOPE(buf_done) struct buf in = { 0 };
	SCOPE(buf_done) struct buf twice = { 0 };
	SCOPE_FD int listener = made_listens();
	struct slice payload;
	size_t consumed;
	char type;
	struct asking first, second;
	begin_asking_made(&first);
	{
		SCOPE_FD int fd = accept(listener, NULL, NULL);
		cr_assert(fd >= 0 && hear(fd, &in, &type, &payload, &consumed));
		cr_expect_eq(type, FRAME_HELLO);
		frame_put(&twice, FRAME_TWICE, (struct slice){ 0 });
		cr_assert(t_say(fd, buf_slice(&twice)));
		cr_expect_eq(recv(fd, &type, 1, 0), 0);
	}
	begin_asking_made(&second); /* while it waits */
	SCOPE_FD int fd = accept(listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	serve_made(fd, 2);
	expect_answered(&first);
	expect_answered(&second);
}

/* More want to connect than there is room for: the next one waits its turn. */
Test(opening, may_take_its_time)
{
	enum { MOST = 1024 };
	static int fds[MOST];
	unsigned count = 0;
	struct error err;
	SCOPE_FD int listener = made_listens();
	struct asking first;
	while (count < MOST && control_connect_now(dir, "made@here.dist", &fds[count], &err) == 0)
		count++;
	cr_assert(count < MOST, "the queue never fills up");
	begin_asking_made(&first);
	usleep(SETTLE_US);
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
		close(accept(listener, NULL, NULL));
	}
	SCOPE_FD int fd = accept(listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	serve_made(fd, 1);
	expect_answered(&first);
}

/* ---- names that lead nowhere ---- */

Test(opening, of_a_node_with_the_address_of_another_host_says_what_to_do, .timeout = 60)
{
	const struct dist_options options = { .name = "far@192.0.2.1", /* for documentation: nobody has it */
					      .cookie = SLICE("biscuit"),
					      .tls_library = TLS_PATH,
					      .heartbeat_ms = 15000,
					      .host = { NULL, enter, t_leave, t_control } };
	struct dist *dist = NULL;
	struct error err;
	cr_assert_neq(dist_new(&options, &dist, &err), 0);
	cr_expect_not_null(strstr(err.message, "this host has no such address"), "%s", err.message);
	cr_expect_not_null(strstr(err.message, "--dist-listen"), "%s", err.message);
}

Test(opening, by_a_host_that_nobody_knows_is_an_error, .timeout = 60)
{
	static char said[SAID_BYTES];
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
		cr_expect_not_null(strstr(said, "node 'x@no-such-host.invalid' is unreachable: cannot find host "
						"'no-such-host.invalid': "),
				   "%s", said);
	}
	dist_stop(dist, 200);
	dist_free(dist);
}

/* ---- a node that was not reached the last time -------------------------------------------------------------- */

/* Of what it is for; how long that took, in milliseconds. */
static int64_t be_refused(char said[SAID_BYTES])
{
	const struct kvrel_slice args[] = { { "x", 1 } };
	const struct dist_request request = {
		.node = "made@here", .component = "t", .op = &ops[0], .timeout_ms = ASK_MS
	};
	int64_t began = dist_now_ms();
	said[0] = '\0';
	cr_expect_eq(dist_call(nodes[0], &request, args, 1, keep, said), KVREL_ERROR);
	return dist_now_ms() - began;
}

Test(opening, again_holds_up_nobody_but_who_asks_for_the_link)
{
	struct asking ping;
	char said[SAID_BYTES];
	be_refused(said);
	cr_assert_not_null(strstr(said, "it is not running on this host"), "%s", said);
	SCOPE_FD int listener = made_listens(); /* and never says a word */
	begin_asking_made(&ping);               /* which wants to know, and waits for the end of the attempt */
	for (int i = 0; i < 3; i++) {
		int64_t took_ms = be_refused(said);
		cr_expect_lt(took_ms, 2000, "%lld ms", (long long)took_ms);
		cr_expect_not_null(strstr(said, "unreachable: it is not running on this host"), "%s", said);
	}
	pthread_join(ping.thread, NULL);
	cr_expect_not_null(strstr(ping.said, "it does not answer the handshake"), "%s", ping.said);
}

Test(opening, begins_at_once_when_somebody_asks_for_the_link)
{
	struct asking ping;
	char said[SAID_BYTES];
	for (int i = 0; i < 200; i++) { /* so many that it is long until the next attempt */
		be_refused(said);
		usleep(10000);
	}
	struct dist *made = t_start(dir, "made@here", enter, 0);
	begin_asking_made(&ping);
	expect_answered(&ping);
	dist_stop(made, 200);
	dist_free(made);
}
