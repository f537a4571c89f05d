/* SPDX-License-Identifier: MIT */
/* Frames of links between nodes: whatever a peer with the cookie sends, reading stays within it and allocates little.
 */
#include "fuzz.h"
#include "node/dist/frame.h"

#include <stdlib.h>

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

static void try_reply(struct slice payload)
{
	struct frame_items items = { 0 };
	struct kvrel_result result;
	uint64_t id;

	if (frame_get_reply(payload, &id, &result, &items)) {
		struct buf again = { 0 };
		check_value(&result, payload);
		FUZZ_CHECK(frame_put_reply(&again, id, &result));
		FUZZ_CHECK(again.size == FRAME_HEADER_BYTES + payload.size);
		buf_done(&again);
	}
	frame_items_done(&items);
}

static void try_request(struct slice payload)
{
	struct frame_request request;
	struct slice rest;

	if (!frame_get_request(payload, &request, &rest))
		return;
	FUZZ_CHECK(request.arg_count <= payload.size);
	FUZZ_CHECK(is_inside(request.op.data, request.op.size, payload));
	struct kvrel_slice *args = malloc((request.arg_count + 1) * sizeof(*args));
	if (args != NULL && frame_get_args(rest, args, request.arg_count)) {
		for (uint32_t i = 0; i < request.arg_count; i++)
			FUZZ_CHECK(is_inside(args[i].data, args[i].size, payload));
	}
	free(args);
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
		if (type == FRAME_REQUEST)
			try_request(payload);
		else if (type == FRAME_REPLY)
			try_reply(payload);
		else if (type == FRAME_HELLO && frame_get_hello(payload, &hello))
			FUZZ_CHECK(is_inside(hello.from.data, hello.from.size, payload));
		else if (type == FRAME_CONTROL && frame_get_control(payload, &version, &name))
			FUZZ_CHECK(is_inside(name.data, name.size, payload));
		rest.data += consumed;
		rest.size -= consumed;
	}
	return 0;
}
