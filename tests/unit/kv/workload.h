/* SPDX-License-Identifier: MIT */
/*
 * Writes that can be judged after a crash. Each key's value is a number that only grows; before a write its number is
 * noted as issued, after its acknowledgement as acknowledged. What a store holds later lies between the two, for every
 * key.
 */
#ifndef TEST_KV_WORKLOAD_H
#define TEST_KV_WORKLOAD_H

#include "driver.h"

#include <stdatomic.h>

enum { WORKLOAD_WORKERS = 2, WORKLOAD_KEYS = 300, WORKLOAD_BATCH = 8, WORKLOAD_VALUE = 30000 };

struct told {
	_Atomic long issued, acknowledged;
};

struct workload {
	struct told keys[WORKLOAD_WORKERS][WORKLOAD_KEYS];
	struct told life[WORKLOAD_WORKERS]; /* of a bucket that is dropped and refilled */
};

unsigned workload_random(unsigned *state);
/* One write, mostly of a key, sometimes of a bucket's next life. Returns when it is answered. */
void workload_write(struct workload *workload, struct t_engine *t, unsigned worker, unsigned *random);
/*
 * Ends the program with a message if the store does not hold what `workload` says. What it holds becomes what was
 * issued and acknowledged.
 */
void workload_check(struct workload *workload, struct t_engine *t);
/* The sum of what was acknowledged. */
long workload_acknowledged(struct workload *workload);

void workload_expect(bool right, const char *what, const char *got);

#endif
