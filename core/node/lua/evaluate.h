/* SPDX-License-Identifier: MIT */
/*
 * Lua for people: a state with the node's functions in it, and running one text in it the way eval, rpc and consoles
 * do: what it prints and returns goes to a sink, what goes wrong with a traceback.
 */
#ifndef NODE_EVALUATE_H
#define NODE_EVALUATE_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

struct node;
struct script;

enum evaluate_stream { EVALUATE_OUT, EVALUATE_ERR };
/* Called on the state's thread. */
typedef void evaluate_sink_fn(void *context, enum evaluate_stream stream, struct slice text);

/* Some bytes of stdin, waiting for them; 0 at its end, negative when the text was interrupted. On the state's thread.
 */
typedef ssize_t evaluate_input_fn(void *context, char *to, size_t room);

struct evaluator {
	struct node *node;
	struct script *script;
	evaluate_sink_fn *sink;
	evaluate_input_fn *input; /* NULL: stdin is the process's own */
	void *context;
	struct arena *results; /* of the last operation called; freed by the next one */
	bool json;             /* values as one JSON document; what is printed goes to ERR */
	bool keep_last; /* a console: `_` is the last value, long texts are shown in part, commands to terminals as text
			 */
	bool guest;     /* in a running node, beside those that it serves */
	size_t most_shown; /* bytes of one value: as many as the state may use */
	size_t most_items; /* of a list that an operation returns: more are as if there were none; 0: any number */
	bool exit_asked;   /* the last text called os.exit() */
};

/* Fields node, sink, input, context, json, keep_last and guest are set by the caller. */
int evaluator_init(struct evaluator *evaluator, size_t memory_limit_bytes, struct error *err);
void evaluator_done(struct evaluator *evaluator);

/* Where print() of the text goes. Does not raise. */
void evaluator_print(struct evaluator *evaluator, struct slice text);
/* The global `arg`: arg[0] is the chunk's name. */
void evaluator_set_arguments(struct evaluator *evaluator, const char *chunk, const char *const *args, size_t count);
/* Runs the text; 0, 1 after an error, or what os.exit() was given. */
int evaluator_run(struct evaluator *evaluator, struct slice text, const char *chunk);

#endif
