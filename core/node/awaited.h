/* SPDX-License-Identifier: MIT */
/*
 * A call whose caller sleeps on its own stack frame until somebody completes it, on whatever thread. Nothing can be
 * cancelled on the way: the provider owns the call, so waiting has no timeout; bounded waiting is the provider's duty
 * (a forwarded request has its deadline).
 */
#ifndef NODE_AWAITED_H
#define NODE_AWAITED_H

#include "kvrel/component.h"

#include <pthread.h>

/* Gets the result while it is valid, on the thread that completes the call. */
typedef void awaited_take_fn(void *context, const struct kvrel_result *result);

struct awaited {
	struct kvrel_call call; /* first: what complete() gets is this */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	enum kvrel_status status;
	awaited_take_fn *take; /* may be NULL */
	void *context;
};

static inline void awaited_complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct awaited *awaited = (struct awaited *)call;
	if (awaited->take != NULL)
		awaited->take(awaited->context, result);
	pthread_mutex_lock(&awaited->lock);
	awaited->status = result->status;
	awaited->done = true;
	pthread_cond_signal(&awaited->changed);
	pthread_mutex_unlock(&awaited->lock);
}

static inline struct awaited awaited_begin(const struct kvrel_op *op, const struct kvrel_slice *args,
					   uint32_t arg_count, awaited_take_fn *take, void *context)
{
	return (struct awaited){
		.call = { .args = args,
			  .arg_count = arg_count,
			  .worker = KVREL_NO_WORKER,
			  .complete = awaited_complete,
			  .op = op },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.take = take,
		.context = context,
	};
}

/* After the call was handed to whoever completes it. */
static inline enum kvrel_status awaited_wait(struct awaited *awaited)
{
	pthread_mutex_lock(&awaited->lock);
	while (!awaited->done)
		pthread_cond_wait(&awaited->changed, &awaited->lock);
	pthread_mutex_unlock(&awaited->lock);
	return awaited->status;
}

#endif
