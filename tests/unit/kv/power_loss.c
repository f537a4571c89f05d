/* SPDX-License-Identifier: MIT */
/*
 * The power fails at every sync: a store made of what was synced and of any part of what was not has to hold every
 * acknowledged write.
 *
 *	kv_power_loss [--cuts N] [everysec]
 *
 * The program stands in for the system calls that write and sync, for itself and for LMDB, and keeps what is on disk
 * for sure (disk.h). At a sync, before it is done, it builds the folder that a power loss would leave at this moment:
 * unsynced writes are there, missing, or torn at sectors, in any combination. It opens a store on that and compares it
 * with what was acknowledged by then.
 *
 * Every fourth time it is a kill first, or a sync that fails: then a store opens on what can be read, though not all of
 * it is on the disk, takes more writes, and the power fails after that.
 *
 * With `everysec` the last writes may be missing, but a start takes what is there for damage never, and what it finds
 * is what the store was like at some moment.
 */
#include "disk.h"
#include "workload.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITES_BETWEEN = 12 };

static struct disk disk, second;
static char third[256];
static struct workload workload;
static struct t_engine t;
static enum engine_durability durability = ENGINE_ALWAYS;
static unsigned cuts, cuts_wanted = 500, images_with_cut_tail, lived_on;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);

static void find_real_calls(void)
{
	*(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
	*(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
}

static void copy_acknowledged(struct workload *to)
{
	const struct told *from = &workload.keys[0][0];
	struct told *told = &to->keys[0][0];

	for (int i = 0; i < WORKLOAD_WORKERS * WORKLOAD_KEYS; i++)
		atomic_store(&told[i].acknowledged,
			     durability == ENGINE_ALWAYS ? atomic_load(&from[i].acknowledged) : 0);
	for (int i = 0; i < WORKLOAD_WORKERS; i++)
		atomic_store(&to->life[i].acknowledged,
			     durability == ENGINE_ALWAYS ? atomic_load(&workload.life[i].acknowledged) : 0);
}

static void copy_issued(struct workload *to)
{
	const struct told *from = &workload.keys[0][0];
	struct told *told = &to->keys[0][0];

	for (int i = 0; i < WORKLOAD_WORKERS * WORKLOAD_KEYS; i++)
		atomic_store(&told[i].issued, atomic_load(&from[i].issued));
	for (int i = 0; i < WORKLOAD_WORKERS; i++)
		atomic_store(&to->life[i].issued, atomic_load(&workload.life[i].issued));
}

/* A store on that folder holds what `expected` says. */
static void check_folder(const char *dir, struct workload *expected)
{
	static struct t_engine after;

	t_open(&after, dir, ENGINE_ALWAYS);
	workload_check(expected, &after);
	images_with_cut_tail += strstr(after.log, "torn write") != NULL;
	t_close(&after);
	t_remove(dir);
}

/* What it was told to write since is there as well. */
static void live_on(struct workload *expected, const struct tracked *failed)
{
	static struct workload told;
	static struct t_engine between;
	unsigned random = cuts;

	disk_live_on(&disk, &second, failed);
	copy_issued(expected);
	t_open(&between, second.dir, ENGINE_ALWAYS);
	workload_check(expected, &between);
	for (int i = 0; i < WRITES_BETWEEN; i++)
		workload_write(expected, &between, 0, &random);
	pthread_mutex_lock(&second.lock);
	disk_lose_power(&second, third, cuts % 16 < 8 ? NOTHING : ANYTHING);
	pthread_mutex_unlock(&second.lock);
	memcpy(&told, expected, sizeof(told));
	t_close(&between);
	atomic_store(&second.tracking, false);
	disk_forget(&second);
	t_remove(second.dir);
	check_folder(third, &told);
	lived_on++;
}

/* Under the disk's lock, which keeps every other thread from syncing, and so from acknowledging. */
static void lose_power(const struct tracked *syncing)
{
	static struct workload expected;

	if (cuts >= cuts_wanted)
		return;
	cuts++;
	copy_acknowledged(&expected);
	if (cuts % 4 == 3) {
		live_on(&expected, cuts % 8 == 3 ? NULL : syncing);
		return;
	}
	disk_lose_power(&disk, second.dir, (enum fate)(cuts % 4));
	copy_issued(&expected);
	check_folder(second.dir, &expected);
}

/* LMDB has to find these instead of the C library's. */
#define STANDS_IN __attribute__((visibility("default")))

/* ---- the system calls --------------------------------------------------------------------------------------- */

static struct disk *disk_of(int fd)
{
	return disk_has(&disk, fd) ? &disk : disk_has(&second, fd) ? &second : NULL;
}

STANDS_IN ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	struct disk *on = disk_of(fd);
	ssize_t wrote;

	if (on == NULL)
		return real_pwrite(fd, bytes, size, at);
	pthread_mutex_lock(&on->lock);
	struct tracked *file = disk_track(on, fd);

	wrote = real_pwrite(fd, bytes, size, at);
	if (wrote > 0) {
		struct iovec part = { (void *)bytes, (size_t)wrote };
		bool synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;

		if (synced && on == &disk)
			lose_power(NULL);
		disk_wrote(file, &part, 1, (size_t)at);
		if (synced)
			disk_wrote_synced(file);
	}
	pthread_mutex_unlock(&on->lock);
	return wrote;
}

STANDS_IN ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct disk *on = disk_of(fd);
	ssize_t wrote;

	if (on == NULL)
		return real_writev(fd, parts, count);
	pthread_mutex_lock(&on->lock);
	struct tracked *file = disk_track(on, fd);
	off_t at = lseek(fd, 0, SEEK_CUR);

	wrote = real_writev(fd, parts, count);
	if (wrote > 0)
		disk_wrote(file, parts, count, (size_t)at);
	pthread_mutex_unlock(&on->lock);
	return wrote;
}

static int sync_tracked(struct disk *on, int fd)
{
	pthread_mutex_lock(&on->lock);
	struct tracked *file = disk_track(on, fd);

	if (on == &disk)
		lose_power(file);
	disk_synced(file);
	pthread_mutex_unlock(&on->lock);
	return 0;
}

STANDS_IN int fdatasync(int fd)
{
	struct disk *on = disk_of(fd);

	return on != NULL ? sync_tracked(on, fd) : real_fdatasync(fd);
}

STANDS_IN int fsync(int fd)
{
	struct disk *on = disk_of(fd);

	return on != NULL ? sync_tracked(on, fd) : real_fsync(fd);
}

/* ---- the load ----------------------------------------------------------------------------------------------- */

static _Atomic bool stop;

static void *work(void *argument)
{
	unsigned worker = (unsigned)(uintptr_t)argument, random = 77 + worker;

	while (!atomic_load(&stop))
		workload_write(&workload, &t, worker, &random);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[WORKLOAD_WORKERS];
	struct kv_error err = { "" };
	const char *kept;
	char large[64];

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "everysec") == 0) {
			durability = ENGINE_EVERYSEC;
		} else if (strcmp(argv[i], "--cuts") == 0 && i + 1 < argc) {
			cuts_wanted = (unsigned)atoi(argv[++i]);
		} else {
			fprintf(stderr, "usage: kv_power_loss [--cuts N] [everysec]\n");
			return 2;
		}
	}
	find_real_calls();
	pthread_mutex_init(&disk.lock, NULL);
	pthread_mutex_init(&second.lock, NULL);
	t_make_dir(disk.dir);
	snprintf(second.dir, sizeof(second.dir), "%.240s-second", disk.dir);
	snprintf(third, sizeof(third), "%.240s-third", disk.dir);
	t.options = t_options(&t, disk.dir);
	t.options.durability = durability;
	t.options.checkpoint_ms = 1000; /* segments fill up first, so that some are kept for their values */
	atomic_store(&disk.tracking, true);
	workload_expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i);
	for (bool done = false; !done; usleep(10000)) {
		pthread_mutex_lock(&disk.lock);
		done = cuts >= cuts_wanted;
		pthread_mutex_unlock(&disk.lock);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_join(threads[i], NULL);
	kept = strstr(t_call(&t, "stats", NULL), "value_bytes: ");
	snprintf(large, sizeof(large), "%.*s", kept != NULL ? (int)strcspn(kept, ",") : 0, kept);
	t_close(&t);
	printf("kv_power_loss: %u cut points, %u of them after a kill or a failed sync, %u torn writes, %u stores "
	       "opened with a tail cut; %ld acknowledged writes, %s; %s\n",
	       cuts, lived_on, disk_torn_writes, images_with_cut_tail, workload_acknowledged(&workload),
	       durability == ENGINE_ALWAYS ? "none missing" : "the last ones missing at most", large);
	t_remove(disk.dir);
	return 0;
}
