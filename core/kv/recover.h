/* SPDX-License-Identifier: MIT */
/* Replaying the frames of one segment into its memtable. */
#ifndef KV_RECOVER_H
#define KV_RECOVER_H

#include "durable.h"

struct replay_binding;
struct replay {
	struct durable *store;
	struct memtable *memtable;
	struct slot *slot;
	struct replay_binding *bindings; /* bucket ids to buckets: a segment names each before it mentions it */
	size_t count, mask;
};

/* The memtable is already the store's newest. replay_end() in any case. */
int replay_begin(struct replay *replay, struct durable *store, struct memtable *memtable, struct kv_error *err);
void replay_end(struct replay *replay);
/* The frame's checksum is right; its records are checked here. */
int replay_frame(struct replay *replay, const struct frame *frame, struct kv_error *err);

#endif
