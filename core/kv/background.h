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
};

/* The job is freed when it is done, or after an error at once. 0, or -1 and why. */
int background_start(struct background *job, const char *name, struct kv_error *err);

#endif
