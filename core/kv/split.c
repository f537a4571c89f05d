/* SPDX-License-Identifier: MIT */
#include "split.h"

#include "engine.h"
#include "result.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256 };

/* What one node is asked for. */
struct part {
	struct kvrel_call call; /* first */
	struct split *split;
	const char *node; /* "" is this one */
};

struct split {
	struct kvrel_call *original;
	pthread_mutex_t lock; /* of what follows */
	uint32_t running;     /* parts without an answer, and one for whoever hands them out */
	uint32_t done, failed;
	int64_t sum;
	enum kvrel_status status; /* of the first part that failed */
	char reason[KV_ERROR_BYTES];
	uint32_t part_count;
	struct part *parts;
	struct kvrel_slice *names; /* of all parts, one behind the other */
};

/* Which part each first byte of a name belongs to; those without names have none. */
struct plan {
	uint32_t names_of[BYTES];
	uint16_t part_of[BYTES];
	const char *nodes[BYTES]; /* by part */
	uint32_t names_in[BYTES]; /* by part */
	uint32_t part_count;
};

static unsigned first_byte(struct kvrel_slice name)
{
	return name.size > 0 ? (unsigned char)name.data[0] : 0;
}

/* The first name without a node, or NULL. */
static const struct kvrel_slice *make_plan(const struct router *router, const struct kvrel_call *call,
					   struct plan *plan)
{
	*plan = (struct plan){ 0 };
	for (uint32_t i = 0; i < call->arg_count; i++) {
		unsigned byte = first_byte(call->args[i]);
		const char *node = router_find(router, call->args[i]);
		uint32_t part = 0;

		if (node == NULL)
			return &call->args[i];
		if (plan->names_of[byte]++ > 0)
			continue;
		while (part < plan->part_count && strcmp(plan->nodes[part], node) != 0)
			part++;
		if (part == plan->part_count)
			plan->nodes[plan->part_count++] = node;
		plan->part_of[byte] = (uint16_t)part;
	}
	for (unsigned byte = 0; byte < BYTES; byte++)
		if (plan->names_of[byte] > 0)
			plan->names_in[plan->part_of[byte]] += plan->names_of[byte];
	return NULL;
}

/* ---- answering ---- */

static void answer(struct split *split)
{
	struct kvrel_call *original = split->original;
	bool writes = (original->op->flags & KVREL_OP_WRITE) != 0;
	char message[KV_ERROR_BYTES + 128], others[48] = "", done[64] = "";

	if (split->failed == 0) {
		result_int(original, split->sum);
	} else {
		if (split->failed > 1)
			snprintf(others, sizeof(others), " (and %u more failed)", split->failed - 1);
		if (writes && split->done > 0)
			snprintf(done, sizeof(done), "; other nodes did their part: %" PRId64, split->sum);
		snprintf(message, sizeof(message), "%s%s%s", split->reason, others, done);
		result_status(original, split->status, message);
	}
	pthread_mutex_destroy(&split->lock);
	free(split);
}

static void note(struct split *split, const struct kvrel_result *result)
{
	if (result->status == KVREL_OK) {
		split->done++;
		/* another node may say anything */
		if (__builtin_add_overflow(split->sum, result->integer, &split->sum))
			split->sum = INT64_MAX;
	} else if (split->failed++ == 0) {
		split->status = result->status;
		snprintf(split->reason, sizeof(split->reason), "%.*s", (int)result->bytes.size,
			 result->bytes.size > 0 ? result->bytes.data : "");
	}
}

/* `result` is NULL for whoever handed the parts out. */
static void part_answered(struct split *split, const struct kvrel_result *result)
{
	pthread_mutex_lock(&split->lock);
	if (result != NULL)
		note(split, result);
	bool last = --split->running == 0;
	pthread_mutex_unlock(&split->lock);
	if (last)
		answer(split);
}

static void on_part(struct kvrel_call *call, const struct kvrel_result *result)
{
	part_answered(((struct part *)call)->split, result);
}

/* ---- asking ---- */

static struct split *split_new(struct kvrel_call *call, const struct plan *plan)
{
	struct split *split = calloc(1, sizeof(*split) + plan->part_count * sizeof(struct part) +
						call->arg_count * sizeof(struct kvrel_slice));
	struct kvrel_slice *at[BYTES], *next;

	if (split == NULL)
		return NULL;
	split->original = call;
	pthread_mutex_init(&split->lock, NULL);
	split->part_count = plan->part_count;
	split->running = plan->part_count + 1;
	split->parts = (struct part *)(split + 1);
	split->names = next = (struct kvrel_slice *)(split->parts + plan->part_count);
	for (uint32_t i = 0; i < plan->part_count; i++) {
		split->parts[i] = (struct part){ .split = split, .node = plan->nodes[i] };
		split->parts[i].call = (struct kvrel_call){ .args = next,
							    .arg_count = plan->names_in[i],
							    .worker = call->worker,
							    .complete = on_part,
							    .op = call->op,
							    .route = call->route };
		at[i] = next;
		next += plan->names_in[i];
	}
	for (uint32_t i = 0; i < call->arg_count; i++)
		*at[plan->part_of[first_byte(call->args[i])]]++ = call->args[i];
	return split;
}

/* The usual case, without any plan. */
static bool is_of_one_node(const struct router *router, const struct kvrel_call *call)
{
	const char *node = router_find(router, call->args[0]);

	for (uint32_t i = 1; i < call->arg_count; i++)
		if (router_find(router, call->args[i]) != node)
			return false;
	return true;
}

void split_run(struct router *router, struct kvrel_call *call, split_local_fn *local, void *context)
{
	struct plan plan;
	const struct kvrel_slice *nowhere;
	struct split *split;

	if (is_of_one_node(router, call)) {
		if (router_local(router, call, call->args[0]))
			local(context, call);
		return;
	}
	nowhere = make_plan(router, call, &plan);
	if (nowhere != NULL) {
		router_local(router, call, *nowhere); /* says so */
		return;
	}
	split = split_new(call, &plan);
	if (split == NULL) {
		result_error(call, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < split->part_count; i++) {
		struct kvrel_call *part = &split->parts[i].call;

		if (router_local(router, part, part->args[0]))
			local(context, part);
	}
	part_answered(split, NULL);
}
