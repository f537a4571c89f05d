/* SPDX-License-Identifier: MIT */
/*
 * What keeps the data: the narrow interface between kv's operations and a storage engine.
 *
 * A request is decoded arguments plus the call they came from. The engine owns the call from submit() on and completes
 * it exactly once: at once when it can, later when it has to wait (for a sync, for a copy, for another machine). So a
 * request that never waits costs no allocation, and an engine that lives elsewhere fits the same interface.
 *
 * Buckets hold keys with values. A bucket made by ENGINE_CREATE stays until ENGINE_DROP; one that a write with
 * ENGINE_MAKE brought about goes with its last key, as a Redis hash does.
 *
 * Threads: submit, prefetch, batch_ran and batch_end run on worker threads, call->worker telling which
 * (KVREL_NO_WORKER: a thread of a console, several at a time). open, close and set_durability run on the main thread.
 * Whatever is submitted by one worker is seen by its own later requests at once, by everybody's once it is
 * acknowledged; a write of several keys is seen as a whole or not at all, and a result never tells of a write that a
 * power loss could still undo (durability `always`) or a kill (the others).
 */
#ifndef KV_ENGINE_H
#define KV_ENGINE_H

#include "kvrel/component.h"

enum {
	KV_BUCKET_NAME_MAX = 65535,
	KV_KEY_MAX = 65535,
	KV_VALUE_MAX = 16 << 20,
	KV_ERROR_BYTES = 512,
};

struct kv_error {
	char message[KV_ERROR_BYTES];
};

/* Fills `err` and returns -1, so that failing is one `return`. */
int kv_fail(struct kv_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum engine_durability {
	ENGINE_ALWAYS,   /* acknowledged when synced */
	ENGINE_EVERYSEC, /* handed to the operating system at once, synced once a second */
	ENGINE_NONE,     /* handed to the operating system at once */
};

enum engine_kind {
	ENGINE_CREATE,     /* → NIL, also when it is there */
	ENGINE_DROP,       /* items: names → INT how many there were */
	ENGINE_PUT,        /* items: key, value … → NIL, or INT new keys with ENGINE_COUNTED */
	ENGINE_INCREMENT,  /* items: key; delta → INT the new value */
	ENGINE_GET,        /* items: key → BYTES or NIL */
	ENGINE_GET_MANY,   /* items: keys → LIST of BYTES or NIL */
	ENGINE_DELETE,     /* items: keys → NIL, or INT how many there were with ENGINE_COUNTED */
	ENGINE_HAS,        /* items: key → INT 0 or 1 */
	ENGINE_VALUE_SIZE, /* items: key → INT bytes */
	ENGINE_LENGTH,     /* → INT keys in the bucket */
	ENGINE_LIST, /* keys, values or both of a bucket, or names of buckets → LIST or PAIRS, see struct engine_scan */
	ENGINE_EXISTS, /* items: names → INT how many there are, repeated names counted again */
	ENGINE_COUNT,  /* → INT number of buckets */
	ENGINE_STATS,  /* → PAIRS */
	ENGINE_SYNC,   /* → NIL when everything so far is durable */
	ENGINE_BACKUP, /* items: path → NIL when the copy is complete and durable */
	ENGINE_VERIFY, /* → NIL when all that is on disk is sound */
	ENGINE_KIND_COUNT
};

enum engine_flags {
	ENGINE_MAKE = 1,    /* PUT, INCREMENT: makes the bucket when it is missing; else NOT_FOUND */
	ENGINE_IF_NEW = 2,  /* PUT: only keys that are not there */
	ENGINE_COUNTED = 4, /* the result is a number */
	ENGINE_LENIENT = 8, /* reads and deletes: a missing bucket is an empty one */
};

enum engine_what {
	ENGINE_KEYS,
	ENGINE_VALUES,
	ENGINE_PAIRS,
	ENGINE_BUCKETS, /* names of buckets; `bucket` is not used */
};

/*
 * A listing is in order of keys; long ones that begin alike (pages.h) may come in another order. With `stepwise` it is
 * a part of one: the result is a LIST of the cursor to go on with ("0": the end) and the items, about `count` keys
 * looked at, fewer where they are large; what is there from the first step to the last is listed at least once.
 */
struct engine_scan {
	enum engine_what what;
	bool stepwise;
	uint64_t cursor;
	uint64_t count;
	struct kvrel_slice match; /* glob; data NULL: all */
};

struct engine_request {
	enum engine_kind kind;
	uint32_t flags;
	struct kvrel_call *call;
	struct kvrel_slice bucket;
	const struct kvrel_slice *items;
	uint32_t item_count;
	int64_t delta;
	bool *removed; /* DELETE, DROP: NULL, or one for each item, false at first: set to true for what was there */
	/* PUT, INCREMENT, DELETE: NULL, or called when the request has taken its place among the writes of all, in
	 * their order, unless it is completed within submit(). With a lock held: it must not call the engine. */
	void (*placed)(struct kvrel_call *call);
	struct engine_scan scan;
};

/* About the bucket that is the call's first argument, with the rest as items: what most requests are. */
static inline struct engine_request engine_request_of(struct kvrel_call *call, enum engine_kind kind, uint32_t flags)
{
	return (struct engine_request){ .kind = kind,
					.flags = flags,
					.call = call,
					.bucket = call->args[0],
					.items = call->args + 1,
					.item_count = call->arg_count - 1 };
}

/* Whether the item was there, so that `removed` says so too. */
static inline bool engine_removed(const struct engine_request *request, uint32_t item, bool there)
{
	if (there && request->removed != NULL)
		request->removed[item] = true;
	return there;
}

static inline void engine_placed(const struct engine_request *request)
{
	if (request->placed != NULL)
		request->placed(request->call);
}

/* Where an engine tells what nobody asked for. Any thread. */
struct engine_host {
	void *context;
	void (*log)(void *context, enum kvrel_log_level level, const char *message);
	/* The engine cannot go on: it answers writes with errors from now on. */
	void (*failed)(void *context, const char *message);
	/* First in each thread that the engine makes; NULL: nobody wants to know. */
	void (*thread_begin)(void *context);
	/* On the call's worker: so much of its result is kept until the call is completed. NULL as above. */
	void (*call_held)(void *context, struct kvrel_call *call, size_t bytes);
	/* Writes should wait, or need not any more. Any thread, one at a time; must not call the engine. NULL as above.
	 */
	void (*hold_writes)(void *context, bool hold);
};

struct engine_options {
	const char *dir; /* made if missing; the durable engine's alone */
	unsigned workers;
	enum engine_durability durability;
	uint64_t map_size;      /* how large the store may grow, bytes */
	uint64_t segment_size;  /* of the log, bytes */
	uint64_t cache_size;    /* of all workers' caches together, bytes */
	uint64_t list_max;      /* bytes that one listing may hold */
	uint64_t checkpoint_ms; /* the oldest unapplied write gets no older than about this */
	bool leave_out_all;     /* what newer writes overtake is not applied, whether that pays or not: for tests */
	struct engine_host host;
};

struct engine;

struct engine_type {
	const char *name;
	/* Touches what submit() will need. bucket and key as in the request to come. */
	void (*prefetch)(struct engine *engine, struct kvrel_call *call, struct kvrel_slice bucket,
			 struct kvrel_slice key);
	void (*submit)(struct engine *engine, const struct engine_request *request);
	/* submit() of an ENGINE_GET with these flags, of the bucket and key that are the call's arguments: most
	 * requests. */
	void (*get)(struct engine *engine, struct kvrel_call *call, uint32_t flags);
	/* And of an ENGINE_PUT of one key, which with its value comes behind the bucket. */
	void (*put)(struct engine *engine, struct kvrel_call *call, uint32_t flags);
	void (*batch_ran)(struct engine *engine, uint32_t worker);
	void (*batch_end)(struct engine *engine, uint32_t worker);
	void (*set_durability)(struct engine *engine, enum engine_durability durability);
	/* Everything acknowledged is durable afterwards; calls still waiting are completed. */
	void (*close)(struct engine *engine);
};

struct engine {
	const struct engine_type *type;
};

/* 0, or -1 and why. The engine is the caller's until type->close(). */
int engine_durable_open(const struct engine_options *options, struct engine **out, struct kv_error *err);
int engine_memory_open(const struct engine_options *options, struct engine **out, struct kv_error *err);

#endif
