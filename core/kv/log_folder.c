/* SPDX-License-Identifier: MIT */
/* Which files of the log's folder are of this life, and in which order. */
#include "recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNUSED_LOOK_BYTES = 1 << 20 };

/* What is not applied lies in fewer segments than that, whatever their size. */
#define LIVE_BYTES_MAX ((uint64_t)(MEMTABLES_MAX + 1) * UINT32_MAX)

int segment_fail(const struct recovery *recovery, const struct segment *segment, struct kv_error *err, const char *what)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(segment->file.number, name);
	return kv_fail(err, "kv log: '%.300s/%s': %s", recovery->log->dir, name, what);
}

/*
 * A file whose header is of no life, or an earlier one, was probably never begun. If it holds frames of its number that
 * had become durable, the header is lost. Where it looks like an unused file's, those would not be far.
 */
static int check_unused(struct recovery *recovery, struct segment *segment, const struct segment_header *header,
			struct kv_error *err)
{
	const uint64_t applied = recovery->store->pages.state.applied;
	const struct log_bases live = { applied, applied + LIVE_BYTES_MAX };
	struct log_file file = segment->file;
	struct log_scan scan = { 0 };
	int code;

	if (segment_header_unused(header, file.number) && file.size > UNUSED_LOOK_BYTES)
		file.size = UNUSED_LOOK_BYTES;
	code = log_scan(&file, live, sizeof(struct segment_header), &scan);
	if (code != 0)
		return segment_fail(recovery, segment, err, strerror(code));
	if (scan.count > 0 && scan.durable > scan.base)
		return segment_fail(recovery, segment, err,
				    "damaged at offset 0: its header is not readable: restore a backup");
	return 0;
}

/* Its space was reserved whole before its header was written. */
static bool is_cut_short(const struct log_file *file)
{
	return file->size < SEGMENT_MIN || file->size % SEGMENT_UNIT != 0;
}

static int refuse_size(const struct recovery *recovery, const struct segment *segment, struct kv_error *err)
{
	char what[160];

	snprintf(what, sizeof(what), "it was cut short at offset %zu: restore it, or a backup", segment->file.size);
	return segment_fail(recovery, segment, err, what);
}

static int refuse_name(const struct recovery *recovery, const struct segment *segment, uint64_t number,
		       struct kv_error *err)
{
	char name[SEGMENT_NAME_BYTES], what[160];

	segment_name(number, name);
	snprintf(what, sizeof(what), "its header says that it is '%s': give it that name, or restore a backup", name);
	return segment_fail(recovery, segment, err, what);
}

/* Looks at one file. Its header tells whether it belongs to this life, and its base whether the pages hold it already.
 */
static int segment_look(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	const struct durable *store = recovery->store;
	struct segment_header header;
	struct stat stat;
	int code;

	if (fstat(segment->file.fd, &stat) != 0)
		return segment_fail(recovery, segment, err, strerror(errno));
	segment->file.size = (size_t)stat.st_size;
	if (segment->file.size <= sizeof(header) || segment->file.size > UINT32_MAX)
		return 0; /* a crash while it was being made */
	code = file_read(segment->file.fd, &header, sizeof(header), 0);
	if (code != 0)
		return segment_fail(recovery, segment, err, strerror(code));
	if (memcmp(header.magic, SEGMENT_MAGIC, sizeof(header.magic)) == 0 && header.format > SEGMENT_FORMAT)
		return segment_fail(recovery, segment, err, "has a newer format: run the version that wrote it");
	segment->reusable = segment->file.size == store->options.segment_size;
	if (segment_header_valid(&header, segment->file.number, store->pages.state.store)) {
		segment->base = header.base;
		segment->live = header.base >= store->pages.state.applied;
		segment->applied = !segment->live;
		return segment->live && is_cut_short(&segment->file) ? refuse_size(recovery, segment, err) : 0;
	}
	return segment_header_misplaced(&header, segment->file.number, store->pages.state.store)
		       ? refuse_name(recovery, segment, header.number, err)
		       : check_unused(recovery, segment, &header, err);
}

static int segment_add(struct recovery *recovery, uint64_t number, int fd, struct kv_error *err)
{
	struct segment *grown = realloc(recovery->segments, (recovery->count + 1) * sizeof(*grown)), *segment;

	if (grown == NULL) {
		close(fd);
		return kv_fail(err, "out of memory");
	}
	recovery->segments = grown;
	segment = &grown[recovery->count++];
	*segment = (struct segment){ .file = { .fd = fd, .number = number } };
	return segment_look(recovery, segment, err);
}

/* One of which a power loss left nothing but the header begins where the next one does, and was made before. */
static int by_base(const void *a, const void *b)
{
	const struct segment *left = a, *right = b;
	uint64_t left_base = left->live ? left->base : 0, right_base = right->live ? right->base : 0;

	if (left_base == right_base)
		return (left->file.number > right->file.number) - (left->file.number < right->file.number);
	return left_base < right_base ? -1 : 1;
}

/* Whether all of it is applied and it is kept for its values: then it is not looked at. */
static bool is_kept(const struct recovery *recovery, uint64_t number)
{
	const struct pages *pages = &recovery->store->pages;
	struct value_file *file = values_find(pages->values, number);

	if (file != NULL)
		file->seen = 1;
	return file != NULL && file->row.base < pages->state.applied;
}

static int check_kept(const struct recovery *recovery, struct kv_error *err)
{
	const struct values *values = recovery->store->pages.values;
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; i < set->count; i++)
		if (set->files[i]->seen == 0)
			return value_fail(values, set->files[i]->number, err,
					  "it is missing, and holds values: restore it, or a backup");
	return 0;
}

int log_look(struct recovery *recovery, struct kv_error *err)
{
	const char *path = recovery->log->dir;
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int code = 0;

	if (dir == NULL)
		return kv_fail(err, "kv log: cannot open '%.300s': %s", path, strerror(errno));
	while (code == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		uint64_t number;
		int fd;

		if (!segment_number(entry->d_name, &number))
			continue;
		if (number > recovery->highest)
			recovery->highest = number;
		if (is_kept(recovery, number))
			continue;
		fd = segment_open(recovery->log->dir_fd, number);
		code = fd < 0 ? kv_fail(err, "kv log: cannot open '%.200s/%.64s': %s", path, entry->d_name,
					strerror(errno))
			      : segment_add(recovery, number, fd, err);
	}
	if (code == 0 && errno != 0)
		code = kv_fail(err, "kv log: cannot read '%.300s': %s", path, strerror(errno));
	closedir(dir);
	if (code == 0)
		code = check_kept(recovery, err);
	if (recovery->count > 0)
		qsort(recovery->segments, recovery->count, sizeof(*recovery->segments), by_base);
	return code;
}

static bool was_begun(int dir_fd, uint64_t number)
{
	struct segment_header header;
	int fd = segment_open(dir_fd, number);
	bool begun = fd >= 0 && file_read(fd, &header, sizeof(header), 0) == 0 &&
		     segment_header_valid(&header, header.number, header.store);

	if (fd >= 0)
		close(fd);
	return begun;
}

bool log_was_begun(const char *dir, char name[SEGMENT_NAME_BYTES])
{
	DIR *files = opendir(dir);
	const struct dirent *entry;
	uint64_t number, first = UINT64_MAX;

	while (files != NULL && (entry = readdir(files)) != NULL)
		if (segment_number(entry->d_name, &number) && number < first && was_begun(dirfd(files), number))
			first = number;
	if (files != NULL)
		closedir(files);
	segment_name(first, name);
	return first != UINT64_MAX;
}
