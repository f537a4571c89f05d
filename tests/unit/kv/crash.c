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
 * The durabilities take turns: what was acknowledged is the kernel's with each of them.
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
};

static struct shared *shared;
static struct t_engine t;

static void *work(void *argument)
{
	unsigned worker = (unsigned)(uintptr_t)argument, random = (unsigned)getpid() * 2 + worker;

	for (;;)
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
	pause();
}

static void check(const char *dir)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	workload_check(&shared->workload, &t);
	t_close(&t);
}

static void round_of(const char *dir, enum engine_durability durability, unsigned *random)
{
	struct timespec pause = { .tv_nsec = 1000000 + workload_random(random) % 40000000 };
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(dir, durability);
	workload_expect(pid > 0, "cannot fork", "");
	while (atomic_load(&shared->ready) == 0 && waitpid(pid, &status, WNOHANG) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	workload_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the writer ended by itself", "");
	atomic_store(&shared->ready, 0);
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
		round_of(dir, (enum engine_durability)(i % 3), &random);
		/* several kills in a row without a clean stop between them, now and then */
		if (workload_random(&random) % 3 != 0 || i + 1 == rounds)
			check(dir);
	}
	printf("kv_crash: killed %d times; %ld acknowledged writes, none missing\n", rounds,
	       workload_acknowledged(&shared->workload));
	t_remove(dir);
	return 0;
}
