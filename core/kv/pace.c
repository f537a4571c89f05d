/* SPDX-License-Identifier: MIT */
#include "pace.h"

#include "durable.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BURST_NS = 100000,
	LONGEST_BURST_NS = 400000,
	REST_NS = 150000,
	WHOLE = MEMTABLE_FULL,
	SLACK = WHOLE / 4,
	BEHIND_MOST = MEMTABLES_MAX - 2, /* so many newer memtables: soon there is no room for writes */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* As the kernel knows it; older C libraries have no declaration. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/*
 * Asks for short slices, where the kernel can (Linux 6.12): then it runs soon after a rest, instead of when the slice
 * of a busy worker ends, and gives way as soon. Others ignore it or refuse; then it works in coarser steps.
 */
void pace_prepare_thread(void)
{
	struct scheduling wanted = { .size = sizeof(wanted), .runtime = BURST_NS };

	syscall(SYS_sched_setattr, 0, &wanted, 0);
}

static unsigned fill_of_newest(struct durable *store)
{
	return memtable_fill(atomic_load(&store->newest));
}

void pace_begin(struct pace *pace, struct durable *store, const struct memtable *memtable)
{
	*pace = (struct pace){ .store = store,
			       .memtable = memtable,
			       .burst_began_ns = now_ns(),
			       .burst_ns = BURST_NS,
			       .fill = fill_of_newest(store) };
}

void pace_go_on(struct pace *pace)
{
	pace->burst_began_ns = now_ns();
	pace->burst_ns = BURST_NS;
	pace->fill = fill_of_newest(pace->store);
}

static bool is_awaited(struct durable *store, const struct memtable *memtable)
{
	struct applier *applier = &store->applier;
	bool awaited;

	pthread_mutex_lock(&applier->lock);
	awaited = applier->stopping || applier->freeze_up_to >= memtable->id;
	pthread_mutex_unlock(&applier->lock);
	return awaited;
}

static uint64_t memtables_behind(struct durable *store, const struct memtable *memtable)
{
	return atomic_load(&store->newest_id) - memtable->id;
}

bool pace_must_hurry(struct durable *store, const struct memtable *memtable)
{
	return is_awaited(store, memtable) || memtables_behind(store, memtable) > 1;
}

/*
 * By how much of the whole it is too far behind, in 1/1024; 0: it is not. What comes first, sorting and syncs, shows as
 * no progress: that alone is no reason to hurry.
 */
static unsigned behind(const struct pace *pace, unsigned done)
{
	unsigned room = pace->fill < WHOLE ? (WHOLE - pace->fill) * 3 / 4 : 0;
	unsigned fill = fill_of_newest(pace->store), wanted;

	if (fill >= pace->fill + room)
		return WHOLE - done;
	wanted = fill > pace->fill ? (fill - pace->fill) * WHOLE / room : 0;
	return wanted > done + SLACK ? wanted - done - SLACK : 0;
}

static int64_t burst_ns(const struct pace *pace, unsigned done)
{
	int64_t wanted = BURST_NS + (int64_t)behind(pace, done) * (LONGEST_BURST_NS / WHOLE * 8);

	return memtables_behind(pace->store, pace->memtable) > 1 || wanted > LONGEST_BURST_NS ? LONGEST_BURST_NS
											      : wanted;
}

/* While writers wait for this thread, others have little to do, and a sleep would only make all wait longer. */
static void rest(struct durable *store)
{
	if (admission_is_awaited(store))
		sched_yield();
	else
		nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
}

void pace_rest(struct pace *pace, size_t done, size_t total)
{
	if (now_ns() - pace->burst_began_ns < pace->burst_ns)
		return;
	if (!is_awaited(pace->store, pace->memtable) && memtables_behind(pace->store, pace->memtable) < BEHIND_MOST) {
		rest(pace->store);
		pace->burst_ns = burst_ns(pace, total > 0 ? (unsigned)(done * WHOLE / total) : 0);
	}
	pace->burst_began_ns = now_ns();
}
