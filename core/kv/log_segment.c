/* SPDX-License-Identifier: MIT */
/*
 * Segment files. Space is reserved when a file is made, so that a full disk shows there, as an error of one request,
 * and never in the middle of the log. A file that is done with becomes a later segment: its blocks are there and need
 * no further metadata to be written. None is a link: a folder that somebody else made must not lead to files elsewhere.
 */
#include "log.h"

#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- any file ---------------------------------------------------------------------------------------------- */

int file_read(int fd, void *to, size_t size, size_t at)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(at + done));

		if (got == 0)
			return EIO;
		if (got < 0 && errno != EINTR)
			return errno;
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int file_write(int fd, const void *bytes, size_t size, size_t at)
{
	for (size_t done = 0; done < size;) {
		ssize_t wrote = pwrite(fd, (const char *)bytes + done, size - done, (off_t)(at + done));

		if (wrote == 0)
			return EIO;
		if (wrote < 0 && errno != EINTR)
			return errno;
		done += wrote > 0 ? (size_t)wrote : 0;
	}
	return 0;
}

int file_clear(int fd, size_t from, size_t end)
{
	static const char zeros[65536];
	int code = 0;

	for (size_t size; code == 0 && from < end; from += size) {
		size = end - from < sizeof(zeros) ? end - from : sizeof(zeros);
		code = file_write(fd, zeros, size, from);
	}
	return code;
}

int file_sync_parent(const char *path)
{
	char parent[4300];
	char *slash;
	int fd, code;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash != NULL)
		slash[slash == parent ? 1 : 0] = '\0';
	fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	code = fsync(fd);
	close(fd);
	return code;
}

/* ---- segments ---------------------------------------------------------------------------------------------- */

void segment_name(uint64_t number, char out[SEGMENT_NAME_BYTES])
{
	snprintf(out, SEGMENT_NAME_BYTES, "%016" PRIx64 ".log", number);
}

bool segment_number(const char *name, uint64_t *number)
{
	char expected[SEGMENT_NAME_BYTES];

	if (sscanf(name, "%16" SCNx64, number) != 1)
		return false;
	segment_name(*number, expected);
	return strcmp(name, expected) == 0;
}

static int reserve(int fd, size_t size)
{
	int code;

	do
		code = fallocate(fd, 0, 0, (off_t)size);
	while (code != 0 && errno == EINTR);
	if (code == 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return code;
	/* what cannot be reserved is written in full, which reserves as well */
	errno = file_clear(fd, 0, size);
	return errno == 0 ? 0 : -1;
}

int segment_create(int dir_fd, uint64_t number, size_t size)
{
	char name[SEGMENT_NAME_BYTES];
	int fd, errnum;

	segment_name(number, name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (reserve(fd, size) == 0 && fsync(fd) == 0 && fsync(dir_fd) == 0)
		return fd;
	errnum = errno;
	unlinkat(dir_fd, name, 0);
	close(fd);
	errno = errnum;
	return -1;
}

int segment_reuse(int dir_fd, int fd, size_t size, uint64_t from, uint64_t to)
{
	char old_name[SEGMENT_NAME_BYTES], new_name[SEGMENT_NAME_BYTES];
	struct stat stat;

	/* a copy that a backup made is as long as what it holds, one of another program's may have holes */
	if (fstat(fd, &stat) != 0)
		return -1;
	if (((size_t)stat.st_size != size || (uint64_t)stat.st_blocks * 512 < size) &&
	    (reserve(fd, size) != 0 || fsync(fd) != 0))
		return -1;
	segment_name(from, old_name);
	segment_name(to, new_name);
	if (renameat(dir_fd, old_name, dir_fd, new_name) != 0)
		return -1;
	return fsync(dir_fd);
}

int segment_open(int dir_fd, uint64_t number)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(number, name);
	return openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

int segment_remove(int dir_fd, uint64_t number)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(number, name);
	return unlinkat(dir_fd, name, 0);
}

static uint32_t header_checksum(const struct segment_header *header)
{
	struct segment_header copy = *header;

	copy.checksum = 0;
	return crc32c(0, &copy, sizeof(copy));
}

void segment_begin(struct memtable *memtable, const uint64_t store[2])
{
	segment_header_set((struct segment_header *)(void *)memtable->buffer, memtable->number, memtable->base, store);
}

void segment_header_set(struct segment_header *header, uint64_t number, uint64_t base, const uint64_t store[2])
{
	*header = (struct segment_header){
		.format = SEGMENT_FORMAT, .number = number, .base = base, .store = { store[0], store[1] }
	};
	memcpy(header->magic, SEGMENT_MAGIC, sizeof(header->magic));
	header->checksum = header_checksum(header);
}

static bool is_whole(const struct segment_header *header)
{
	return memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) == 0 &&
	       header->checksum == header_checksum(header);
}

bool segment_header_valid(const struct segment_header *header, uint64_t number, const uint64_t store[2])
{
	return is_whole(header) && header->number == number && header->store[0] == store[0] &&
	       header->store[1] == store[1];
}

bool segment_header_unused(const struct segment_header *header, uint64_t number)
{
	static const struct segment_header zeros;

	return memcmp(header, &zeros, sizeof(zeros)) == 0 || (is_whole(header) && header->number < number);
}

bool segment_header_misplaced(const struct segment_header *header, uint64_t number, const uint64_t store[2])
{
	return header->number > number && segment_header_valid(header, header->number, store);
}

uint32_t frame_checksum(const struct frame *frame, uint64_t number)
{
	return crc32c((uint32_t)(number ^ number >> 32), &frame->size,
		      sizeof(*frame) - sizeof(frame->checksum) + frame->size);
}
