/* SPDX-License-Identifier: MIT */
#include "admission.h"

#include "durable.h"

/* Before the first memtable was applied; and what is left of one takes this much at least. */
enum { UNKNOWN_US = 200000, LEFT_PART = 16, LEFT_US_MIN = 1000, FREE_PART = 4 };

void admission_init(struct admission *admission)
{
	*admission = (struct admission){ .usual_us = UNKNOWN_US };
	pthread_mutex_init(&admission->lock, NULL);
}

void admission_destroy(struct admission *admission)
{
	pthread_mutex_destroy(&admission->lock);
}

/* How long the oldest memtable will take. */
static int64_t left_us(const struct admission *admission, int64_t now)
{
	int64_t least = admission->usual_us / LEFT_PART, left;

	if (admission->done > 0)
		left = (now - admission->first_us) * (MEMTABLE_FULL - admission->done) / admission->done;
	else
		left = admission->usual_us - (now - admission->taken_up_us);
	if (least < LEFT_US_MIN)
		least = LEFT_US_MIN;
	return left > least ? left : least;
}

static uint64_t limit_at(const struct admission *admission, int64_t now)
{
	int64_t passed = now - admission->from_us;
	double part = passed < admission->for_us ? (double)passed / (double)admission->for_us : 1;

	return admission->from + (uint64_t)((double)(admission->to - admission->from) * part);
}

/* Under the lock. */
static void draw(struct durable *store, int64_t now)
{
	struct admission *admission = &store->admission;
	uint64_t backlog = atomic_load(&store->newest_id) - atomic_load(&store->retired),
		 base = atomic_load(&store->newest_base), room = atomic_load(&store->newest_room), from;

	from = admission->holds ? limit_at(admission, now) : atomic_load(&store->log.written);
	admission->holds = backlog > MEMTABLES_SLOW || (backlog == MEMTABLES_SLOW && admission->early);
	if (!admission->holds)
		return;
	if (backlog == MEMTABLES_SLOW && from < base + room / FREE_PART)
		from = base + room / FREE_PART;
	admission->to = backlog <= MEMTABLES_SLOW + 1 ? base + room : base;
	admission->from = from < admission->to ? from : admission->to;
	admission->from_us = now;
	admission->for_us = left_us(admission, now);
}

/*
 * Of large memtables there are to be two: in the memory of three, each page is written for more keys.
 */
void admission_taken_up(struct durable *store, const struct memtable *memtable)
{
	struct admission *admission = &store->admission;

	pthread_mutex_lock(&admission->lock);
	admission->early = memtable_is_large(memtable) && memtable_fill(memtable) >= MEMTABLE_FULL * 3 / 4;
	admission->taken_up_us = now_us();
	draw(store, admission->taken_up_us);
	pthread_mutex_unlock(&admission->lock);
}

void admission_begun(struct durable *store)
{
	struct admission *admission = &store->admission;

	pthread_mutex_lock(&admission->lock);
	admission->first_us = now_us();
	draw(store, admission->first_us);
	pthread_mutex_unlock(&admission->lock);
}

void admission_progress(struct durable *store, unsigned done)
{
	struct admission *admission = &store->admission;

	pthread_mutex_lock(&admission->lock);
	admission->done = done;
	draw(store, now_us());
	pthread_mutex_unlock(&admission->lock);
}

void admission_finished(struct durable *store)
{
	struct admission *admission = &store->admission;
	int64_t now = now_us();

	pthread_mutex_lock(&admission->lock);
	admission->usual_us = now - admission->taken_up_us;
	admission->taken_up_us = now;
	admission->done = 0;
	admission->early = false;
	draw(store, now);
	pthread_mutex_unlock(&admission->lock);
}

void admission_rotated(struct durable *store)
{
	pthread_mutex_lock(&store->admission.lock);
	draw(store, now_us());
	pthread_mutex_unlock(&store->admission.lock);
}

uint64_t admitted(struct durable *store)
{
	struct admission *admission = &store->admission;
	uint64_t limit = UINT64_MAX;

	/* a thread that cannot go on is not worth waiting for: the log is as durable, and its end is near */
	if (atomic_load(&store->newest_id) - atomic_load(&store->retired) < MEMTABLES_SLOW ||
	    atomic_load_explicit(&store->applier.stuck, memory_order_relaxed))
		return UINT64_MAX;
	pthread_mutex_lock(&admission->lock);
	if (admission->holds)
		limit = limit_at(admission, now_us());
	pthread_mutex_unlock(&admission->lock);
	return limit;
}

bool admission_is_awaited(struct durable *store)
{
	return atomic_load(&store->log.written) > admitted(store);
}
