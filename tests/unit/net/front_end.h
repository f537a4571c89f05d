/* SPDX-License-Identifier: MIT */
/*
 * A front-end without a network: a node of paper that starts a component, hands it bytes in whatever pieces a test
 * likes, answers the operations it asks for, and collects what it writes. Input lives in memory of its exact size until
 * the batch has run, so that a sanitizer sees every look beyond it.
 */
#ifndef TEST_FRONT_END_H
#define TEST_FRONT_END_H

#include "kvrel/component.h"

struct t_setting {
	const char *key;
	const char *string; /* or NULL: the number */
	int64_t number;
};

/* Answers one operation by calling call->complete(). */
typedef void t_answer_fn(const char *op, struct kvrel_call *call);

struct t_front;

/* NULL when the component refuses to start; *why then says what it said (static). */
struct t_front *t_front_start(const struct kvrel_component *component, const struct t_setting *settings,
			      t_answer_fn *answer, const char **why);
void t_front_stop(struct t_front *front);
/* A changed setting; 0 or -1. */
int t_front_set(struct t_front *front, const char *key, const char *string, int64_t number);
/* Opens a connection, closing the one before. */
void t_front_connect(struct t_front *front, const char *peer);
void t_front_feed(struct t_front *front, const void *data, size_t size);
/* At most so many requests are taken at a time; 0: any number. */
void t_front_set_room(struct t_front *front, unsigned requests);
/* What was written since the connection was opened; NUL-terminated. */
const char *t_front_output(const struct t_front *front, size_t *size);
/* "kv.put(b,k,v)" a line, of all operations asked for since then. */
const char *t_front_calls(const struct t_front *front);
/* What was logged last. */
const char *t_front_log(const struct t_front *front);
bool t_front_is_closed(const struct t_front *front);

#endif
