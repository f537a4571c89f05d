/* SPDX-License-Identifier: MIT */
/*
 * A peer that was let in and means harm. It speaks to a real node over its Unix socket, in bytes of its own making;
 * whatever it says, the node hangs up on it or goes on, and serves another node as before.
 */
#include "base/log.h"
#include "base/scope.h"

#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[] = "/tmp/kvrel-hostile-XXXXXX";
static struct dist *victim, *friend_of_it;
static struct kvrel_call *held;
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	const struct kvrel_result result = { .kind = KVREL_BYTES, .bytes = call->args[0] };
	call->complete(call, &result);
}

static void run_silent(void *state, struct kvrel_call *call)
{
	(void)state;
	pthread_mutex_lock(&held_lock);
	call->next = held;
	held = call;
	pthread_mutex_unlock(&held_lock);
}

static void give_back_held(void)
{
	while (held != NULL) {
		struct kvrel_call *call = held;
		held = call->next;
		call->complete(call, &(struct kvrel_result){ .status = KVREL_ERROR });
	}
}

static void run_count(void *state, struct kvrel_call *call)
{
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_INT, .integer = call->arg_count });
}

static const struct kvrel_op ops[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
	{ .name = "silent", .max_args = 1, .flags = KVREL_OP_READ | KVREL_OP_WAITS, .run = run_silent },
	{ .name = "count", .max_args = UINT16_MAX, .flags = KVREL_OP_READ, .run = run_count },
};

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	return t_enter(ops, ARRAY_LEN(ops), context, op, out, err);
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	victim = t_start(dir, "victim@here", enter, 0);
	friend_of_it = t_start(dir, "friend@here", enter, 0);
}

static void tear_down(void)
{
	char command[128];
	dist_stop(victim, 200);
	give_back_held();
	dist_stop(friend_of_it, 200);
	dist_free(victim);
	dist_free(friend_of_it);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(hostile, .init = set_up, .fini = tear_down, .timeout = 100);

static void expect_service(void)
{
	const struct kvrel_slice args[] = { { "x", 1 } };
	const struct dist_request request = {
		.node = "victim@here", .component = "t", .op = &ops[0], .timeout_ms = 20000
	};
	cr_expect_eq(dist_call(friend_of_it, &request, args, 1, NULL, NULL), KVREL_OK);
}

/* ---- the peer ---- */

static void put_hello(struct buf *out)
{
	t_put_hello(out, "evil@here", "victim@here");
}

/* In the open frame, when it may. */
static void put_request(struct buf *out, struct frame_open *open, uint64_t id, const char *op, struct kvrel_slice arg)
{
	const struct frame_request request = { .id = id,
					       .trace = open->next_trace,
					       .timeout_ms = 5000,
					       .op = slice_of(op),
					       .seen = { slice_of("evil@here") },
					       .seen_count = 1,
					       .args = &arg,
					       .arg_count = 1 };
	frame_add_request(out, open, &request);
}

static int connect_to_victim(void)
{
	return t_connect_to(dir, "victim@here");
}

static void frame(struct buf *out, const char *type_and_payload, size_t size)
{
	const unsigned char length[4] = { (unsigned char)(size >> 24), (unsigned char)(size >> 16),
					  (unsigned char)(size >> 8), (unsigned char)size };
	buf_append(out, length, sizeof(length));
	buf_append(out, type_and_payload, size);
}

/* ---- what it says ---- */

#define BYTES(text) (text), sizeof(text) - 1
#define ID          "\0\0\0\0\0\0\0\1"
#define ECHO        "Q" ID "\0\0\1\0\6t.echo" /* the nodes that it has seen come next */

static const struct {
	const char *what;
	const char *bytes;
	size_t size;
	bool raw; /* no header is put before them */
} lies[] = {
	{ "an empty frame", BYTES("\0\0\0\0"), true },
	{ "a frame of 4 GiB", BYTES("\xff\xff\xff\xffQ"), true },
	{ "a frame of a byte more than may be", BYTES("\2\0\0\1Q"), true },
	{ "a frame of no known type", BYTES("?hello"), false },
	{ "another hello", BYTES("H"), false },
	{ "a command channel", BYTES("C"), false },
	{ "a refusal", BYTES("Xgo away"), false },
	{ "requests of nothing", BYTES("Q"), false },
	{ "requests that end in their trace", BYTES("Q\0\0\0"), false },
	{ "no request at all", BYTES(ECHO "\0"), false },
	{ "a request that ends in its id", BYTES(ECHO "\0\0\0\0"), false },
	{ "more nodes seen than there are bytes", BYTES(ECHO "\xff\1a"), false },
	{ "more nodes seen than may be", BYTES(ECHO "\x21" ID ID ID ID ID ID ID ID), false },
	{ "4 billion arguments", BYTES(ECHO "\0" ID "\xff\xff\xff\xff\xff"), false },
	{ "a size in more bytes than it needs", BYTES(ECHO "\0" ID "\xff\0\0\0\1\1x"), false },
	{ "an argument of 4 GiB", BYTES(ECHO "\0" ID "\1\xff\xff\xff\xff\xff"), false },
	{ "bytes behind the arguments", BYTES(ECHO "\0" ID "\1\1xmore"), false },
	{ "replies of nothing", BYTES("R"), false },
	{ "a reply of an unknown status", BYTES("R" ID "\x70"), false },
	{ "a reply of an unknown kind", BYTES("R" ID "\x0f"), false },
	{ "a reply with 4 billion items", BYTES("R" ID "\3\xff\xff\xff\xff"), false },
	{ "a reply with 4 GiB of bytes", BYTES("R" ID "\2\xff\xff\xff\xff\xff"), false },
	{ "half a reply behind a whole one", BYTES("R" ID "\0" ID), false },
};

Test(hostile, is_hung_up_on_when_it_lies)
{
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		SCOPE(buf_done) struct buf out = { 0 };
		SCOPE_FD int fd = connect_to_victim();
		put_hello(&out);
		if (lies[i].raw)
			buf_append(&out, lies[i].bytes, lies[i].size);
		else
			frame(&out, lies[i].bytes, lies[i].size);
		t_say(fd, buf_slice(&out));
		cr_expect_eq(t_hear(fd, 1), 0, "%s", lies[i].what);
	}
	expect_service();
}

Test(hostile, is_told_when_it_speaks_another_version)
{
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	const struct frame_hello hello = {
		.version = 1, .instance = 1, .from = slice_of("evil@here"), .to = slice_of("victim@here")
	};
	char answer[256];
	struct slice payload;
	size_t consumed;
	char type;
	frame_put_hello(&out, &hello);
	cr_assert(t_say(fd, buf_slice(&out)));
	ssize_t got = recv(fd, answer, sizeof(answer), 0);
	cr_assert(got > 0 && frame_next((struct slice){ answer, (size_t)got }, FRAME_GREETING_MAX, &type, &payload,
					&consumed) == 1);
	cr_expect_eq(type, FRAME_REFUSE);
	cr_expect(slice_is(payload, "it speaks version 1 of the language of nodes, this node speaks 2"), "%.*s",
		  SLICE_FMT(payload));
	cr_expect_eq(recv(fd, answer, sizeof(answer), 0), 0);
	expect_service();
}

Test(hostile, bears_no_name_that_a_node_may_not_have)
{
	static const char *const bad[] = { "victim@here", "evil\nx@here", "evil x@here", "@here", "evil@", "-@here" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		SCOPE(buf_done) struct buf out = { 0 };
		SCOPE_FD int fd = connect_to_victim();
		char answer[256];
		t_put_hello(&out, bad[i], "victim@here");
		cr_assert(t_say(fd, buf_slice(&out)));
		ssize_t got = recv(fd, answer, sizeof(answer), 0);
		cr_expect(got > 4 && answer[4] == FRAME_REFUSE, "%s", bad[i]);
	}
	expect_service();
}

Test(hostile, may_nest_only_so_deep)
{
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE(buf_done) struct buf deep = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	put_hello(&out);
	buf_append(&deep, "R" ID, 9);
	for (int i = 0; i < 100000; i++)
		buf_append(&deep, "\3\0\0\0\1", 5);
	frame(&out, deep.data, deep.size);
	t_say(fd, buf_slice(&out));
	cr_expect_eq(t_hear(fd, 1), 0);
	expect_service();
}

Test(hostile, gets_an_answer_for_each_use_of_an_id_and_none_for_replies_nobody_waits_for)
{
	const struct kvrel_result result = { .kind = KVREL_INT, .integer = 1 };
	struct frame_open open = { 0 };
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	put_hello(&out);
	for (uint64_t id = 0; id < 1000; id++)
		frame_add_reply(&out, &open, id << 32 | id << 28 | id, &result);
	open = (struct frame_open){ 0 };
	for (int i = 0; i < 1000; i++)
		put_request(&out, &open, 7, "t.echo", (struct kvrel_slice){ "x", 1 });
	put_request(&out, &open, 7, "t.nothing", (struct kvrel_slice){ "x", 1 });
	cr_assert(t_say(fd, buf_slice(&out)));
	cr_expect_eq(t_hear(fd, 1001), 1001);
	expect_service();
}

static size_t resident(void)
{
	SCOPE(buf_done) struct buf text = { 0 };
	unsigned long total = 0;
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	cr_assert(file != NULL && fscanf(file, "%lu %lu", &total, &pages) == 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Says it again and again until the node hangs up or takes nothing more for two seconds; how often it could. */
static unsigned flood(int fd, struct slice bytes, unsigned most)
{
	unsigned said = 0;
	const struct timeval limit = { .tv_sec = 2 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	while (said < most && t_say(fd, bytes))
		said++;
	return said;
}

Test(hostile, cannot_have_more_than_so_many_requests_that_wait)
{
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE(buf_done) struct buf hello = { 0 };
	struct frame_open open = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	put_hello(&hello);
	t_say(fd, buf_slice(&hello));
	for (int i = 0; i < 1000; i++)
		put_request(&out, &open, (uint64_t)i, "t.silent", (struct kvrel_slice){ "x", 1 });
	unsigned said = flood(fd, buf_slice(&out), 1000);
	cr_expect_lt(said, 400, "%u thousand requests", said);
	expect_service();
}

Test(hostile, fills_no_memory_by_never_reading)
{
	static char large[64 << 10];
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	size_t before = resident();
	put_hello(&out);
	t_say(fd, buf_slice(&out));
	buf_clear(&out);
	put_request(&out, &(struct frame_open){ 0 }, 1, "t.echo", (struct kvrel_slice){ large, sizeof(large) });
	flood(fd, buf_slice(&out), 16384); /* 1 GiB */
	size_t after = resident();         /* perhaps less: what is not needed may go at any time */
	cr_expect_lt(after, before + ((size_t)400 << 20), "%zu MiB, then %zu MiB", before >> 20, after >> 20);
	expect_service();
}

static size_t peak_resident(void)
{
	struct rusage usage;
	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return (size_t)usage.ru_maxrss << 10;
}

Test(hostile, fills_no_memory_with_arguments_that_are_nothing)
{
	enum { REQUESTS = 31 };
	SCOPE(buf_done) struct buf out = { 0 };
	SCOPE(buf_done) struct buf all = { 0 };
	SCOPE_FD int fd = connect_to_victim();
	put_hello(&out);
	buf_append(&all, BYTES("Q" ID "\0\0\xff\0\7t.count\0"));
	for (int i = 0; i < REQUESTS; i++) {
		buf_append(&all, BYTES(ID "\xff\0\x10\0\0")); /* FRAME_ARGS_MAX of them */
		memset(buf_reserve(&all, FRAME_ARGS_MAX), 0, FRAME_ARGS_MAX);
		all.size += FRAME_ARGS_MAX;
	}
	frame(&out, all.data, all.size);
	size_t before = peak_resident();
	cr_assert(t_say(fd, buf_slice(&out)));
	cr_expect_eq(t_hear(fd, REQUESTS), REQUESTS);
	cr_expect_lt(peak_resident(), before + ((size_t)450 << 20), "%zu MiB, then %zu MiB", before >> 20,
		     peak_resident() >> 20);
	expect_service();
}

Test(hostile, leaves_only_so_many_requests_behind)
{
	enum { AT_ONCE = 50 * 1000, TIMES = 3 };
	for (int i = 0; i < TIMES; i++) {
		SCOPE(buf_done) struct buf out = { 0 };
		struct frame_open open = { 0 };
		SCOPE_FD int fd = connect_to_victim();
		put_hello(&out);
		for (uint64_t id = 0; id < AT_ONCE; id++)
			put_request(&out, &open, id, "t.silent", (struct kvrel_slice){ "x", 1 });
		put_request(&out, &open, AT_ONCE, "t.echo", (struct kvrel_slice){ "x", 1 });
		cr_assert(t_say(fd, buf_slice(&out)));
		int refused = i < TIMES - 1 ? 0 : AT_ONCE; /* what waits for its first two links is enough */
		cr_expect_eq(t_hear(fd, refused + 1), refused + 1);
	}
	expect_service();
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* A decent conversation with some of its bytes changed. */
static void mangled(uint64_t seed, struct buf *out)
{
	const struct kvrel_result items[] = { { .kind = KVREL_INT, .integer = 3 },
					      { .kind = KVREL_BYTES, .bytes = { "abc", 3 } } };
	const struct kvrel_result list = { .kind = KVREL_LIST, .items = items, .count = 2 };
	put_hello(out);
	size_t kept = seed % 4 == 0 ? 0 : out->size; /* mostly it gets in */
	for (int i = 0; i < 20; i++) {
		struct frame_open open = { 0 };
		for (int j = 0; j < i % 4; j++)
			put_request(out, &open, next_random(&seed), i % 3 ? "t.echo" : "t.silent",
				    (struct kvrel_slice){ "value", 5 });
		open = (struct frame_open){ 0 };
		for (int j = 0; j <= i % 2; j++)
			frame_add_reply(out, &open, next_random(&seed) % 4, &list);
		frame_put(out, FRAME_PING, (struct slice){ 0 });
	}
	for (unsigned i = next_random(&seed) % 8; i > 0; i--)
		out->data[kept + next_random(&seed) % (out->size - kept)] = (char)next_random(&seed);
	if (next_random(&seed) % 4 == 0)
		out->size = kept + next_random(&seed) % (out->size - kept);
}

Test(hostile, may_say_anything)
{
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		SCOPE(buf_done) struct buf out = { 0 };
		SCOPE_FD int fd = connect_to_victim();
		mangled(seed, &out);
		t_say(fd, buf_slice(&out));
		if (seed % 3 == 0)
			shutdown(fd, SHUT_WR);
	}
	expect_service();
}
