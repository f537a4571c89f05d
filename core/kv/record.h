/* SPDX-License-Identifier: MIT */
/*
 * What the log holds, on disk and in memory alike: a memtable's buffer is the image of its segment file.
 *
 * segment: header, frame, frame … to the first that does not check. A frame is one request, all of it or nothing: a
 * header and records, padded to 8 bytes. Its checksum begins with the segment's number, so that what an earlier life of
 * a recycled file left behind never passes. Positions count the bytes of all frames since the store was made; a frame
 * knows its own.
 *
 * Little-endian. SEGMENT_FORMAT changes with any of this.
 */
#ifndef KV_RECORD_H
#define KV_RECORD_H

#include "bytes.h"
#include "kvrel/component.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats of the store are little-endian"
#endif

#define SEGMENT_MAGIC "kvrelLOG"
enum { SEGMENT_FORMAT = 1 };

struct segment_header {
	char magic[8];
	uint32_t format;
	uint32_t checksum; /* of the whole header with this at 0 */
	uint64_t number;   /* of this segment; a file name alone may be of a later life */
	uint64_t base;     /* position of the first frame */
	uint64_t store[2]; /* which store it belongs to */
	uint64_t reserved[2];
};

struct frame {
	uint32_t checksum; /* of what follows, records included */
	uint32_t size;     /* of the records */
	uint64_t position;
};

enum record_kind {
	RECORD_PUT = 1, /* key, value; the key was there */
	RECORD_ADD,     /* key, value; the key is new */
	RECORD_DELETE,  /* key, which was there */
	RECORD_CREATE,  /* key: the bucket's name; value: struct record_bucket */
	RECORD_NAME,    /* the same, of a bucket that exists and that this segment is about to mention */
	RECORD_VANISH,  /* key: name; the bucket was empty */
	RECORD_DROP,    /* key: name; the bucket went with its keys */
	RECORD_MARK,    /* value: 8 bytes, the position up to which all was synced when this was written; or none */
};

#define BUCKET_ID_MAX (((uint64_t)1 << 40) - 1)

struct record {
	uint32_t value_size;
	uint16_t key_size;
	uint8_t kind;
	uint8_t bucket_high;
	uint32_t bucket_low;
	char bytes[]; /* key, value, padding to 4 */
};

/* Of a bucket at this place of the log: what replay goes on from. */
struct record_bucket {
	int64_t count;  /* keys */
	uint64_t stays; /* when it is empty */
};

_Static_assert(sizeof(struct segment_header) == 64, "header");
_Static_assert(sizeof(struct frame) == 16, "frame");
_Static_assert(sizeof(struct record) == 12, "record");

static inline size_t record_size(size_t key_size, size_t value_size)
{
	return (sizeof(struct record) + key_size + value_size + 3) & ~(size_t)3;
}

static inline size_t frame_size(size_t records)
{
	return (sizeof(struct frame) + records + 7) & ~(size_t)7;
}

enum { RECORD_ALIGN = 4, FRAME_ALIGN = 8, MARK_FRAME_SIZE = 40 }; /* frame_size(record_size(0, 8)) */

static inline struct kvrel_slice record_key(const struct record *record)
{
	return (struct kvrel_slice){ record->bytes, record->key_size };
}

static inline struct kvrel_slice record_value(const struct record *record)
{
	return (struct kvrel_slice){ record->bytes + record->key_size, record->value_size };
}

/* Whether the key is there after this record. */
static inline bool record_has_value(const struct record *record)
{
	return record->kind == RECORD_PUT || record->kind == RECORD_ADD;
}

static inline uint64_t record_bucket_id(const struct record *record)
{
	return (uint64_t)record->bucket_high << 32 | record->bucket_low;
}

/* The bucket that has the key: 0, the directory, where the record is about a bucket itself. */
static inline uint64_t record_owner(const struct record *record)
{
	return record->kind <= RECORD_DELETE ? record_bucket_id(record) : 0;
}

/* Of CREATE and NAME. */
static inline struct record_bucket record_bucket(const struct record *record)
{
	struct record_bucket bucket = { 0, 0 };

	if (record->value_size == sizeof(bucket))
		memcpy(&bucket, record_value(record).data, sizeof(bucket));
	return bucket;
}

/* Writes a record at `at` (of record_size() bytes, aligned to 4). */
static inline struct record *record_write(char *at, enum record_kind kind, uint64_t bucket, struct kvrel_slice key,
					  struct kvrel_slice value)
{
	struct record *record = (struct record *)(void *)at;

	record->value_size = (uint32_t)value.size;
	record->key_size = (uint16_t)key.size;
	record->kind = (uint8_t)kind;
	record->bucket_high = (uint8_t)(bucket >> 32);
	record->bucket_low = (uint32_t)bucket;
	copy_short(record->bytes, key.data, key.size);
	copy_short(record->bytes + key.size, value.data, value.size);
	return record;
}

/* Whether it is its frame's first one, as it is if whoever wrote it kept all others apart. */
static inline bool record_may_be_first(const void *at)
{
	return (uintptr_t)at % FRAME_ALIGN == 0;
}

enum { RECORD_APART_BYTES = sizeof(struct record) };

/* Writes a mark that marks nothing, where the next record would lie as a frame's first one does. Its end. */
static inline char *record_keep_apart(char *at)
{
	if (!record_may_be_first(at))
		return at;
	record_write(at, RECORD_MARK, 0, (struct kvrel_slice){ NULL, 0 }, (struct kvrel_slice){ NULL, 0 });
	return at + RECORD_APART_BYTES;
}

#endif
