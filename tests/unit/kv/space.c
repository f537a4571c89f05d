/* SPDX-License-Identifier: MIT */
/*
 * One set of keys overwritten again and again while others list it, step through it and take backups: what is
 * overwritten makes room for what comes, so the data file and the log stay within bounds.
 *
 * A backup keeps the pages that it copies, and what is overwritten meanwhile needs room besides: as much more as the
 * backup takes long. The file does not shrink again. So a backup sees two rounds at most, whatever the machine does.
 * When no backup runs any more, the room of the last ones is enough: nothing is lost.
 *
 *	kv_space [--rounds N]
 */
#include "workload.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS = 4000, VALUE = 1000, BATCH = 16, ROUNDS_A_BACKUP = 2, ROUNDS_ALONE = 10 };

static struct t_engine t;
static char dir[256];
static _Atomic bool stop;
static _Atomic long lists, steps, backups;
static _Atomic unsigned round_now, backup_began; /* in that round; 0: none is under way */

/* All keys once. Some grow and shrink from round to round. */
static void write_round(unsigned round)
{
	static char keys[BATCH][24], values[BATCH][VALUE * 2];
	struct kvrel_slice args[BATCH][3];
	struct t_request requests[BATCH];

	for (unsigned i = 0; i < KEYS; i += BATCH) {
		for (unsigned j = 0; j < BATCH; j++) {
			size_t size = VALUE + (i + j) % 7 * round % 7 * 20;

			memset(values[j], 'a' + (int)(round % 26), size);
			args[j][0] = (struct kvrel_slice){ "h", 1 };
			args[j][1] =
				(struct kvrel_slice){ keys[j], (size_t)snprintf(keys[j], 24, "key%u", (i + j) * 7919) };
			args[j][2] = (struct kvrel_slice){ values[j], size };
			requests[j] = (struct t_request){ .op = "hset", .args = args[j], .arg_count = 3 };
		}
		t_batch(&t, 0, requests, BATCH);
	}
}

static void *list_on(void *argument)
{
	const struct kvrel_slice bucket = { "h", 1 };

	(void)argument;
	for (; !atomic_load(&stop); atomic_fetch_add(&lists, 1))
		workload_expect(strncmp(t_call_slices(&t, 1, "hkeys", &bucket, 1), "OK [", 4) == 0, "no list", "");
	return NULL;
}

/* From the beginning to the end, a few keys at a time. */
static void *step_on(void *argument)
{
	char cursor[32] = "0";

	(void)argument;
	while (!atomic_load(&stop)) {
		const struct kvrel_slice args[4] = { { "h", 1 }, { cursor, strlen(cursor) }, { "*", 1 }, { "100", 3 } };
		const char *answer = t_call_slices(&t, 2, "hscan", args, 4);

		workload_expect(sscanf(answer, "OK [%31[0-9]", cursor) == 1, "no step", answer);
		atomic_fetch_add(&steps, 1);
	}
	return NULL;
}

static void *back_up(void *argument)
{
	char path[300];

	(void)argument;
	snprintf(path, sizeof(path), "%s/copy", dir);
	for (; !atomic_load(&stop); atomic_fetch_add(&backups, 1)) {
		atomic_store(&backup_began, atomic_load(&round_now));
		const char *answer =
			t_call_slices(&t, KVREL_NO_WORKER, "backup", &(struct kvrel_slice){ path, strlen(path) }, 1);

		atomic_store(&backup_began, 0);
		workload_expect(strcmp(answer, "OK nil") == 0, "no backup", answer);
		t_remove(path);
	}
	return NULL;
}

/* Begins the next round when no backup has seen too many. */
static void begin_round(unsigned round)
{
	unsigned began;

	while ((began = atomic_load(&backup_began)) != 0 && round >= began + ROUNDS_A_BACKUP)
		usleep(1000);
	atomic_store(&round_now, round);
	write_round(round);
}

static long long log_bytes(void)
{
	char path[600];
	long long bytes = 0;
	const struct dirent *entry;
	struct stat stat_of;
	DIR *log;

	snprintf(path, sizeof(path), "%s/log", dir);
	log = opendir(path);
	while ((entry = readdir(log)) != NULL) {
		snprintf(path, sizeof(path), "%s/log/%.200s", dir, entry->d_name);
		if (stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode))
			bytes += stat_of.st_size;
	}
	closedir(log);
	return bytes;
}

static long long data_bytes(void)
{
	char path[300];
	struct stat stat_of = { 0 };

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	workload_expect(stat(path, &stat_of) == 0, "no data file", path);
	return stat_of.st_size;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc == 3 && strcmp(argv[1], "--rounds") == 0 ? (unsigned)atoi(argv[2]) : 50;
	void *(*const readers[])(void *) = { list_on, step_on, back_up };
	long long late, alone, log_most = 0;
	struct kv_error err = { "" };
	pthread_t threads[3];

	t_make_dir(dir);
	t.options = t_options(&t, dir);
	t.options.workers = 3;
	t.options.durability = ENGINE_NONE;
	workload_expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	begin_round(1);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, readers[i], NULL);
	for (unsigned round = 2; round <= rounds; round++) {
		begin_round(round);
		log_most = log_bytes() > log_most ? log_bytes() : log_most;
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	late = data_bytes();
	for (unsigned round = 1; round <= ROUNDS_ALONE; round++)
		write_round(rounds + round);
	alone = data_bytes();
	t_close(&t);
	printf("kv_space: %d bytes of values overwritten %u times beside %ld lists, %ld steps and %ld backups: the "
	       "data file %lld bytes, %lld after some rounds without them; the log %lld at most\n",
	       KEYS * VALUE, rounds, atomic_load(&lists), atomic_load(&steps), atomic_load(&backups), late, alone,
	       log_most);
	workload_expect(alone <= late, "room is lost", "");
	/* each round replaces nearly all pages, 7 MB; those of two may have to be kept, besides what is being applied
	 */
	workload_expect(late <= 8LL * KEYS * VALUE, "the data file grows", "");
	/* half of the values are large: they stay in the log's files, whose unused part is bounded */
	workload_expect(log_most <= 12LL * T_SEGMENT_BYTES + 2LL * KEYS * VALUE, "the log grows", "");
	t_remove(dir);
	return 0;
}
