/* SPDX-License-Identifier: MIT */
#include "pace.h"

#include "durable.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BURST_NS = 100000,
	LONGEST_BURST_NS = 1000000,
	REST_NS = 150000,
	WHOLE = MEMTABLE_FULL,
	SLACK = WHOLE / 4,
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

bool pace_must_hurry(struct durable *store, const struct memtable *memtable)
{
	struct applier *applier = &store->applier;
	bool hurry;

	pthread_mutex_lock(&applier->lock);
	hurry = applier->stopping || applier->freeze_up_to >= memtable->id;
	pthread_mutex_unlock(&applier->lock);
	return hurry || atomic_load(&store->newest_id) > memtable->id + 1;
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

void pace_rest(struct pace *pace, size_t done, size_t total)
{
	int64_t now = now_ns();
	unsigned part = total > 0 ? (unsigned)(done * WHOLE / total) : 0;

	if (now - pace->burst_began_ns < pace->burst_ns)
		return;
	atomic_store_explicit(&pace->store->applier.progress, part, memory_order_relaxed);
	if (!pace_must_hurry(pace->store, pace->memtable)) {
		int64_t longer = (int64_t)behind(pace, part) * (LONGEST_BURST_NS / WHOLE * 8);

		nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
		pace->burst_ns = BURST_NS + longer < LONGEST_BURST_NS ? BURST_NS + longer : LONGEST_BURST_NS;
	}
	pace->burst_began_ns = now_ns();
}
