/* SPDX-License-Identifier: MIT */
/* The engine's own threads: what the node and the system get to see of them. And what workers see of each other. */
#include "fixture.h"

#include "thread.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int begun;

TestSuite(threads, .init = t_up, .fini = t_down);

static void thread_begin(void *context)
{
	(void)context;
	atomic_fetch_add(&begun, 1);
}

static void quiet_log(void *context, enum kvrel_log_level level, const char *message)
{
	(void)context, (void)level, (void)message;
}

static void quiet_failed(void *context, const char *message)
{
	(void)context, (void)message;
}

static void open_store(void)
{
	struct kv_error err;

	t.options = t_options(&t, dir);
	t.options.host = (struct engine_host){ &t, quiet_log, quiet_failed, thread_begin };
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0, "%s", err.message);
}

/* A line of the status of the thread with that name; empty: there is none. */
static void status_line(const char *name, const char *line, char out[128])
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;

	out[0] = '\0';
	while ((task = readdir(tasks)) != NULL) {
		char path[300], text[128];
		bool wanted = false;
		FILE *status;

		snprintf(path, sizeof(path), "/proc/self/task/%.64s/status", task->d_name);
		status = fopen(path, "r");
		while (status != NULL && fgets(text, sizeof(text), status) != NULL) {
			text[strcspn(text, "\n")] = '\0';
			if (strncmp(text, "Name:\t", 6) == 0)
				wanted = strcmp(text + 6, name) == 0;
			if (wanted && strncmp(text, line, strlen(line)) == 0)
				snprintf(out, 128, "%s", text + strlen(line));
		}
		if (status != NULL)
			fclose(status);
	}
	closedir(tasks);
}

static bool blocks(const char *mask, int signal)
{
	unsigned long long bits = 0;

	cr_assert_eq(sscanf(mask, "%llx", &bits), 1, "'%s'", mask);
	return bits >> (signal - 1) & 1;
}

Test(threads, bear_names_and_leave_signals_to_the_main_thread)
{
	const char *names[] = { "kv-log", "kv-apply" };
	open_store();
	cr_expect_str_eq(t_call(&t, "hset", "h", "k", "v", NULL), "OK 1");
	for (size_t i = 0; i < 2; i++) {
		char mask[128] = "";

		for (int tries = 0; tries < 5000 && mask[0] == '\0'; tries++, usleep(1000))
			status_line(names[i], "SigBlk:\t", mask); /* it may not have begun yet */
		cr_expect_eq(blocks(mask, SIGTERM) && blocks(mask, SIGINT) && blocks(mask, SIGHUP), true);
		cr_expect_eq(blocks(mask, SIGSEGV) || blocks(mask, SIGBUS) || blocks(mask, SIGABRT), false);
	}
	t_close(&t);
}

Test(threads, are_known_to_the_node_that_of_a_backup_too)
{
	char copy[300];

	open_store();
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	cr_expect_str_eq(t_call(&t, "backup", copy, NULL), "OK nil");
	t_close(&t);
	cr_expect_eq(atomic_load(&begun), 3);
}

static void note_thread(void *argument)
{
	pthread_t *self = argument;

	*self = pthread_self();
}

Test(threads, leave_the_mask_of_who_starts_them_as_it_was)
{
	const struct engine_host nobody = { 0 };
	sigset_t before, after;
	pthread_t thread, self;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	cr_assert_eq(thread_start(&thread, &nobody, "a-thread", note_thread, &self), 0);
	pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_expect(pthread_equal(thread, self));
	for (int signal = 1; signal < 32; signal++)
		cr_expect_eq(sigismember(&before, signal), sigismember(&after, signal));
}

/* ---- requests of several keys -------------------------------------------------------------------------------------
 */

static _Atomic bool stop;

/* Sets two keys to the same number, and now and then removes both. */
static void *write_both(void *argument)
{
	struct kvrel_slice x = { "x", 1 }, y = { "y", 1 }, h = { "h", 1 };
	char number[24];

	(void)argument;
	for (long i = 0; !atomic_load(&stop); i++) {
		const struct kvrel_slice n = { number, (size_t)sprintf(number, "%ld", i) };

		t_call_slices(&t, 0, "hset", (struct kvrel_slice[]){ h, x, n, y, n }, 5);
		if (i % 100 == 0)
			t_call_slices(&t, 0, "hdel", (struct kvrel_slice[]){ h, x, y }, 3);
	}
	return NULL;
}

static void expect_both(const char *answer, const char *form, const char *neither)
{
	long x = 0, y = -1;

	if (strcmp(answer, neither) != 0)
		cr_assert(sscanf(answer, form, &x, &y) == 2 && x == y, "%s", answer);
}

Test(threads, see_requests_of_several_keys_as_a_whole)
{
	const struct kvrel_slice args[] = { { "h", 1 }, { "x", 1 }, { "y", 1 } };
	pthread_t writer;

	open_store();
	t.engine->type->set_durability(t.engine, ENGINE_NONE);
	cr_assert_eq(pthread_create(&writer, NULL, write_both, NULL), 0);
	for (int i = 0; i < 40000; i++) {
		expect_both(t_call_slices(&t, 1, "hmget", args, 3), "OK [%ld, %ld]", "OK [nil, nil]");
		expect_both(t_call_slices(&t, 1, "hgetall", args, 1), "OK {x: %ld, y: %ld}", "OK {}");
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	t_close(&t);
}
