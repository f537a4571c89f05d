/* SPDX-License-Identifier: MIT */
#include "made_log.h"

#include "hash.h"
#include "pages.h"
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void made_log_state(const char *dir, uint64_t *applied, uint64_t store[2])
{
	struct pages pages = { 0 };
	struct kv_error err = { "" };

	workload_expect(pages_open(&pages, dir, 1 << 30, 4, &err) == 0, "cannot open the pages", err.message);
	*applied = pages.state.applied;
	memcpy(store, pages.state.store, sizeof(pages.state.store));
	pages_close(&pages);
}

void made_begin(struct made_segment *segment, uint64_t number, uint64_t base, const uint64_t store[2])
{
	struct segment_header header;

	crc32c_init();
	memset(segment, 0, sizeof(*segment));
	segment->number = number;
	segment->base = base;
	segment_header_set(&header, number, base, store);
	memcpy(segment->bytes, &header, sizeof(header));
	segment->used = sizeof(header);
}

void made_record(struct made_segment *segment, enum record_kind kind, uint64_t bucket, const char *key,
		 struct kvrel_slice value)
{
	const struct kvrel_slice name = { key, strlen(key) };

	if (segment->frame == NULL) {
		segment->frame = segment->bytes + segment->used;
		segment->used += sizeof(struct frame);
	}
	record_write(segment->bytes + segment->used, kind, bucket, name, value);
	segment->used += record_size(name.size, value.size);
}

void made_frame_end(struct made_segment *segment)
{
	struct frame *frame = (struct frame *)(void *)segment->frame;
	size_t at = (size_t)(segment->frame - segment->bytes);

	frame->size = (uint32_t)(segment->used - at - sizeof(*frame));
	frame->position = segment->base + at - sizeof(struct segment_header);
	frame->checksum = frame_checksum(frame, segment->number);
	segment->used = at + frame_size(frame->size);
	segment->frame = NULL;
}

uint64_t made_end(const struct made_segment *segment)
{
	return segment->base + segment->used - sizeof(struct segment_header);
}

void made_write(const struct made_segment *segment, const char *dir)
{
	char name[SEGMENT_NAME_BYTES], path[400];
	int fd;

	segment_name(segment->number, name);
	snprintf(path, sizeof(path), "%s/log", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/log/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	workload_expect(fd >= 0 && write(fd, segment->bytes, sizeof(segment->bytes)) == (ssize_t)sizeof(segment->bytes),
			"cannot write a segment", path);
	close(fd);
}
