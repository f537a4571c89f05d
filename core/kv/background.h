/* SPDX-License-Identifier: MIT */
/* Requests that look at the whole store: each has a thread of its own, for which the store's end waits. */
#ifndef KV_BACKGROUND_H
#define KV_BACKGROUND_H

#include "durable.h"

/* First member of what the work needs, in memory for free(). */
struct background {
	struct durable *store;
	struct kvrel_call *call; /* answered with NIL, or with what went wrong */
	int (*work)(struct background *job, struct kv_error *err);
	struct background *next; /* running */
	uint64_t number;         /* in order of their starts */
};

/* The job is freed when it is done, or after an error at once. 0, or -1 and why. */
int background_start(struct background *job, const char *name, struct kv_error *err);

/*
 * Those that start from now on get a higher number, and see nothing older than what was committed by now. And the
 * lowest of those that run: UINT64_MAX if none does.
 */
uint64_t backgrounds_begun(struct durable *store);
uint64_t backgrounds_oldest(struct durable *store);

#endif
