/* SPDX-License-Identifier: MIT */
/*
 * What all links of a node may hold together. A node with little memory for it asks nodes that do not answer, and is
 * sent halves of large frames by many peers that were let in.
 */
#include "base/log.h"
#include "base/scope.h"

#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMORY = 16 << 20, HALF = 4 << 20, ASKED = 3 << 20, PIECE = 64 << 10 };

static char dir[] = "/tmp/kvrel-bounds-XXXXXX";
static struct dist *small, *others[2];
static struct kvrel_call *_Atomic held[8];
static _Atomic unsigned held_count;

static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[0] });
}

static void run_silent(void *state, struct kvrel_call *call)
{
	(void)state;
	held[held_count++] = call;
}

static void run_large(void *state, struct kvrel_call *call)
{
	static const char large[ASKED];
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { large, sizeof(large) } });
}

static void run_piece(void *state, struct kvrel_call *call)
{
	static const char piece[PIECE];
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { piece, sizeof(piece) } });
}

static void run_kept(void *state, struct kvrel_call *call)
{
	dist_call_held(call, ASKED);
	run_silent(state, call);
}

static _Atomic bool writes_held;

static const struct kvrel_op ops[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
	{ .name = "silent", .max_args = 1, .flags = KVREL_OP_READ | KVREL_OP_WAITS, .run = run_silent },
	{ .name = "large", .flags = KVREL_OP_READ, .run = run_large },
	{ .name = "kept", .flags = KVREL_OP_READ, .run = run_kept },
	{ .name = "piece", .flags = KVREL_OP_READ, .run = run_piece },
	{ .name = "write", .min_args = 1, .max_args = 1, .flags = KVREL_OP_WRITE, .run = run_echo },
};

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	int rc = t_enter(ops, ARRAY_LEN(ops), context, op, out, err);
	out->writes_held = &writes_held;
	return rc;
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	small = t_start(dir, "small@here", enter, MEMORY);
	others[0] = t_start(dir, "one@here", enter, 0);
	others[1] = t_start(dir, "two@here", enter, 0);
}

static void tear_down(void)
{
	char command[128];
	struct dist *all[] = { small, others[0], others[1] };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		dist_stop(all[i], 100);
	for (unsigned i = 0; i < held_count; i++)
		held[i]->complete(held[i], &(struct kvrel_result){ .status = KVREL_ERROR });
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		dist_free(all[i]);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(bounds, .init = set_up, .fini = tear_down, .timeout = 60);

static char said[512];

static void keep(void *context, const struct kvrel_result *result)
{
	(void)context;
	snprintf(said, sizeof(said), "%.*s", (int)result->bytes.size, result->bytes.data);
}

static enum kvrel_status ask(struct dist *from, const char *to, size_t op, struct kvrel_slice text, uint32_t timeout_ms)
{
	const struct dist_request request = { .node = to, .component = "t", .op = &ops[op], .timeout_ms = timeout_ms };
	return dist_call(from, &request, &text, 1, keep, NULL);
}

/* A call that nobody waits for here; it ends with the links. */
struct forgotten {
	struct kvrel_call call;
	_Atomic bool answered;
};

static void forget(struct kvrel_call *call, const struct kvrel_result *result)
{
	(void)result;
	((struct forgotten *)call)->answered = true;
}

Test(bounds, requests_to_all_nodes_together_are_bounded)
{
	static char text[ASKED];
	static struct forgotten waiting[2];
	const struct kvrel_slice large = { text, sizeof(text) };
	const char *names[] = { "one@here", "two@here" };
	for (unsigned i = 0; i < 2; i++) { /* 6 of 8 MiB */
		const struct dist_request request = {
			.node = names[i], .component = "t", .op = &ops[1], .timeout_ms = 30000
		};
		waiting[i].call = (struct kvrel_call){
			.args = &large, .arg_count = 1, .worker = i, .complete = forget, .op = &ops[1]
		};
		dist_forward(small, &waiting[i].call, &request);
	}
	while (held_count < 2)
		usleep(1000);
	cr_expect_eq(ask(small, "one@here", 1, large, 300), KVREL_ERROR); /* the one that passes the bound may */
	cr_expect_not_null(strstr(said, "before the deadline"), "%s", said);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(ask(small, "two@here", 0, (struct kvrel_slice){ "x", 1 }, 20000), KVREL_OK, "%s", said);
		cr_expect_str_eq(said, "x");
	}
}

Test(bounds, a_request_over_them_is_refused_at_once)
{
	static char text[8 << 20];
	static struct forgotten waiting;
	const struct kvrel_slice large = { text, sizeof(text) };
	const struct dist_request request = {
		.node = "one@here", .component = "t", .op = &ops[1], .timeout_ms = 30000
	};
	waiting.call = (struct kvrel_call){
		.args = &large, .arg_count = 1, .worker = KVREL_NO_WORKER, .complete = forget, .op = &ops[1]
	};
	dist_forward(small, &waiting.call, &request);
	cr_expect_eq(ask(small, "two@here", 0, large, 20000), KVREL_ERROR);
	cr_expect_str_eq(said, "node 'two@here' was not asked: too much is on its way to other nodes already "
			       "(--dist-memory)");
	cr_expect_not(waiting.answered);
}

/* A peer that begins a frame and does not end it. */
static int begin_large_frame(int number)
{
	char name[32];
	SCOPE(buf_done) struct buf out = { 0 };
	int fd = t_connect_to(dir, "small@here");
	snprintf(name, sizeof(name), "evil%d@here", number);
	t_put_hello(&out, name, "small@here");
	buf_append(&out, "\1\0\0\0Q", 5);
	char *rest = buf_reserve(&out, HALF);
	memset(rest, 0, HALF);
	out.size += HALF;
	t_say(fd, buf_slice(&out)); /* as far as it is taken */
	return fd;
}

Test(bounds, what_comes_in_over_all_links_is_bounded)
{
	int fds[12];
	for (int i = 0; i < 12; i++)
		fds[i] = begin_large_frame(i);
	cr_expect_eq(ask(others[0], "small@here", 0, (struct kvrel_slice){ "x", 1 }, 20000), KVREL_OK, "%s", said);
	int closed = 0;
	char byte[4096];
	for (int i = 0; i < 12; i++) {
		ssize_t n;
		while ((n = recv(fds[i], byte, sizeof(byte), MSG_DONTWAIT)) > 0) {
		}
		closed += n == 0 || errno == ECONNRESET;
		close(fds[i]);
	}
	cr_expect_geq(closed, 8, "%d of 12", closed);
	cr_expect_lt(closed, 12);
}

static int ask_often(const char *node, struct slice op, uint64_t times)
{
	SCOPE(buf_done) struct buf out = { 0 };
	struct frame_open open = { 0 };
	int fd = t_connect_to(dir, node);
	t_put_hello(&out, "evil@here", node);
	for (uint64_t i = 0; i < times; i++)
		cr_assert(frame_add_request(
			&out, &open, &(struct frame_request){ .id = i, .trace = i, .timeout_ms = 20000, .op = op }));
	cr_assert(t_say(fd, buf_slice(&out)));
	return fd;
}

Test(bounds, large_answers_of_one_read_are_bounded)
{
	enum { REQUESTS = 60 };
	SCOPE_FD int fd = ask_often("small@here", SLICE("t.large"), REQUESTS);
	cr_expect_eq(t_hear(fd, REQUESTS), REQUESTS); /* some of them errors, none lost */
}

Test(bounds, large_answers_that_come_late_are_bounded)
{
	enum { REQUESTS = 60, KEPT = 2 };
	for (int round = 0; round < 2; round++) {
		SCOPE_FD int fd = ask_often("small@here", SLICE("t.kept"), REQUESTS);
		cr_expect_eq(t_hear(fd, REQUESTS - KEPT), REQUESTS - KEPT); /* refused */
		cr_assert_eq(held_count, KEPT);
		for (unsigned i = 0; i < KEPT; i++)
			held[i]->complete(held[i], &(struct kvrel_result){ .kind = KVREL_NIL });
		held_count = 0;
		cr_expect_eq(t_hear(fd, KEPT), KEPT);
	}
}

/* Who reads a little at a time gets much more, in the end, than the node may hold. */
Test(bounds, answers_that_are_always_read_a_little_late_are_all_sent)
{
	enum { REQUESTS = 2000 };
	struct dist *middle = t_start(dir, "middle@here", enter, 3 * MEMORY);
	SCOPE_FD int fd = ask_often("middle@here", SLICE("t.piece"), REQUESTS);
	static char bytes[4 * PIECE];
	size_t heard = 0;
	ssize_t n = 1;
	for (usleep(50000); heard < (size_t)REQUESTS * PIECE && n > 0; usleep(200)) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		heard += n > 0 ? (size_t)n : 0;
	}
	cr_expect(n > 0, "the link was closed after %zu KiB", heard >> 10);
	dist_stop(middle, 100);
	dist_free(middle);
}

Test(bounds, writes_that_are_held_wait_and_those_of_other_links_go_on)
{
	enum { WRITES = 200 };
	static struct forgotten waiting[WRITES];
	const struct kvrel_slice text = { "x", 1 };
	const struct dist_request request = {
		.node = "small@here", .component = "t", .op = &ops[5], .timeout_ms = 30000
	};
	cr_expect_eq(ask(others[0], "small@here", 5, text, 20000), KVREL_OK, "%s", said);
	writes_held = true;
	for (int i = 0; i < WRITES; i++) {
		waiting[i].call = (struct kvrel_call){
			.args = &text, .arg_count = 1, .worker = KVREL_NO_WORKER, .complete = forget, .op = &ops[5]
		};
		dist_forward(others[0], &waiting[i].call, &request);
	}
	for (int i = 0; i < 50; i++)
		cr_expect_eq(ask(others[1], "small@here", 0, text, 20000), KVREL_OK, "%s", said);
	for (int i = 0; i < WRITES; i++)
		cr_assert_not(waiting[i].answered);
	writes_held = false;
	dist_resume(small);
	cr_expect_eq(ask(others[0], "small@here", 5, text, 20000), KVREL_OK, "%s", said);
	for (int i = 0; i < WRITES; i++)
		cr_expect(waiting[i].answered, "%d", i);
}
