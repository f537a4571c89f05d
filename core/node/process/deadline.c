/* SPDX-License-Identifier: MIT */
#include "node/process/deadline.h"

#include "base/log.h"
#include "node/control/control_server.h"
#include "node/node.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct node *node;
	struct timespec until;
	int64_t timeout_ms;
	bool running;
	bool cancelled;
} deadline = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void give_up(void)
{
	const char *activity = atomic_load(&deadline.node->activity);
	char text[256];
	snprintf(text, sizeof(text), "stop took longer than %lld ms: %s hung", (long long)deadline.timeout_ms,
		 activity);
	log_error("node", LOG_FIELDS(LOG_S("waiting_for", activity)), "%s; ending the process", text);
	control_server_tell_stopping(deadline.node->control, text);
	_exit(1);
}

static void *wait_for_it(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&deadline.lock);
	int rc = 0;
	while (!deadline.cancelled && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&deadline.changed, &deadline.lock, &deadline.until);
	if (!deadline.cancelled)
		give_up();
	pthread_mutex_unlock(&deadline.lock);
	return NULL;
}

int deadline_start(struct node *node, int64_t timeout_ms, struct error *err)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&deadline.changed, &attributes);
	pthread_condattr_destroy(&attributes);
	clock_gettime(CLOCK_MONOTONIC, &deadline.until);
	deadline.until.tv_sec += timeout_ms / 1000;
	deadline.until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (deadline.until.tv_nsec >= 1000000000) {
		deadline.until.tv_sec++;
		deadline.until.tv_nsec -= 1000000000;
	}
	deadline.node = node;
	deadline.timeout_ms = timeout_ms;
	deadline.cancelled = false;
	int rc = pthread_create(&deadline.thread, NULL, wait_for_it, NULL);
	if (rc != 0)
		return error_system(err, rc, "cannot start the deadline's thread");
	deadline.running = true;
	return 0;
}

void deadline_cancel(void)
{
	if (!deadline.running)
		return;
	pthread_mutex_lock(&deadline.lock);
	deadline.cancelled = true;
	pthread_cond_signal(&deadline.changed);
	pthread_mutex_unlock(&deadline.lock);
	pthread_join(deadline.thread, NULL);
	deadline.running = false;
}
