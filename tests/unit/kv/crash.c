/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at random under load: no acknowledged write may be missing afterwards, and nothing may be there that was
 * never written.
 *
 *	kv_crash [--rounds N]
 *
 * A child writes with two workers, overwriting keys with growing numbers, dropping and refilling a bucket, and tells
 * the parent through shared memory what was issued and what was acknowledged. The parent kills it, opens the store and
 * compares. Segments are small and checkpoints frequent, so that kills hit rotations, transactions and replays as well.
 * The durabilities take turns: what was acknowledged is the kernel's with each of them. Every fourth time the child is
 * told to close its store, and is killed on the way there or has ended.
 */
#include "workload.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
	struct workload workload;
	_Atomic int ready;
	_Atomic bool stop;
};

static struct shared *shared;
static struct t_engine t;
static int closed; /* how often it came to that */

static void *work(void *argument)
{
	unsigned worker = (unsigned)(uintptr_t)argument, random = (unsigned)getpid() * 2 + worker;

	while (!atomic_load(&shared->stop))
		workload_write(&shared->workload, &t, worker, &random);
	return NULL;
}

static void child(const char *dir, enum engine_durability durability)
{
	pthread_t threads[WORKLOAD_WORKERS];
	struct kv_error err = { "" };

	memset(&t, 0, sizeof(t));
	t.options = t_options(&t, dir);
	t.options.checkpoint_ms = 10;
	t.options.durability = durability;
	workload_expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	atomic_store(&shared->ready, 1);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_join(threads[i], NULL);
	t_close(&t);
	_exit(0);
}

static void check(const char *dir)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	workload_check(&shared->workload, &t);
	t_close(&t);
}

static void sleep_up_to(long ns, unsigned *random)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 + workload_random(random) % ns }, NULL);
}

static void round_of(const char *dir, enum engine_durability durability, bool closes, unsigned *random)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(dir, durability);
	workload_expect(pid > 0, "cannot fork", "");
	while (atomic_load(&shared->ready) == 0 && waitpid(pid, &status, WNOHANG) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	sleep_up_to(40000000, random);
	atomic_store(&shared->stop, closes);
	if (closes)
		sleep_up_to(15000000, random);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	workload_expect((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (closes && status == 0),
			"the writer ended by itself", "");
	closed += status == 0;
	atomic_store(&shared->ready, 0);
	atomic_store(&shared->stop, false);
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 && strcmp(argv[1], "--rounds") == 0 ? atoi(argv[2]) : 200;
	unsigned random = (unsigned)time(NULL);
	char dir[256];

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	workload_expect(shared != MAP_FAILED, "no memory", "");
	t_make_dir(dir);
	for (int i = 0; i < rounds; i++) {
		round_of(dir, (enum engine_durability)(i % 3), i % 4 == 3, &random);
		/* several kills in a row without a clean stop between them, now and then */
		if (workload_random(&random) % 3 != 0 || i + 1 == rounds)
			check(dir);
	}
	printf("kv_crash: killed %d times, closed %d times; %ld acknowledged writes, none missing\n", rounds - closed,
	       closed, workload_acknowledged(&shared->workload));
	t_remove(dir);
	return 0;
}
