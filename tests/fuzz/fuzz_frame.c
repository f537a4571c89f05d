/* SPDX-License-Identifier: MIT */
/* Frames of links between nodes: whatever a peer with the cookie sends, reading stays within it and allocates little.
 */
#include "fuzz.h"
#include "node/dist/frame.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool is_inside(const char *data, size_t size, struct slice payload)
{
	return size == 0 || (data >= payload.data && data + size <= payload.data + payload.size);
}

static void check_value(const struct kvrel_result *value, struct slice payload)
{
	FUZZ_CHECK(is_inside(value->bytes.data, value->bytes.size, payload));
	FUZZ_CHECK(value->count <= payload.size);
	for (size_t i = 0; i < value->count; i++)
		check_value(&value->items[i], payload);
}

/* What was read makes the very same bytes again. */
static void try_replies(struct slice payload)
{
	struct frame_items items = { 0 };
	struct kvrel_result result;
	uint64_t id;

	while (payload.size > 0) {
		struct slice before = payload;
		struct buf again = { 0 };

		if (!frame_get_reply(&payload, &id, &result, &items))
			break;
		check_value(&result, before);
		FUZZ_CHECK(frame_add_reply(&again, &(struct frame_open){ 0 }, id, &result));
		FUZZ_CHECK(again.size == FRAME_HEADER_BYTES + before.size - payload.size);
		FUZZ_CHECK(memcmp(again.data + FRAME_HEADER_BYTES, before.data, before.size - payload.size) == 0);
		buf_done(&again);
	}
	frame_items_done(&items);
}

static bool try_args(struct slice *rest, struct frame_request *request, struct slice payload)
{
	struct kvrel_slice *args = malloc((request->arg_count + 1) * sizeof(*args));
	bool whole = args != NULL && frame_get_args(rest, args, request->arg_count);

	for (uint32_t i = 0; whole && i < request->arg_count; i++)
		FUZZ_CHECK(is_inside(args[i].data, args[i].size, payload));
	free(args);
	return whole;
}

static unsigned try_requests(struct slice payload, struct slice *rest, uint64_t *trace, unsigned most)
{
	struct frame_request request;
	unsigned count = 0;

	if (!frame_get_shared(payload, &request, rest))
		return 0;
	FUZZ_CHECK(is_inside(request.op.data, request.op.size, payload) && rest->size > 0);
	for (uint32_t i = 0; i < request.seen_count; i++)
		FUZZ_CHECK(is_inside(request.seen[i].data, request.seen[i].size, payload));
	while (rest->size > 0 && count < most) {
		if (!frame_get_request(rest, &request))
			break;
		FUZZ_CHECK(request.arg_count <= payload.size);
		if (!try_args(rest, &request, payload))
			break;
		count++;
	}
	*trace = request.trace + count;
	return count;
}

/* However a frame is cut, its last requests are the same. */
static void try_cut(struct slice whole)
{
	struct slice payload = { whole.data + FRAME_HEADER_BYTES, whole.size - FRAME_HEADER_BYTES }, rest, again;
	uint64_t trace, last;
	unsigned all = try_requests(payload, &rest, &last, UINT_MAX), half = all / 2, left;

	if (all == 0 || rest.size > 0)
		return;
	char *copy = malloc(whole.size);
	if (copy == NULL)
		return;
	memcpy(copy, whole.data, whole.size);
	payload.data = copy + FRAME_HEADER_BYTES;
	try_requests(payload, &rest, &trace, half);
	struct slice cut = frame_cut((struct slice){ copy, whole.size }, rest, trace);
	FUZZ_CHECK(is_inside(cut.data, cut.size, (struct slice){ copy, whole.size }));
	again = (struct slice){ cut.data + FRAME_HEADER_BYTES, cut.size - FRAME_HEADER_BYTES };
	left = try_requests(again, &rest, &trace, UINT_MAX);
	FUZZ_CHECK(left == all - half && rest.size == 0 && trace == last);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, payload, name;
	struct frame_hello hello;
	uint32_t version;
	size_t consumed;
	char type;

	while (frame_next(rest, FRAME_MAX, &type, &payload, &consumed) == 1) {
		FUZZ_CHECK(consumed >= FRAME_HEADER_BYTES && consumed <= rest.size);
		if (type == FRAME_REQUESTS)
			try_cut((struct slice){ rest.data, consumed });
		else if (type == FRAME_REPLIES)
			try_replies(payload);
		else if (type == FRAME_HELLO && frame_get_hello(payload, &hello))
			FUZZ_CHECK(is_inside(hello.from.data, hello.from.size, payload));
		else if (type == FRAME_CONTROL && frame_get_control(payload, &version, &name))
			FUZZ_CHECK(is_inside(name.data, name.size, payload));
		rest.data += consumed;
		rest.size -= consumed;
	}
	return 0;
}
