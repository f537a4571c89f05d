/* SPDX-License-Identifier: MIT */
/*
 * An engine driven from a test: one call at a time, waited for, with its result copied out as text.
 *
 * A result reads like "OK 3", "OK nil", "OK 'milk'", "OK [a, b]", "OK {a: 1, b: 2}", "NOT_FOUND", "ERROR why".
 */
#ifndef TEST_KV_DRIVER_H
#define TEST_KV_DRIVER_H

#include "engine.h"

enum { T_SEGMENT_BYTES = 1 << 20 };

struct t_engine {
	struct engine *engine;
	struct engine_options options;
	char dir[1024];
	char log[4096];      /* what the engine logged */
	char failed[1024];   /* what it failed with */
	_Atomic size_t held; /* bytes that it said it keeps for calls, of all so far */
	_Atomic bool holds;  /* it wants writes to wait */
	_Atomic unsigned holds_begun;
};

/* A folder of its own below TMPDIR; t_remove() takes it away. */
void t_make_dir(char out[256]);
void t_remove(const char *dir);

/* Options that tests use: small segments, no checkpoint by time. */
struct engine_options t_options(struct t_engine *t, const char *dir);
void t_open(struct t_engine *t, const char *dir, enum engine_durability durability);
void t_open_memory(struct t_engine *t);
/* Opening is expected to fail; the message. */
const char *t_open_fails(struct t_engine *t, const char *dir);
void t_close(struct t_engine *t);

/* One request through kv's own operation table: t_call(&t, "hset", "b", "k", "v", NULL). The text is valid until the
 * next call of this thread. */
const char *t_call(struct t_engine *t, const char *op, ...) __attribute__((sentinel));
const char *t_call_slices(struct t_engine *t, uint32_t worker, const char *op, const struct kvrel_slice *args,
			  uint32_t count);

struct t_request {
	const char *op;
	const struct kvrel_slice *args;
	uint32_t arg_count;
	void (*done)(void *context); /* NULL, or called by the completion itself when it went well */
	void *context;
};
/* Requests that come in one batch of a worker; their answers, with "; " between them. */
const char *t_batch(struct t_engine *t, uint32_t worker, const struct t_request *requests, uint32_t count);

/* In a test whose engine is called t. */
#define ANSWERS(expected, ...) cr_expect_str_eq(t_call(&t, __VA_ARGS__, NULL), expected)

#endif
