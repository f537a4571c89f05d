/* SPDX-License-Identifier: MIT */
#include "background.h"

#include "result.h"
#include "thread.h"

#include <stdlib.h>

static void background_main(void *argument)
{
	struct background *job = argument;
	struct durable *store = job->store;
	struct kv_error err;

	if (job->work(job, &err) != 0)
		result_error(job->call, err.message);
	else
		result_nil(job->call);
	free(job);
	atomic_fetch_sub(&store->applier.backgrounds, 1);
}

int background_start(struct background *job, const char *name, struct kv_error *err)
{
	_Atomic unsigned *running = &job->store->applier.backgrounds;
	pthread_t thread;
	int code;

	atomic_fetch_add(running, 1);
	code = thread_start(&thread, &job->store->options.host, name, background_main, job);
	if (code == 0) {
		pthread_detach(thread);
		return 0;
	}
	atomic_fetch_sub(running, 1);
	free(job);
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
