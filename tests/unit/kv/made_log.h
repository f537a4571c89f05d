/* SPDX-License-Identifier: MIT */
/* Segments of the log made by hand, for what no kill can be relied on to leave. */
#ifndef TEST_KV_MADE_LOG_H
#define TEST_KV_MADE_LOG_H

#include "log.h"
#include "record.h"

struct made_segment {
	uint64_t number, base;
	uint64_t store[2];
	size_t used;
	char *frame; /* being made, NULL: none */
	char bytes[1 << 20];
};

/* What the pages of a store that is closed go on from. */
void made_log_state(const char *dir, uint64_t *applied, uint64_t store[2]);
/* With its header. */
void made_begin(struct made_segment *segment, uint64_t number, uint64_t base, const uint64_t store[2]);
/* Into the frame that is being made, or a new one. */
void made_record(struct made_segment *segment, enum record_kind kind, uint64_t bucket, const char *key,
		 struct kvrel_slice value);
void made_frame_end(struct made_segment *segment);
/* The position behind its frames. */
uint64_t made_end(const struct made_segment *segment);
/* To the store's folder, as large as a segment. */
void made_write(const struct made_segment *segment, const char *dir);

#endif
