/* SPDX-License-Identifier: MIT */
/* What a connection has read; see input.c. */
#ifndef NODE_NET_INPUT_H
#define NODE_NET_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct kvrel_conn;

/* Bytes read and not yet consumed: in the worker's arena, or in `own` when a request goes on in a later read. */
struct input {
	const char *data;
	size_t size;
	size_t used;
	char *own;
	size_t own_capacity;
	size_t skipped; /* consumed, in front of `data` in `own` */
	size_t copied;  /* arguments of postponed calls */
};

/* Keeps what is not consumed and nothing else; without memory for it the connection has failed. */
void conn_tidy_input(struct kvrel_conn *conn);
/* Room for a read behind a rest that is in the connection's own buffer; false without memory. */
bool input_grow(struct kvrel_conn *conn);
/* The bytes not consumed, and those read behind them, are in its own buffer. */
static inline bool input_is_own(const struct input *input)
{
	return input->own && input->data == input->own + input->skipped;
}
/* Memory for a copy of so much of the input, which counts as input; NULL when it may not be held. */
void *input_copy_new(struct kvrel_conn *conn, size_t size);
void input_copy_free(struct kvrel_conn *conn, void *copy, size_t size);
void input_free(struct kvrel_conn *conn);

#endif
