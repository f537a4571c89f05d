/* SPDX-License-Identifier: MIT */
/*
 * What a running node does once a second on its main thread: it tells the service manager and the heart that it is
 * alive, counts requests per second, looks whether the log is full, and once an hour keeps its lock file young. A main
 * thread that hangs does none of it, which is the point.
 */
#ifndef NODE_TICK_H
#define NODE_TICK_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

struct node;

enum { TICK_SAMPLES = 11 }; /* ten seconds */

struct tick {
	uv_timer_t timer;
	struct node *node;
	int64_t watchdog_ms; /* how often the service manager wants to hear; 0: never */
	int64_t told_ms;
	int64_t refreshed_ms;
	_Atomic int64_t last_ms; /* any thread: when it came last; 0: never yet */
	struct {
		int64_t at_ms;
		uint64_t requests;
	} samples[TICK_SAMPLES];
	unsigned sample_count; /* taken since the start; the last one is at (count - 1) % TICK_SAMPLES */
};

int tick_start(struct tick *tick, struct node *node, struct error *err);
/* Requests per second over the last ten seconds. */
double tick_rate(const struct tick *tick);

#endif
