/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include "array.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>

void listing_init(struct listing *listing, uint64_t max_bytes)
{
	*listing = (struct listing){ .max_bytes = max_bytes };
}

void listing_done(struct listing *listing)
{
	free(listing->items);
	*listing = (struct listing){ 0 };
}

static void add(struct listing *listing, enum kvrel_kind kind, struct kvrel_slice bytes)
{
	struct kvrel_result *grown;

	if (listing_failed(listing))
		return;
	grown = array_grow(listing->items, listing->count, &listing->capacity, sizeof(*grown));
	if (grown == NULL) {
		listing->no_memory = true;
		return;
	}
	listing->items = grown;
	listing->bytes += bytes.size + sizeof(struct kvrel_result);
	listing->items[listing->count++] = (struct kvrel_result){ .status = KVREL_OK, .kind = kind, .bytes = bytes };
}

void listing_bytes(struct listing *listing, struct kvrel_slice bytes)
{
	add(listing, KVREL_BYTES, bytes);
}

void listing_nil(struct listing *listing)
{
	add(listing, KVREL_NIL, (struct kvrel_slice){ 0 });
}

void listing_entry(struct listing *listing, enum engine_what what, struct kvrel_slice key, struct kvrel_slice value)
{
	if (what != ENGINE_VALUES)
		listing_bytes(listing, key);
	if (what == ENGINE_VALUES || what == ENGINE_PAIRS)
		listing_bytes(listing, value);
}

static struct kvrel_result error_result(const char *message)
{
	return (struct kvrel_result){ .status = KVREL_ERROR,
				      .kind = KVREL_BYTES,
				      .bytes = { message, strlen(message) } };
}

struct kvrel_result listing_result(const struct listing *listing, const struct engine_scan *scan, uint64_t cursor,
				   struct listing_step *step)
{
	struct kvrel_result result = { .status = KVREL_OK,
				       .kind = scan->what == ENGINE_PAIRS ? KVREL_PAIRS : KVREL_LIST,
				       .items = listing->items,
				       .count = listing->count };

	if (listing->no_memory)
		return error_result("out of memory");
	if (listing_failed(listing))
		return error_result("the listing is larger than kv.max_listing: go through it with scan or hscan");
	if (!scan->stepwise)
		return result;
	step->parts[0] =
		(struct kvrel_result){ .status = KVREL_OK,
				       .kind = KVREL_BYTES,
				       .bytes = { step->cursor, number_print((int64_t)cursor, step->cursor) } };
	step->parts[1] = result;
	return (struct kvrel_result){ .status = KVREL_OK, .kind = KVREL_LIST, .items = step->parts, .count = 2 };
}

/* ---- copies ------------------------------------------------------------------------------------------------ */

static void measure(const struct kvrel_result *result, size_t *nodes, size_t *bytes)
{
	*nodes += 1;
	*bytes += result->bytes.size;
	for (size_t i = 0; i < result->count; i++)
		measure(&result->items[i], nodes, bytes);
}

/* Fills *to; items come from *node on, bytes from *byte on. */
static void copy_into(const struct kvrel_result *from, struct kvrel_result *to, struct kvrel_result **node, char **byte)
{
	*to = *from;
	if (from->bytes.size > 0) {
		memcpy(*byte, from->bytes.data, from->bytes.size);
		to->bytes.data = *byte;
		*byte += from->bytes.size;
	}
	if (from->count > 0) {
		struct kvrel_result *items = *node;

		*node += from->count;
		to->items = items;
		for (size_t i = 0; i < from->count; i++)
			copy_into(&from->items[i], &items[i], node, byte);
	}
}

struct kvrel_result *result_copy(const struct kvrel_result *result, size_t *size)
{
	size_t nodes = 0, bytes = 0;
	struct kvrel_result *copy, *node;
	char *byte;

	measure(result, &nodes, &bytes);
	*size = nodes * sizeof(*copy) + bytes;
	copy = malloc(*size);
	if (copy == NULL)
		return NULL;
	node = copy + 1;
	byte = (char *)(copy + nodes);
	copy_into(result, copy, &node, &byte);
	return copy;
}
