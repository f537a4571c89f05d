/* SPDX-License-Identifier: MIT */
#include "values.h"

#include "hash.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_AHEAD_FROM = 64 << 10 };

int value_fail(const struct values *values, uint64_t number, struct kv_error *err, const char *what)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(number, name);
	return kv_fail(err, "kv store: '%.300s/%s': %s", values->dir, name, what);
}

/* ---- the set -------------------------------------------------------------------------------------------------- */

/* The place of the file of that number, or of the next. */
static size_t place_of(const struct value_set *set, uint64_t number)
{
	size_t low = 0, high = set != NULL ? set->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->files[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct value_file *values_find(const struct values *values, uint64_t number)
{
	const struct value_set *set = atomic_load_explicit(&values->set, memory_order_acquire);
	size_t at = place_of(set, number);

	return set != NULL && at < set->count && set->files[at]->number == number ? set->files[at] : NULL;
}

struct value_set *value_set_new(size_t count, struct value_set *older)
{
	const bool fits = count <= (SIZE_MAX - sizeof(struct value_set)) / sizeof(struct value_file *);
	struct value_set *set = fits ? malloc(sizeof(*set) + count * sizeof(struct value_file *)) : NULL;

	if (set != NULL) {
		set->older = older;
		set->count = count;
	}
	return set;
}

bool values_add(struct values *values, uint64_t number, const struct value_row *row)
{
	struct value_set *before = atomic_load(&values->set), *set;
	size_t count = before != NULL ? before->count : 0, at = place_of(before, number);
	struct value_file *file;

	if (at < count && before->files[at]->number == number)
		return true;
	set = value_set_new(count + 1, before);
	file = calloc(1, sizeof(*file));
	if (set == NULL || file == NULL) {
		free(set);
		free(file);
		return false;
	}
	file->number = number;
	file->row = *row;
	for (size_t i = 0; i < count; i++)
		set->files[i + (i >= at)] = before->files[i];
	set->files[at] = file;
	atomic_store_explicit(&values->set, set, memory_order_release);
	atomic_fetch_add(&values->file_bytes, row->size);
	atomic_fetch_add(&values->live_bytes, row->live);
	return true;
}

bool values_have_empty(const struct values *values)
{
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (set->files[i]->row.live == 0)
			return true;
	return false;
}

void values_note_empty(struct values *values, uint64_t last_reader)
{
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; i < set->count; i++)
		if (set->files[i]->row.live == 0 && !set->files[i]->empty) {
			set->files[i]->empty = true;
			set->files[i]->last_reader = last_reader;
		}
}

struct value_file *values_take_empty(struct values *values, uint64_t oldest_reader)
{
	struct value_set *before = atomic_load(&values->set), *set;
	struct value_file *file;
	size_t at = 0;

	while (at < before->count && !(before->files[at]->empty && before->files[at]->last_reader < oldest_reader))
		at++;
	if (at == before->count || (set = value_set_new(before->count - 1, before)) == NULL)
		return NULL;
	file = before->files[at];
	for (size_t i = 0, kept = 0; i < before->count; i++)
		if (i != at)
			set->files[kept++] = before->files[i];
	atomic_store_explicit(&values->set, set, memory_order_release);
	atomic_fetch_sub(&values->file_bytes, file->row.size);
	return file;
}

void values_forget_sets(struct values *values)
{
	struct value_set *set = atomic_load(&values->set), *older, *next;

	if (set == NULL)
		return;
	for (older = set->older; older != NULL; older = next) {
		next = older->older;
		free(older);
	}
	set->older = NULL;
}

/* ---- the bytes ------------------------------------------------------------------------------------------------- */

static const char *map_file(const struct values *values, const struct value_file *file, struct kv_error *err)
{
	char name[SEGMENT_NAME_BYTES], path[sizeof(values->dir) + sizeof(name)];
	const struct segment_header *header;
	struct stat stat;
	char *map;
	int fd;

	segment_name(file->number, name);
	snprintf(path, sizeof(path), "%s/%s", values->dir, name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) != 0) {
		value_fail(values, file->number, err, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	map = (uint64_t)stat.st_size >= file->row.used ? mmap(NULL, file->row.used, PROT_READ, MAP_SHARED, fd, 0)
						       : NULL;
	close(fd);
	if (map == NULL || map == MAP_FAILED) {
		value_fail(values, file->number, err,
			   map == NULL ? "it was cut short: restore a backup" : strerror(errno));
		return NULL;
	}
	header = (const struct segment_header *)(const void *)map;
	if (!segment_header_valid(header, file->number, values->store)) {
		munmap(map, file->row.used);
		value_fail(values, file->number, err, "its header is damaged: restore a backup");
		return NULL;
	}
	madvise(map, file->row.used, MADV_RANDOM);
	return map;
}

const char *value_file_map(struct values *values, struct value_file *file, struct kv_error *err)
{
	const char *map = atomic_load_explicit(&file->map, memory_order_acquire);

	if (map != NULL)
		return map;
	pthread_mutex_lock(&values->map_lock);
	map = atomic_load(&file->map);
	if (map == NULL) {
		map = map_file(values, file, err);
		atomic_store_explicit(&file->map, map, memory_order_release);
	}
	pthread_mutex_unlock(&values->map_lock);
	return map;
}

struct far_value value_describe(uint64_t number, size_t offset, struct kvrel_slice value)
{
	return (struct far_value){ .segment = number,
				   .offset = (uint32_t)offset,
				   .size = (uint32_t)value.size,
				   .checksum = crc32c(0, value.data, value.size) };
}

struct far_value value_describe_record(const struct memtable *memtable, const struct record *record)
{
	const struct frame *frame = (const struct frame *)(const void *)((const char *)record - sizeof(*frame));
	struct kvrel_slice value = record_value(record);
	size_t offset = (size_t)(value.data - memtable->buffer);

	/* who wrote a log that is read again may have been a version that did not keep to it */
	if (!record_may_be_first(record) || memtable->replayed ||
	    frame->size != record_size(record->key_size, record->value_size))
		return value_describe(memtable->number, offset, value);
	return (struct far_value){ .segment = memtable->number,
				   .offset = (uint32_t)offset,
				   .size = (uint32_t)value.size,
				   .checksum = frame->checksum,
				   .frame = (uint32_t)((const char *)frame - memtable->buffer) };
}

/* A page of the system at a time would be slow from a disk. */
static void read_ahead(const char *at, size_t size)
{
	uintptr_t page = 4095, from = (uintptr_t)at & ~page;

	madvise((void *)from, (uintptr_t)at + size - from, MADV_WILLNEED);
}

/* Whether what the file holds is what was described. */
static bool is_whole(const struct value_file *file, const char *map, const struct far_value *far)
{
	const struct frame *frame = (const struct frame *)(const void *)(map + far->frame);
	uint64_t used = file->row.used, end = (uint64_t)far->offset + far->size;

	if (end > used)
		return false;
	if (far->frame == 0)
		return crc32c(0, map + far->offset, far->size) == far->checksum;
	return far->frame % 8 == 0 && far->frame + sizeof(*frame) <= far->offset &&
	       frame->size <= used - far->frame - sizeof(*frame) && end <= far->frame + sizeof(*frame) + frame->size &&
	       frame_checksum(frame, file->number) == far->checksum;
}

int value_resolve(struct values *values, const struct far_value *far, struct kvrel_slice *value, struct kv_error *err)
{
	struct value_file *file = values_find(values, far->segment);
	const char *map;
	char what[80];

	if (file == NULL)
		return value_fail(values, far->segment, err, "it is missing, and holds a value: restore a backup");
	map = value_file_map(values, file, err);
	if (map == NULL)
		return -1;
	if (far->size >= READ_AHEAD_FROM && (uint64_t)far->offset + far->size <= file->row.used)
		read_ahead(map + far->offset, far->size);
	*value = (struct kvrel_slice){ map + far->offset, far->size };
	if (is_whole(file, map, far))
		return 0;
	snprintf(what, sizeof(what), "the value at offset %u is damaged: restore a backup", far->offset);
	return value_fail(values, far->segment, err, what);
}

void values_forget(const struct values *values)
{
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		const char *map = atomic_load(&set->files[i]->map);

		if (map != NULL)
			madvise((void *)map, set->files[i]->row.used, MADV_DONTNEED);
	}
}
