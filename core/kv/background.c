/* SPDX-License-Identifier: MIT */
#include "background.h"

#include "result.h"
#include "thread.h"

#include <stdlib.h>

static void begin(struct background *job)
{
	struct applier *applier = &job->store->applier;

	pthread_mutex_lock(&applier->lock);
	job->number = ++applier->backgrounds_begun;
	job->next = applier->running;
	applier->running = job;
	pthread_mutex_unlock(&applier->lock);
}

/* Frees the job; what was kept for it may go. The store may be gone when this returns. */
static void end(struct background *job)
{
	struct applier *applier = &job->store->applier;
	struct background **at = &applier->running;

	pthread_mutex_lock(&applier->lock);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	free(job);
	applier->nudged = true;
	pthread_cond_signal(&applier->wake);
	pthread_mutex_unlock(&applier->lock);
}

uint64_t backgrounds_begun(struct durable *store)
{
	uint64_t number;

	pthread_mutex_lock(&store->applier.lock);
	number = store->applier.backgrounds_begun;
	pthread_mutex_unlock(&store->applier.lock);
	return number;
}

uint64_t backgrounds_oldest(struct durable *store)
{
	uint64_t oldest = UINT64_MAX;

	pthread_mutex_lock(&store->applier.lock);
	for (const struct background *job = store->applier.running; job != NULL; job = job->next)
		oldest = job->number < oldest ? job->number : oldest;
	pthread_mutex_unlock(&store->applier.lock);
	return oldest;
}

static void background_main(void *argument)
{
	struct background *job = argument;
	struct kv_error err;

	if (job->work(job, &err) != 0)
		result_error(job->call, err.message);
	else
		result_nil(job->call);
	end(job);
}

int background_start(struct background *job, const char *name, struct kv_error *err)
{
	const struct engine_host *host = &job->store->options.host;
	pthread_t thread;
	int code;

	begin(job);
	code = thread_start(&thread, host, name, background_main, job);
	if (code == 0) {
		pthread_detach(thread);
		return 0;
	}
	end(job);
	return kv_fail(err, "cannot start a thread: %s", strerror(code));
}

static int verify(struct background *job, struct kv_error *err)
{
	return pages_verify(&job->store->pages, err);
}

void run_verify(struct durable *store, const struct engine_request *request)
{
	struct background *job = malloc(sizeof(*job));
	struct kv_error err = { "out of memory" };

	if (job != NULL)
		*job = (struct background){ store, request->call, verify };
	if (job == NULL || background_start(job, "kv-verify", &err) != 0)
		result_error(request->call, err.message);
}
