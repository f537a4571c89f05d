/* SPDX-License-Identifier: MIT */
/*
 * The power fails at every sync: a store made of what was synced and of any part of what was not has to hold every
 *acknowledged write.
 *
 *	kv_power_loss [--cuts N]
 *
 * The program stands in for the system calls that write and sync, for itself and for LMDB. Of each file below the
 *store's folder it keeps what is on disk for sure and the writes since. At a sync, before it is done, it builds the
 *folder that a power loss would leave at this moment: unsynced writes are there, missing, or torn at sectors, in any
 *combination. It opens a store on that and compares it with what was acknowledged by then. Names of files are taken as
 *durable at once: the log syncs its folder whenever it makes or renames one.
 */
#include "workload.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES_MAX = 1024, SECTOR = 512 };

struct pending {
	struct pending *next;
	size_t at, size;
	char bytes[];
};

struct tracked {
	ino_t inode;
	char *durable;
	size_t size;
	struct pending *first, **last;
};

static struct tracked files[FILES_MAX];
static unsigned file_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[256], image_dir[256];
static struct workload workload;
static struct t_engine t;
static unsigned cuts, cuts_wanted = 500, torn_writes, images_with_cut_tail, random_state = 1;
static _Atomic bool tracking;

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

/* ---- what is on disk --------------------------------------------------------------------------------------- */

static bool is_ours(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t size;

	if (!atomic_load(&tracking))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	return size > (ssize_t)strlen(dir) && memcmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/';
}

static void make_larger(struct tracked *file, size_t size)
{
	if (size <= file->size)
		return;
	file->durable = realloc(file->durable, size);
	memset(file->durable + file->size, 0, size - file->size);
	file->size = size;
}

/* The file as it is when it is first seen counts as durable. */
static struct tracked *track(int fd)
{
	struct tracked *file;
	struct stat stat;

	workload_expect(fstat(fd, &stat) == 0, "fstat", strerror(errno));
	for (unsigned i = 0; i < file_count; i++)
		if (files[i].inode == stat.st_ino)
			return &files[i];
	workload_expect(file_count < FILES_MAX, "too many files", "");
	file = &files[file_count++];
	*file = (struct tracked){ .inode = stat.st_ino };
	file->last = &file->first;
	if (!S_ISREG(stat.st_mode))
		return file;
	make_larger(file, (size_t)stat.st_size);
	for (size_t at = 0; at < file->size;) {
		ssize_t got = pread(fd, file->durable + at, file->size - at, (off_t)at);

		if (got <= 0)
			break;
		at += (size_t)got;
	}
	return file;
}

static void put(struct tracked *file, const struct pending *write)
{
	make_larger(file, write->at + write->size);
	memcpy(file->durable + write->at, write->bytes, write->size);
}

static void add_pending(struct tracked *file, const struct iovec *parts, int count, size_t at)
{
	size_t size = 0, filled = 0;
	struct pending *write;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	write = malloc(sizeof(*write) + size);
	*write = (struct pending){ .at = at, .size = size };
	for (int i = 0; i < count; i++) {
		memcpy(write->bytes + filled, parts[i].iov_base, parts[i].iov_len);
		filled += parts[i].iov_len;
	}
	*file->last = write;
	file->last = &write->next;
}

static void make_durable(struct tracked *file)
{
	while (file->first != NULL) {
		struct pending *write = file->first;

		put(file, write);
		file->first = write->next;
		free(write);
	}
	file->last = &file->first;
}

/* A synchronous write is on disk when it returns; those before it are not for that. */
static void last_is_durable(struct tracked *file)
{
	struct pending **at = &file->first;

	while ((*at)->next != NULL)
		at = &(*at)->next;
	put(file, *at);
	free(*at);
	*at = NULL;
	file->last = at;
}

/* ---- what a power loss leaves ------------------------------------------------------------------------------ */

enum fate { NOTHING, EVERYTHING, ANYTHING };

static void apply_pending(char *image, const struct pending *write, enum fate fate)
{
	unsigned luck = workload_random(&random_state) % 4;

	if (fate == NOTHING || (fate == ANYTHING && luck == 0))
		return;
	if (fate == EVERYTHING || luck == 1) {
		memcpy(image + write->at, write->bytes, write->size);
		return;
	}
	torn_writes++;
	for (size_t at = 0; at < write->size;) {
		size_t end = (write->at + at) / SECTOR * SECTOR + SECTOR - write->at;

		end = end < write->size ? end : write->size;
		if (workload_random(&random_state) % 2 == 0)
			memcpy(image + write->at + at, write->bytes + at, end - at);
		at = end;
	}
}

static void write_image(const struct tracked *file, const char *path, size_t size, enum fate fate)
{
	char *image = NULL;
	size_t needed = size;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	workload_expect(fd >= 0, "cannot write an image", path);
	for (const struct pending *write = file != NULL ? file->first : NULL; write != NULL; write = write->next)
		needed = write->at + write->size > needed ? write->at + write->size : needed;
	if (file != NULL && file->size > needed)
		needed = file->size;
	image = calloc(1, needed + 1);
	if (file != NULL) {
		memcpy(image, file->durable, file->size);
		for (const struct pending *write = file->first; write != NULL; write = write->next)
			apply_pending(image, write, fate);
	}
	workload_expect(real_pwrite(fd, image, needed, 0) == (ssize_t)needed, "cannot write an image", path);
	free(image);
	close(fd);
}

static void copy_folder(const char *from, const char *to, enum fate fate)
{
	DIR *folder = opendir(from);
	const struct dirent *entry;

	mkdir(to, 0700);
	while ((entry = readdir(folder)) != NULL) {
		char source[PATH_MAX], target[PATH_MAX];
		const struct tracked *file = NULL;
		struct stat stat;

		snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
		snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
		if (entry->d_name[0] == '.' || strstr(entry->d_name, "lock") != NULL || lstat(source, &stat) != 0)
			continue;
		if (S_ISDIR(stat.st_mode)) {
			copy_folder(source, target, fate);
			continue;
		}
		for (unsigned i = 0; i < file_count; i++)
			if (files[i].inode == stat.st_ino)
				file = &files[i];
		write_image(file, target, (size_t)stat.st_size, fate);
	}
	closedir(folder);
}

static void copy_acknowledged(struct workload *to)
{
	const struct told *from = &workload.keys[0][0];
	struct told *told = &to->keys[0][0];

	for (int i = 0; i < WORKLOAD_WORKERS * WORKLOAD_KEYS; i++)
		atomic_store(&told[i].acknowledged, atomic_load(&from[i].acknowledged));
	for (int i = 0; i < WORKLOAD_WORKERS; i++)
		atomic_store(&to->life[i].acknowledged, atomic_load(&workload.life[i].acknowledged));
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

/* Under `lock`, which keeps every other thread from syncing, and so from acknowledging. */
static void lose_power(void)
{
	static struct workload expected;
	static struct t_engine after;

	if (cuts >= cuts_wanted)
		return;
	cuts++;
	copy_acknowledged(&expected);
	copy_folder(dir, image_dir, (enum fate)(cuts % 4 < 2 ? cuts % 4 : ANYTHING));
	copy_issued(&expected);
	t_open(&after, image_dir, ENGINE_ALWAYS);
	workload_check(&expected, &after);
	images_with_cut_tail += strstr(after.log, "torn write") != NULL;
	t_close(&after);
	t_remove(image_dir);
}

/* LMDB has to find these instead of the C library's. */
#define STANDS_IN __attribute__((visibility("default")))

/* ---- the system calls --------------------------------------------------------------------------------------- */

STANDS_IN ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	ssize_t wrote;

	if (!is_ours(fd))
		return real_pwrite(fd, bytes, size, at);
	pthread_mutex_lock(&lock);
	struct tracked *file = track(fd);

	wrote = real_pwrite(fd, bytes, size, at);
	if (wrote > 0) {
		struct iovec part = { (void *)bytes, (size_t)wrote };

		if (fcntl(fd, F_GETFL) & O_DSYNC)
			lose_power();
		add_pending(file, &part, 1, (size_t)at);
		if (fcntl(fd, F_GETFL) & O_DSYNC)
			last_is_durable(file);
	}
	pthread_mutex_unlock(&lock);
	return wrote;
}

STANDS_IN ssize_t writev(int fd, const struct iovec *parts, int count)
{
	ssize_t wrote;

	if (!is_ours(fd))
		return real_writev(fd, parts, count);
	pthread_mutex_lock(&lock);
	struct tracked *file = track(fd);
	off_t at = lseek(fd, 0, SEEK_CUR);

	wrote = real_writev(fd, parts, count);
	if (wrote > 0)
		add_pending(file, parts, count, (size_t)at);
	pthread_mutex_unlock(&lock);
	return wrote;
}

static int sync_tracked(int fd, int (*real)(int))
{
	(void)real;
	pthread_mutex_lock(&lock);
	lose_power();
	make_durable(track(fd));
	pthread_mutex_unlock(&lock);
	return 0;
}

STANDS_IN int fdatasync(int fd)
{
	return is_ours(fd) ? sync_tracked(fd, real_fdatasync) : real_fdatasync(fd);
}

STANDS_IN int fsync(int fd)
{
	return is_ours(fd) ? sync_tracked(fd, real_fsync) : real_fsync(fd);
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

	if (argc == 3 && strcmp(argv[1], "--cuts") == 0)
		cuts_wanted = (unsigned)atoi(argv[2]);
	find_real_calls();
	t_make_dir(dir);
	snprintf(image_dir, sizeof(image_dir), "%.240s-image", dir);
	t.options = t_options(&t, dir);
	t.options.checkpoint_ms = 1000; /* segments fill up first, so that some are kept for their values */
	atomic_store(&tracking, true);
	workload_expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i);
	for (bool done = false; !done; usleep(10000)) {
		pthread_mutex_lock(&lock);
		done = cuts >= cuts_wanted;
		pthread_mutex_unlock(&lock);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WORKLOAD_WORKERS; i++)
		pthread_join(threads[i], NULL);
	kept = strstr(t_call(&t, "stats", NULL), "value_bytes: ");
	snprintf(large, sizeof(large), "%.*s", kept != NULL ? (int)strcspn(kept, ",") : 0, kept);
	t_close(&t);
	printf("kv_power_loss: %u cut points, %u torn writes, %u stores opened with a tail cut; %ld acknowledged "
	       "writes, "
	       "none missing; %s\n",
	       cuts, torn_writes, images_with_cut_tail, workload_acknowledged(&workload), large);
	t_remove(dir);
	t_remove(image_dir);
	return 0;
}
