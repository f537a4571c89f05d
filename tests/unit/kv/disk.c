/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include "workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned disk_torn_writes;
static unsigned random_state = 1;

/* ---- what is on disk --------------------------------------------------------------------------------------- */

bool disk_has(const struct disk *disk, int fd)
{
	const size_t length = strlen(disk->dir);
	char link[64], path[PATH_MAX];
	ssize_t size;

	if (!atomic_load(&disk->tracking))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	return size > (ssize_t)length && memcmp(path, disk->dir, length) == 0 && path[length] == '/';
}

static void make_larger(struct tracked *file, size_t size)
{
	if (size <= file->size)
		return;
	file->durable = realloc(file->durable, size);
	memset(file->durable + file->size, 0, size - file->size);
	file->size = size;
}

static struct tracked *find(struct disk *disk, ino_t inode)
{
	for (unsigned i = 0; i < disk->count; i++)
		if (disk->files[i].inode == inode)
			return &disk->files[i];
	return NULL;
}

static struct tracked *add(struct disk *disk, ino_t inode)
{
	struct tracked *file = &disk->files[disk->count++];

	workload_expect(disk->count < DISK_FILES_MAX, "too many files", "");
	*file = (struct tracked){ .inode = inode };
	file->last = &file->first;
	return file;
}

struct tracked *disk_track(struct disk *disk, int fd)
{
	struct tracked *file;
	struct stat stat;

	workload_expect(fstat(fd, &stat) == 0, "fstat", strerror(errno));
	file = find(disk, stat.st_ino);
	if (file != NULL)
		return file;
	file = add(disk, stat.st_ino);
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

void disk_wrote(struct tracked *file, const struct iovec *parts, int count, size_t at)
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

void disk_synced(struct tracked *file)
{
	while (file->first != NULL) {
		struct pending *write = file->first;

		put(file, write);
		file->first = write->next;
		free(write);
	}
	file->last = &file->first;
}

void disk_wrote_synced(struct tracked *file)
{
	struct pending **at = &file->first;

	while ((*at)->next != NULL)
		at = &(*at)->next;
	put(file, *at);
	free(*at);
	*at = NULL;
	file->last = at;
}

void disk_forget(struct disk *disk)
{
	for (unsigned i = 0; i < disk->count; i++) {
		disk_synced(&disk->files[i]);
		free(disk->files[i].durable);
	}
	disk->count = 0;
}

/* ---- what a power loss leaves ------------------------------------------------------------------------------ */

static void apply_pending(char *image, const struct pending *write, enum fate fate)
{
	unsigned luck = workload_random(&random_state) % 4;

	if (fate == NOTHING || (fate == ANYTHING && luck == 0))
		return;
	if (fate == EVERYTHING || luck == 1) {
		memcpy(image + write->at, write->bytes, write->size);
		return;
	}
	disk_torn_writes++;
	for (size_t at = 0; at < write->size;) {
		size_t end = (write->at + at) / DISK_SECTOR * DISK_SECTOR + DISK_SECTOR - write->at;

		end = end < write->size ? end : write->size;
		if (workload_random(&random_state) % 2 == 0)
			memcpy(image + write->at + at, write->bytes + at, end - at);
		at = end;
	}
}

static int write_image(const struct tracked *file, const char *path, size_t size, enum fate fate)
{
	char *image = NULL;
	size_t needed = size;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

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
	workload_expect(write(fd, image, needed) == (ssize_t)needed, "cannot write an image", path);
	free(image);
	return fd;
}

/* What is known of a file that a store lives on with. */
static void hand_on(struct disk *to, int fd, const struct tracked *file, bool failed)
{
	struct tracked *copy;
	struct stat stat;

	if (file == NULL) {
		disk_track(to, fd);
		return;
	}
	workload_expect(fstat(fd, &stat) == 0, "fstat", strerror(errno));
	copy = add(to, stat.st_ino);
	make_larger(copy, file->size);
	memcpy(copy->durable, file->durable, file->size);
	for (const struct pending *write = file->first; write != NULL && !failed; write = write->next) {
		const struct iovec part = { (void *)write->bytes, write->size };

		disk_wrote(copy, &part, 1, write->at);
	}
}

struct copying {
	struct disk *from, *to; /* to: NULL for a power loss */
	enum fate fate;
	const struct tracked *failed;
};

static void copy_folder(const struct copying *copying, const char *from, const char *to)
{
	DIR *folder = opendir(from);
	const struct dirent *entry;

	mkdir(to, 0700);
	while ((entry = readdir(folder)) != NULL) {
		char source[PATH_MAX], target[PATH_MAX];
		const struct tracked *file;
		struct stat stat;
		int fd;

		snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
		snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
		if (entry->d_name[0] == '.' || strstr(entry->d_name, "lock") != NULL || lstat(source, &stat) != 0)
			continue;
		if (S_ISDIR(stat.st_mode)) {
			copy_folder(copying, source, target);
			continue;
		}
		file = find(copying->from, stat.st_ino);
		fd = write_image(file, target, (size_t)stat.st_size, copying->fate);
		if (copying->to != NULL)
			hand_on(copying->to, fd, file, file != NULL && file == copying->failed);
		close(fd);
	}
	closedir(folder);
}

void disk_lose_power(struct disk *disk, const char *to, enum fate fate)
{
	copy_folder(&(struct copying){ .from = disk, .fate = fate }, disk->dir, to);
}

void disk_live_on(struct disk *disk, struct disk *to, const struct tracked *failed)
{
	copy_folder(&(struct copying){ disk, to, EVERYTHING, failed }, disk->dir, to->dir);
	atomic_store(&to->tracking, true);
}
