/* SPDX-License-Identifier: MIT */
#include "node/dist/frame.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
	VALUE_BYTES_LEAST = 5,    /* of one value in a reply: so many items fit into a frame at most */
	ITEMS_KEPT = 4096,        /* larger arrays go back to the heap */
	HELLO_MAGIC = 0x6b766431, /* "kvd1" */
	REQUEST_BYTES_FIXED = 8 + 8 + 4 + 1 + 1 + 4,
};

/* ---- reading ---- */

struct reader {
	const unsigned char *at;
	size_t left;
	bool failed;
};

static struct reader reader_of(struct slice s)
{
	return (struct reader){ (const unsigned char *)s.data, s.size, false };
}

static bool has(struct reader *r, size_t size)
{
	if (r->left < size)
		r->failed = true;
	return !r->failed;
}

/* 1, 2, 4 or 8 bytes; `bytes` is a constant wherever it is called. */
static inline __attribute__((always_inline)) uint64_t get_number(struct reader *r, size_t bytes)
{
	uint64_t number = 0;
	if (!has(r, bytes))
		return 0;
	memcpy((char *)&number + sizeof(number) - bytes, r->at, bytes);
	number = be64toh(number);
	r->at += bytes;
	r->left -= bytes;
	return number;
}

static struct slice get_bytes(struct reader *r, size_t size)
{
	if (!has(r, size))
		return (struct slice){ 0 };
	struct slice out = { (const char *)r->at, size };
	r->at += size;
	r->left -= size;
	return out;
}

static bool all_read(const struct reader *r)
{
	return !r->failed && r->left == 0;
}

int frame_next(struct slice input, size_t max, char *type, struct slice *payload, size_t *consumed)
{
	struct reader r = reader_of(input);
	uint64_t size = get_number(&r, 4);
	if (r.failed)
		return 0;
	if (size == 0 || size > max)
		return -1;
	if (r.left < size)
		return 0;
	*type = input.data[4];
	*payload = (struct slice){ input.data + FRAME_HEADER_BYTES, (size_t)size - 1 };
	*consumed = 4 + (size_t)size;
	return 1;
}

/* ---- writing: sizes first, then straight into the buffer ---- */

static inline __attribute__((always_inline)) char *put_number(char *to, uint64_t number, size_t bytes)
{
	number = htobe64(number);
	memcpy(to, (const char *)&number + sizeof(number) - bytes, bytes);
	return to + bytes;
}

static char *put_bytes(char *to, const char *data, size_t size)
{
	if (size > 0)
		memcpy(to, data, size);
	return to + size;
}

static char *put_header(char *to, enum frame_type type, size_t payload)
{
	to = put_number(to, payload + 1, 4);
	*to = (char)type;
	return to + 1;
}

/* Room for a whole frame; NULL when there is none. */
static char *begin(struct buf *out, enum frame_type type, size_t payload)
{
	char *to = buf_reserve(out, FRAME_HEADER_BYTES + payload);
	if (to == NULL)
		return NULL;
	out->size += FRAME_HEADER_BYTES + payload;
	return put_header(to, type, payload);
}

void frame_put(struct buf *out, enum frame_type type, struct slice payload)
{
	char *to = begin(out, type, payload.size);
	if (to != NULL)
		put_bytes(to, payload.data, payload.size);
}

/* ---- greetings ---- */

static char *put_name(char *to, struct slice name)
{
	return put_bytes(put_number(to, name.size, 2), name.data, name.size);
}

static struct slice get_name(struct reader *r)
{
	size_t size = get_number(r, 2);
	if (size > FRAME_NAME_MAX)
		r->failed = true;
	return get_bytes(r, size);
}

void frame_put_hello(struct buf *out, const struct frame_hello *hello)
{
	char *to = begin(out, FRAME_HELLO, 4 + 4 + 8 + 2 + hello->from.size + 2 + hello->to.size);
	if (to == NULL)
		return;
	to = put_number(to, HELLO_MAGIC, 4);
	to = put_number(to, hello->version, 4);
	to = put_number(to, hello->instance, 8);
	to = put_name(to, hello->from);
	put_name(to, hello->to);
}

/* A later version may say more at the end. */
bool frame_get_hello(struct slice payload, struct frame_hello *out)
{
	struct reader r = reader_of(payload);
	bool ours = get_number(&r, 4) == HELLO_MAGIC;
	out->version = (uint32_t)get_number(&r, 4);
	out->instance = get_number(&r, 8);
	out->from = get_name(&r);
	out->to = get_name(&r);
	return ours && !r.failed && out->from.size > 0;
}

void frame_put_control(struct buf *out, struct slice name)
{
	char *to = begin(out, FRAME_CONTROL, 4 + 4 + 2 + name.size);
	if (to == NULL)
		return;
	to = put_number(to, HELLO_MAGIC, 4);
	to = put_number(to, FRAME_VERSION, 4);
	put_name(to, name);
}

bool frame_get_control(struct slice payload, uint32_t *version, struct slice *to)
{
	struct reader r = reader_of(payload);
	bool ours = get_number(&r, 4) == HELLO_MAGIC;
	*version = (uint32_t)get_number(&r, 4);
	*to = get_name(&r);
	return ours && !r.failed;
}

/* ---- requests ---- */

static size_t request_size(const struct frame_request *request)
{
	size_t size = REQUEST_BYTES_FIXED + request->op.size;
	for (uint32_t i = 0; i < request->seen_count; i++)
		size += 1 + request->seen[i].size;
	for (uint32_t i = 0; i < request->arg_count && size <= FRAME_MAX; i++)
		size += 4 + request->args[i].size;
	return size;
}

static char *put_short(char *to, struct slice name)
{
	*to++ = (char)(unsigned char)name.size;
	return put_bytes(to, name.data, name.size);
}

bool frame_put_request(struct buf *out, const struct frame_request *request)
{
	size_t size = request_size(request);
	char *to = size < FRAME_MAX && request->op.size <= FRAME_NAME_MAX ? begin(out, FRAME_REQUEST, size) : NULL;
	if (to == NULL)
		return false;
	to = put_number(to, request->id, 8);
	to = put_number(to, request->trace, 8);
	to = put_number(to, request->timeout_ms, 4);
	to = put_short(to, request->op);
	*to++ = (char)request->seen_count;
	for (uint32_t i = 0; i < request->seen_count; i++)
		to = put_short(to, request->seen[i]);
	to = put_number(to, request->arg_count, 4);
	for (uint32_t i = 0; i < request->arg_count; i++) {
		to = put_number(to, request->args[i].size, 4);
		to = put_bytes(to, request->args[i].data, request->args[i].size);
	}
	return true;
}

bool frame_get_request(struct slice payload, struct frame_request *out, struct slice *args)
{
	struct reader r = reader_of(payload);
	out->id = get_number(&r, 8);
	out->trace = get_number(&r, 8);
	out->timeout_ms = (uint32_t)get_number(&r, 4);
	out->op = get_bytes(&r, get_number(&r, 1));
	out->seen_count = (uint32_t)get_number(&r, 1);
	if (out->seen_count > FRAME_SEEN_MAX)
		return false;
	for (uint32_t i = 0; i < out->seen_count; i++)
		out->seen[i] = get_bytes(&r, get_number(&r, 1));
	out->arg_count = (uint32_t)get_number(&r, 4);
	out->args = NULL;
	if (r.failed || out->arg_count > r.left / 4)
		return false;
	*args = (struct slice){ (const char *)r.at, r.left };
	return true;
}

uint64_t frame_request_id(struct slice payload)
{
	struct reader r = reader_of(payload);
	return get_number(&r, 8);
}

bool frame_get_args(struct slice args, struct kvrel_slice *out, uint32_t count)
{
	struct reader r = reader_of(args);
	for (uint32_t i = 0; i < count; i++) {
		struct slice arg = get_bytes(&r, get_number(&r, 4));
		out[i] = (struct kvrel_slice){ arg.data, arg.size };
	}
	return all_read(&r);
}

/* ---- replies ---- */

static size_t value_size(const struct kvrel_result *value)
{
	size_t size = VALUE_BYTES_LEAST;
	if (value->kind == KVREL_INT)
		return 1 + 8;
	if (value->kind == KVREL_BYTES)
		return size + value->bytes.size;
	for (size_t i = 0; i < value->count && size <= FRAME_MAX; i++)
		size += value_size(&value->items[i]);
	return size;
}

static char *put_value(char *to, const struct kvrel_result *value)
{
	*to++ = (char)value->kind;
	switch (value->kind) {
	case KVREL_INT:
		return put_number(to, (uint64_t)value->integer, 8);
	case KVREL_BYTES:
		return put_bytes(put_number(to, value->bytes.size, 4), value->bytes.data, value->bytes.size);
	case KVREL_NIL:
		return put_number(to, 0, 4);
	case KVREL_LIST:
	case KVREL_PAIRS:
		break;
	}
	to = put_number(to, value->count, 4);
	for (size_t i = 0; i < value->count; i++)
		to = put_value(to, &value->items[i]);
	return to;
}

bool frame_put_reply(struct buf *out, uint64_t id, const struct kvrel_result *result)
{
	size_t size = 8 + 1 + value_size(result);
	char *to = size < FRAME_MAX ? begin(out, FRAME_REPLY, size) : NULL;
	if (to == NULL)
		return false;
	to = put_number(to, id, 8);
	*to++ = (char)result->status;
	put_value(to, result);
	return true;
}

void frame_items_done(struct frame_items *items)
{
	free(items->items);
	*items = (struct frame_items){ 0 };
}

/* `wanted` items more that stay where they are: all of a reply are in one piece, made before the first is read. */
static struct kvrel_result *items_take(struct frame_items *items, size_t wanted)
{
	if (wanted > items->capacity - items->count)
		return NULL;
	struct kvrel_result *out = items->items + items->count;
	items->count += wanted;
	return out;
}

static bool items_prepare(struct frame_items *items, size_t most)
{
	items->count = 0;
	if (items->capacity > ITEMS_KEPT && most <= ITEMS_KEPT)
		frame_items_done(items);
	if (most <= items->capacity)
		return true;
	struct kvrel_result *grown = realloc(items->items, most * sizeof(*grown));
	if (grown == NULL)
		return false;
	items->items = grown;
	items->capacity = most;
	return true;
}

static void get_value(struct reader *r, struct kvrel_result *out, struct frame_items *items, unsigned depth)
{
	*out = (struct kvrel_result){ .kind = (enum kvrel_kind)get_number(r, 1) };
	if (out->kind == KVREL_INT) {
		out->integer = (int64_t)get_number(r, 8);
		return;
	}
	size_t size = get_number(r, 4);
	if (out->kind == KVREL_BYTES) {
		struct slice bytes = get_bytes(r, size);
		out->bytes = (struct kvrel_slice){ bytes.data, bytes.size };
		return;
	}
	bool listed = out->kind == KVREL_LIST || (out->kind == KVREL_PAIRS && size % 2 == 0);
	if (r->failed || (!listed && (out->kind != KVREL_NIL || size != 0)) || size > r->left / VALUE_BYTES_LEAST ||
	    (size > 0 && depth == 0)) {
		r->failed = true;
		return;
	}
	struct kvrel_result *mine = size > 0 ? items_take(items, size) : NULL;
	if (size > 0 && mine == NULL) {
		r->failed = true;
		return;
	}
	for (size_t i = 0; i < size && !r->failed; i++)
		get_value(r, &mine[i], items, depth - 1);
	out->items = mine;
	out->count = size;
}

static bool holds_items(const struct reader *r)
{
	return r->left > 0 && (r->at[0] == KVREL_LIST || r->at[0] == KVREL_PAIRS);
}

bool frame_get_reply(struct slice payload, uint64_t *id, struct kvrel_result *out, struct frame_items *items)
{
	struct reader r = reader_of(payload);
	struct kvrel_result result;
	*id = get_number(&r, 8);
	uint64_t status = get_number(&r, 1);
	if (r.failed || status > KVREL_ERROR)
		return false;
	if (!items_prepare(items, holds_items(&r) ? r.left / VALUE_BYTES_LEAST : 0))
		return false;
	get_value(&r, &result, items, FRAME_DEPTH_MAX);
	result.status = (enum kvrel_status)status;
	if (!all_read(&r))
		return false;
	*out = result;
	return true;
}
