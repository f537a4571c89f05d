/* SPDX-License-Identifier: MIT */
/*
 * Results of many items, and results that outlive what they point to.
 *
 * A listing gathers borrowed keys and values, which have to stay where they are until it is completed. Its memory is
 * capped: what would need more becomes an error that advises to go stepwise.
 */
#ifndef KV_LISTING_H
#define KV_LISTING_H

#include "engine.h"

struct listing {
	struct kvrel_result *items;
	size_t count, capacity;
	uint64_t bytes, max_bytes;
	bool no_memory;
};

void listing_init(struct listing *listing, uint64_t max_bytes);
void listing_done(struct listing *listing);
void listing_bytes(struct listing *listing, struct kvrel_slice bytes);
void listing_nil(struct listing *listing);
/* What `what` asks for of one key and its value. */
void listing_entry(struct listing *listing, enum engine_what what, struct kvrel_slice key, struct kvrel_slice value);
static inline bool listing_failed(const struct listing *listing)
{
	return listing->no_memory || listing->bytes > listing->max_bytes;
}

/* Whether a step of a stepwise listing is large enough, however few its items are: the next one has to fit as well. */
static inline bool listing_has_enough(const struct listing *listing)
{
	return listing->bytes > listing->max_bytes / 2;
}

/* The parts of a stepwise result; what it points to is in here. */
struct listing_step {
	struct kvrel_result parts[2];
	char cursor[24];
};

/* The result that the listing amounts to, an error among them; valid as long as the listing, and `step`. */
struct kvrel_result listing_result(const struct listing *listing, const struct engine_scan *scan, uint64_t cursor,
				   struct listing_step *step);

/* A copy in one block of memory, of *size bytes, for free(); NULL without memory. Two levels of items at most. */
struct kvrel_result *result_copy(const struct kvrel_result *result, size_t *size);

/*
 * Where stepwise listings stand. A step ends at a key, but the cursors of Redis' clients are numbers: a number stands
 * for the key it ended at, the same number however often steps end there, and whoever takes them. CURSOR_COUNT keys are
 * remembered, fewer where they are long, those that steps last ended at or began from; a number that is forgotten is an
 * "invalid cursor". Any thread.
 */
struct cursors;
struct cursors *cursors_new(void);
void cursors_free(struct cursors *cursors);
/* A number other than 0; 0 without memory. */
uint64_t cursors_save(struct cursors *cursors, struct kvrel_slice key);
/* The key, a copy for free(); data NULL when the number is not known (or without memory). */
struct kvrel_slice cursors_find(struct cursors *cursors, uint64_t number);

#endif
