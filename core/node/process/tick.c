/* SPDX-License-Identifier: MIT */
#include "node/process/tick.h"

#include "base/slice.h"
#include "node/node.h"
#include "node/process/heart.h"
#include "node/process/logfile.h"
#include "node/process/namelock.h"

#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 1000, REFRESH_MS = 3600 * 1000 };

/* $WATCHDOG_USEC is for the process $WATCHDOG_PID alone; we say it twice as often as it is waited for. */
static int64_t watchdog_interval_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t number;
	if (pid != NULL && (!slice_to_int64(slice_of(pid), &number) || number != getpid()))
		return 0;
	if (usec == NULL || !slice_to_int64(slice_of(usec), &number) || number <= 0)
		return 0;
	return number / 2000 > 0 ? number / 2000 : 1;
}

static void sample(struct tick *tick, int64_t now_ms)
{
	struct net_stats stats = { 0 };
	if (tick->node->net != NULL)
		net_stats(tick->node->net, &stats);
	atomic_store(&tick->last_ms, now_ms);
	unsigned slot = tick->sample_count++ % TICK_SAMPLES;
	tick->samples[slot].at_ms = now_ms;
	tick->samples[slot].requests = stats.requests;
}

static void on_tick(uv_timer_t *timer)
{
	struct tick *tick = timer->data;
	int64_t now_ms = node_now_ms();
	/* half a tick early rather than half a tick late */
	if (tick->watchdog_ms > 0 && now_ms - tick->told_ms >= tick->watchdog_ms - TICK_MS / 2) {
		notify_manager("WATCHDOG=1");
		tick->told_ms = now_ms;
	}
	if (now_ms - tick->refreshed_ms >= REFRESH_MS) {
		namelock_refresh(tick->node);
		tick->refreshed_ms = now_ms;
	}
	heart_beat();
	logfile_check();
	sample(tick, now_ms);
}

int tick_start(struct tick *tick, struct node *node, struct error *err)
{
	*tick = (struct tick){ .node = node, .watchdog_ms = watchdog_interval_ms() };
	int64_t every_ms = tick->watchdog_ms > 0 && tick->watchdog_ms < TICK_MS ? tick->watchdog_ms : TICK_MS;
	int rc = uv_timer_init(&node->main.loop, &tick->timer);
	if (rc == 0) {
		tick->timer.data = tick;
		sample(tick, node_now_ms());
		rc = uv_timer_start(&tick->timer, on_tick, (uint64_t)every_ms, (uint64_t)every_ms);
	}
	return rc == 0 ? 0 : error_system(err, -rc, "cannot start the timer");
}

double tick_rate(const struct tick *tick)
{
	if (tick->sample_count < 2)
		return 0;
	unsigned last = (tick->sample_count - 1) % TICK_SAMPLES;
	unsigned first = tick->sample_count < TICK_SAMPLES ? 0 : tick->sample_count % TICK_SAMPLES;
	int64_t ms = tick->samples[last].at_ms - tick->samples[first].at_ms;
	uint64_t requests = tick->samples[last].requests - tick->samples[first].requests;
	return ms > 0 ? (double)requests * 1000 / (double)ms : 0;
}
