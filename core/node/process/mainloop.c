/* SPDX-License-Identifier: MIT */
#include "node/process/mainloop.h"

#include <stddef.h>

static struct main_job *take_jobs(struct mainloop *main)
{
	pthread_mutex_lock(&main->lock);
	struct main_job *jobs = main->head;
	main->head = NULL;
	main->tail = &main->head;
	pthread_mutex_unlock(&main->lock);
	return jobs;
}

void mainloop_flush(struct mainloop *main)
{
	struct main_job *job = take_jobs(main);
	while (job != NULL) {
		struct main_job *next = job->next; /* the job is gone once it has run */
		job->run(job);
		job = next;
	}
}

static void on_wake(uv_async_t *wake)
{
	mainloop_flush(wake->data);
}

int mainloop_init(struct mainloop *main, struct error *err)
{
	*main = (struct mainloop){ .thread = pthread_self() };
	main->tail = &main->head;
	int rc = uv_loop_init(&main->loop);
	if (rc != 0)
		return error_system(err, -rc, "cannot make the event loop");
	rc = uv_async_init(&main->loop, &main->wake, on_wake);
	if (rc != 0) {
		uv_loop_close(&main->loop);
		return error_system(err, -rc, "cannot make the event loop's wake-up");
	}
	main->wake.data = main;
	pthread_mutex_init(&main->lock, NULL);
	pthread_cond_init(&main->changed, NULL);
	main->open = true;
	return 0;
}

void mainloop_run(struct mainloop *main)
{
	uv_run(&main->loop, UV_RUN_DEFAULT);
}

void mainloop_leave(struct mainloop *main)
{
	uv_stop(&main->loop);
}

void mainloop_close(struct mainloop *main)
{
	pthread_mutex_lock(&main->lock);
	main->closed = true;
	pthread_cond_broadcast(&main->changed);
	pthread_mutex_unlock(&main->lock);
}

static void close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void mainloop_done(struct mainloop *main)
{
	if (!main->open)
		return;
	uv_walk(&main->loop, close_handle, NULL);
	uv_run(&main->loop, UV_RUN_DEFAULT);
	uv_loop_close(&main->loop);
	main->open = false;
}

void mainloop_post(struct mainloop *main, struct main_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&main->lock);
	*main->tail = job;
	main->tail = &job->next;
	pthread_mutex_unlock(&main->lock);
	uv_async_send(&main->wake);
}

struct waiting_call {
	struct main_job job;
	struct mainloop *main;
	void (*function)(void *context);
	void *context;
	bool done;
};

static void run_waiting(struct main_job *job)
{
	struct waiting_call *call = (struct waiting_call *)job;
	call->function(call->context);
	pthread_mutex_lock(&call->main->lock);
	call->done = true;
	pthread_cond_broadcast(&call->main->changed);
	pthread_mutex_unlock(&call->main->lock);
}

/* Takes the job back when it has not begun. With the lock held. */
static bool take_back(struct mainloop *main, struct main_job *job)
{
	for (struct main_job **slot = &main->head; *slot != NULL; slot = &(*slot)->next) {
		if (*slot != job)
			continue;
		*slot = job->next;
		if (job->next == NULL)
			main->tail = slot;
		return true;
	}
	return false;
}

bool mainloop_call(struct mainloop *main, void (*function)(void *context), void *context)
{
	if (pthread_equal(pthread_self(), main->thread)) {
		function(context);
		return true;
	}
	struct waiting_call call = { .job.run = run_waiting, .main = main, .function = function, .context = context };
	mainloop_post(main, &call.job);
	pthread_mutex_lock(&main->lock);
	while (!call.done && !(main->closed && take_back(main, &call.job)))
		pthread_cond_wait(&main->changed, &main->lock);
	bool done = call.done;
	pthread_mutex_unlock(&main->lock);
	return done;
}
