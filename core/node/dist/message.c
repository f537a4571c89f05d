/* SPDX-License-Identifier: MIT */
/* Requests and replies as bytes: many in a frame. */
#include "node/dist/frame.h"

#include "node/dist/frame_bytes.h"

#include <stdlib.h>

enum {
	VALUE_BYTES_LEAST = 5, /* of one value within a reply: so many items fit into a frame at most */
	ITEMS_KEPT = 4096,     /* larger arrays go back to the heap */
	TRACE_AT = FRAME_HEADER_BYTES,
	TIMEOUT_AT = TRACE_AT + 8,
	OP_AT = TIMEOUT_AT + 4,
	SHARED_LEAST = 8 + 4 + 1 + 1,
	REPLY_LEAST = 8 + 1,
	KIND_BITS = 4,
};

/* ---- frames that may still grow ---- */

static size_t open_size(const struct buf *out, const struct frame_open *open)
{
	return open->end == out->size ? open->end - open->at : 0;
}

/* `size` more bytes of the open frame; NULL when there is no room. */
static char *extend(struct buf *out, struct frame_open *open, size_t size)
{
	char *to = buf_reserve(out, size);
	if (to == NULL)
		return NULL;
	out->size += size;
	open->end = out->size;
	put_number(out->data + open->at, open->end - open->at - 4, 4);
	return to;
}

static char *begin_open(struct buf *out, struct frame_open *open, enum frame_type type, size_t payload)
{
	size_t at = out->size;
	char *to = begin_frame(out, type, payload);
	if (to != NULL)
		*open = (struct frame_open){ .at = at, .end = out->size };
	return to;
}

/* ---- writing requests ---- */

static size_t shared_size(const struct frame_request *request)
{
	size_t size = SHARED_LEAST + request->op.size;
	for (uint32_t i = 0; i < request->seen_count; i++)
		size += 1 + request->seen[i].size;
	return size;
}

static size_t own_size(const struct frame_request *request)
{
	size_t size = 8 + size_bytes(request->arg_count);
	for (uint32_t i = 0; i < request->arg_count && size <= FRAME_MAX; i++)
		size += size_bytes(request->args[i].size) + request->args[i].size;
	return size;
}

static char *put_short(char *to, struct slice name)
{
	*to++ = (char)(unsigned char)name.size;
	return put_bytes(to, name.data, name.size);
}

static char *put_shared(char *to, const struct frame_request *request)
{
	to = put_number(to, request->trace, 8);
	to = put_number(to, request->timeout_ms, 4);
	to = put_short(to, request->op);
	*to++ = (char)request->seen_count;
	for (uint32_t i = 0; i < request->seen_count; i++)
		to = put_short(to, request->seen[i]);
	return to;
}

/* Moves *at over the name when it is there. */
static bool is_there(const char **at, struct slice name)
{
	if ((unsigned char)**at != name.size || memcmp(*at + 1, name.data, name.size) != 0)
		return false;
	*at += 1 + name.size;
	return true;
}

static bool shares(const char *frame, const struct frame_request *request)
{
	char timeout[4];
	const char *at = frame + OP_AT;
	put_number(timeout, request->timeout_ms, sizeof(timeout));
	if (memcmp(frame + TIMEOUT_AT, timeout, sizeof(timeout)) != 0 || !is_there(&at, request->op) ||
	    (unsigned char)*at++ != request->seen_count)
		return false;
	for (uint32_t i = 0; i < request->seen_count; i++) {
		if (!is_there(&at, request->seen[i]))
			return false;
	}
	return true;
}

static bool may_join(const struct buf *out, const struct frame_open *open, const struct frame_request *request,
		     size_t size)
{
	size_t there = open_size(out, open);
	return there > 0 && there + size <= FRAME_SHARED_MAX && request->trace == open->next_trace &&
	       shares(out->data + open->at, request);
}

static void put_own(char *to, const struct frame_request *request)
{
	to = put_number(to, request->id, 8);
	to = put_size(to, request->arg_count);
	for (uint32_t i = 0; i < request->arg_count; i++) {
		to = put_size(to, request->args[i].size);
		to = put_bytes(to, request->args[i].data, request->args[i].size);
	}
}

bool frame_add_request(struct buf *out, struct frame_open *open, const struct frame_request *request)
{
	size_t size = own_size(request);
	char *to;
	if (may_join(out, open, request, size)) {
		to = extend(out, open, size);
	} else {
		size_t all = shared_size(request) + size;
		bool fits =
			all < FRAME_MAX && request->op.size <= FRAME_NAME_MAX && request->arg_count <= FRAME_ARGS_MAX;
		to = fits ? begin_open(out, open, FRAME_REQUESTS, all) : NULL;
		if (to != NULL)
			to = put_shared(to, request);
	}
	if (to == NULL)
		return false;
	put_own(to, request);
	open->next_trace = request->trace + 1;
	return true;
}

struct slice frame_cut(struct slice whole, struct slice rest, uint64_t trace)
{
	struct frame_request unused;
	struct slice first = { 0 };
	if (!frame_get_shared((struct slice){ whole.data + TRACE_AT, whole.size - TRACE_AT }, &unused, &first))
		return (struct slice){ rest.data, 0 };
	size_t head = (size_t)(first.data - whole.data);
	char *at = (char *)rest.data - head; /* the links' own memory: what came in */
	memmove(at, whole.data, head);
	put_header(at, FRAME_REQUESTS, head - FRAME_HEADER_BYTES + rest.size);
	put_number(at + TRACE_AT, trace, 8);
	return (struct slice){ at, head + rest.size };
}

/* ---- reading requests ---- */

bool frame_get_shared(struct slice payload, struct frame_request *out, struct slice *rest)
{
	struct reader r = reader_of(payload);
	out->trace = get_number(&r, 8);
	out->timeout_ms = (uint32_t)get_number(&r, 4);
	out->op = get_bytes(&r, get_number(&r, 1));
	out->seen_count = (uint32_t)get_number(&r, 1);
	if (out->seen_count > FRAME_SEEN_MAX)
		return false;
	for (uint32_t i = 0; i < out->seen_count; i++)
		out->seen[i] = get_bytes(&r, get_number(&r, 1));
	if (r.failed || r.left == 0)
		return false;
	*rest = (struct slice){ (const char *)r.at, r.left };
	return true;
}

bool frame_get_request(struct slice *rest, struct frame_request *out)
{
	struct reader r = reader_of(*rest);
	out->id = get_number(&r, 8);
	out->arg_count = (uint32_t)get_size(&r);
	out->args = NULL;
	*rest = (struct slice){ (const char *)r.at, r.left };
	return !r.failed && out->arg_count <= r.left && out->arg_count <= FRAME_ARGS_MAX;
}

bool frame_get_args(struct slice *rest, struct kvrel_slice *out, uint32_t count)
{
	struct reader r = reader_of(*rest);
	for (uint32_t i = 0; i < count; i++) {
		struct slice arg = get_bytes(&r, get_size(&r));
		out[i] = (struct kvrel_slice){ arg.data, arg.size };
	}
	*rest = (struct slice){ (const char *)r.at, r.left };
	return !r.failed;
}

/* ---- writing replies ---- */

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

/* A whole reply; most are short, and so is what is said of them. */
static size_t reply_size(const struct kvrel_result *result)
{
	switch (result->kind) {
	case KVREL_NIL:
		return REPLY_LEAST;
	case KVREL_BYTES:
		return REPLY_LEAST + size_bytes(result->bytes.size) + result->bytes.size;
	default:
		return REPLY_LEAST - 1 + value_size(result);
	}
}

static void put_reply(char *to, uint64_t id, const struct kvrel_result *result)
{
	to = put_number(to, id, 8);
	*to = (char)((unsigned)result->status << KIND_BITS | (unsigned)result->kind);
	if (result->kind == KVREL_NIL)
		return;
	if (result->kind == KVREL_BYTES) {
		put_bytes(put_size(to + 1, result->bytes.size), result->bytes.data, result->bytes.size);
		return;
	}
	char both = *to;
	put_value(to, result);
	*to = both;
}

bool frame_add_reply(struct buf *out, struct frame_open *open, uint64_t id, const struct kvrel_result *result)
{
	size_t size = reply_size(result);
	size_t there = open_size(out, open);
	char *to = NULL;
	if (there > 0 && there + size <= FRAME_SHARED_MAX)
		to = extend(out, open, size);
	else if (size < FRAME_MAX)
		to = begin_open(out, open, FRAME_REPLIES, size);
	if (to == NULL)
		return false;
	put_reply(to, id, result);
	return true;
}

/* ---- reading replies ---- */

void frame_items_done(struct frame_items *items)
{
	free(items->items);
	*items = (struct frame_items){ 0 };
}

void frame_items_rest(struct frame_items *items)
{
	if (items->capacity > ITEMS_KEPT)
		frame_items_done(items);
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
	if (most <= items->capacity)
		return true;
	struct kvrel_result *grown = realloc(items->items, most * sizeof(*grown));
	if (grown == NULL)
		return false;
	items->items = grown;
	items->capacity = most;
	return true;
}

static void get_value(struct reader *r, enum kvrel_kind kind, struct kvrel_result *out, struct frame_items *items,
		      unsigned depth)
{
	*out = (struct kvrel_result){ .kind = kind };
	if (kind == KVREL_INT) {
		out->integer = (int64_t)get_number(r, 8);
		return;
	}
	size_t size = get_number(r, 4);
	if (kind == KVREL_BYTES) {
		struct slice bytes = get_bytes(r, size);
		out->bytes = (struct kvrel_slice){ bytes.data, bytes.size };
		return;
	}
	bool listed = kind == KVREL_LIST || (kind == KVREL_PAIRS && size % 2 == 0);
	if (r->failed || (!listed && (kind != KVREL_NIL || size != 0)) || size > r->left / VALUE_BYTES_LEAST ||
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
		get_value(r, (enum kvrel_kind)get_number(r, 1), &mine[i], items, depth - 1);
	out->items = mine;
	out->count = size;
}

/* What stands behind the kind; out->kind says which. */
static void get_result(struct reader *r, struct kvrel_result *out, struct frame_items *items)
{
	if (out->kind == KVREL_NIL)
		return;
	if (out->kind == KVREL_BYTES) {
		struct slice bytes = get_bytes(r, get_size(r));
		out->bytes = (struct kvrel_slice){ bytes.data, bytes.size };
		return;
	}
	bool listed = out->kind == KVREL_LIST || out->kind == KVREL_PAIRS;
	if (listed && !items_prepare(items, r->left / VALUE_BYTES_LEAST))
		r->failed = true;
	else
		get_value(r, out->kind, out, items, FRAME_DEPTH_MAX);
}

bool frame_get_reply(struct slice *rest, uint64_t *id, struct kvrel_result *out, struct frame_items *items)
{
	struct reader r = reader_of(*rest);
	*id = get_number(&r, 8);
	unsigned both = (unsigned)get_number(&r, 1);
	if (r.failed || both >> KIND_BITS > KVREL_ERROR)
		return false;
	struct kvrel_result result = { .kind = (enum kvrel_kind)(both & ((1U << KIND_BITS) - 1)) };
	get_result(&r, &result, items);
	if (r.failed)
		return false;
	result.status = (enum kvrel_status)(both >> KIND_BITS);
	*out = result;
	*rest = (struct slice){ (const char *)r.at, r.left };
	return true;
}
