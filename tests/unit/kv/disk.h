/* SPDX-License-Identifier: MIT */
/*
 * What is on the disk for sure of the files below a folder, and the writes since: from that follows what a power loss
 * may leave. Names of files are taken as durable at once: the log syncs its folder whenever it makes or renames one.
 */
#ifndef TEST_KV_DISK_H
#define TEST_KV_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { DISK_FILES_MAX = 1024, DISK_SECTOR = 512 };

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

struct disk {
	char dir[256];
	_Atomic bool tracking;
	pthread_mutex_t lock; /* all below */
	struct tracked files[DISK_FILES_MAX];
	unsigned count;
};

/* What becomes of writes that were not synced. */
enum fate { NOTHING, EVERYTHING, ANYTHING };

/* Whether it is a file below the folder, while it is tracked. */
bool disk_has(const struct disk *disk, int fd);
/* The file as it is when it is first seen counts as durable. */
struct tracked *disk_track(struct disk *disk, int fd);
void disk_wrote(struct tracked *file, const struct iovec *parts, int count, size_t at);
void disk_synced(struct tracked *file);
/* A synchronous write is on disk when it returns; those before it are not for that. */
void disk_wrote_synced(struct tracked *file);
/* Makes the folder `to` what a power loss leaves. */
void disk_lose_power(struct disk *disk, const char *to, enum fate fate);
/*
 * Makes `to` what a kill leaves: all that was written can be read, and is on the disk as far as it was. `failed`: a
 * file whose sync failed, or NULL. Its writes are lost, and no later sync will look for them.
 */
void disk_live_on(struct disk *disk, struct disk *to, const struct tracked *failed);
/* Forgets all files. */
void disk_forget(struct disk *disk);
/* Bits of luck that tore a write. */
extern unsigned disk_torn_writes;

#endif
