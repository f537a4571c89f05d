/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "node/dist/frame.h"

#include <criterion/criterion.h>
#include <string.h>

static struct slice only_frame(const struct buf *buf, char expected)
{
	char type = 0;
	struct slice payload = { 0 };
	size_t consumed = 0;
	cr_assert_eq(frame_next(buf_slice(buf), FRAME_MAX, &type, &payload, &consumed), 1);
	cr_assert_eq(consumed, buf->size);
	cr_assert_eq(type, expected);
	return payload;
}

Test(frame, is_whole_or_not_there_yet)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload;
	size_t consumed;
	char type;
	frame_put(&buf, FRAME_REFUSE, SLICE("no"));
	for (size_t size = 0; size < buf.size; size++)
		cr_expect_eq(frame_next((struct slice){ buf.data, size }, FRAME_MAX, &type, &payload, &consumed), 0);
	cr_expect(slice_is(only_frame(&buf, FRAME_REFUSE), "no"));
	cr_expect_eq(frame_next(SLICE("\0\0\0\0"), FRAME_MAX, &type, &payload, &consumed), -1);
	cr_expect_eq(frame_next(SLICE("\0\0\1\0"), 255, &type, &payload, &consumed), -1);
	cr_expect_eq(frame_next(SLICE("GET / HTTP"), FRAME_MAX, &type, &payload, &consumed), -1);
}

Test(frame, says_hello)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	const struct frame_hello hello = { 1, 0x123456789abcdef0, SLICE("foo@here"), SLICE("bar@here") };
	struct frame_hello out;
	frame_put_hello(&buf, &hello);
	struct slice payload = only_frame(&buf, FRAME_HELLO);
	cr_assert(frame_get_hello(payload, &out));
	cr_expect_eq(out.instance, hello.instance);
	cr_expect(slice_is(out.from, "foo@here"));
	cr_expect(slice_is(out.to, "bar@here"));
	for (size_t size = 0; size < payload.size; size++)
		cr_expect_not(frame_get_hello((struct slice){ payload.data, size }, &out));
}

static const struct kvrel_slice sample_args[] = { { "shopping", 8 }, { "", 0 }, { "a\0b", 3 } };

static struct frame_request sample(uint64_t id, uint64_t trace)
{
	struct frame_request request = {
		.id = id, .trace = trace, .timeout_ms = 9, .op = SLICE("kv.put"), .args = sample_args, .arg_count = 3
	};
	request.seen[request.seen_count++] = SLICE("foo@here");
	request.seen[request.seen_count++] = SLICE("bar@here");
	return request;
}

static struct slice sample_request(struct buf *buf)
{
	const struct frame_request request = sample(7, 8);
	cr_assert(frame_add_request(buf, &(struct frame_open){ 0 }, &request));
	return only_frame(buf, FRAME_REQUESTS);
}

/* How many requests the frame holds; -1 when it is not whole. Their ids and traces must follow each other. */
static int count_requests(struct slice payload, uint64_t id, uint64_t trace)
{
	struct frame_request out;
	struct kvrel_slice args[3];
	struct slice rest;
	int count = 0;
	if (!frame_get_shared(payload, &out, &rest))
		return -1;
	for (; rest.size > 0; count++, out.trace++) {
		if (!frame_get_request(&rest, &out) || out.arg_count > 3 || !frame_get_args(&rest, args, out.arg_count))
			return -1;
		cr_expect_eq(out.id, id + (uint64_t)count);
		cr_expect_eq(out.trace, trace + (uint64_t)count);
		cr_expect(memcmp(args[2].data, "a\0b", 3) == 0);
	}
	return count;
}

Test(frame, carries_a_request)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload = sample_request(&buf);
	struct frame_request out;
	struct kvrel_slice args[3];
	struct slice rest;
	cr_assert(frame_get_shared(payload, &out, &rest));
	cr_assert(frame_get_request(&rest, &out));
	cr_assert_eq(out.arg_count, 3);
	cr_assert(frame_get_args(&rest, args, out.arg_count));
	cr_expect_eq(rest.size, 0);
	cr_expect_eq(out.id, 7);
	cr_expect_eq(out.trace, 8);
	cr_expect_eq(out.timeout_ms, 9);
	cr_expect(slice_is(out.op, "kv.put"));
	cr_assert_eq(out.seen_count, 2);
	cr_expect(slice_is(out.seen[1], "bar@here"));
	cr_expect_eq(args[0].size, 8);
	cr_expect_eq(args[1].size, 0);
	cr_expect(memcmp(args[2].data, "a\0b", 3) == 0);
}

Test(frame, refuses_a_request_that_is_cut)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload = sample_request(&buf);
	for (size_t size = 0; size < payload.size; size++)
		cr_expect_eq(count_requests((struct slice){ payload.data, size }, 7, 8), -1);
}

Test(frame, says_once_what_requests_have_in_common)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct frame_open open = { 0 };
	for (uint64_t i = 0; i < 100; i++) {
		const struct frame_request request = sample(7 + i, 8 + i);
		cr_assert(frame_add_request(&buf, &open, &request));
	}
	struct slice payload = only_frame(&buf, FRAME_REQUESTS);
	cr_expect_eq(count_requests(payload, 7, 8), 100);
	cr_expect_lt(payload.size, 100 * 25);
}

static int count_frames(const struct buf *buf)
{
	struct slice rest = buf_slice(buf), payload;
	size_t consumed;
	char type;
	int count = 0;
	for (; frame_next(rest, FRAME_MAX, &type, &payload, &consumed) == 1; count++) {
		rest.data += consumed;
		rest.size -= consumed;
	}
	return rest.size == 0 ? count : -1;
}

Test(frame, begins_anew_when_anything_but_ids_and_arguments_differs)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct frame_open open = { 0 };
	struct frame_request request = sample(1, 1);
	frame_add_request(&buf, &open, &request); /* 1 */
	request.trace = 2;
	frame_add_request(&buf, &open, &request);
	frame_add_request(&buf, &open, &request); /* 2: the same trace again */
	request.trace = 3;
	request.timeout_ms = 10;
	frame_add_request(&buf, &open, &request); /* 3 */
	request.trace = 4;
	request.op = SLICE("kv.get");
	frame_add_request(&buf, &open, &request); /* 4 */
	request.trace = 5;
	request.seen[1] = SLICE("qux@here");
	frame_add_request(&buf, &open, &request); /* 5 */
	request.trace = 6;
	request.seen_count = 1;
	frame_add_request(&buf, &open, &request); /* 6 */
	request.trace = 7;
	frame_put(&buf, FRAME_PING, (struct slice){ 0 }); /* 7 */
	frame_add_request(&buf, &open, &request);         /* 8 */
	cr_expect_eq(count_frames(&buf), 8);
}

Test(frame, takes_only_so_many_requests)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct frame_open open = { 0 };
	for (uint64_t i = 0; i < 1000; i++) {
		const struct frame_request request = sample(i, i);
		cr_assert(frame_add_request(&buf, &open, &request));
		cr_assert_leq(open.end - open.at, FRAME_SHARED_MAX);
	}
	cr_expect_eq(count_frames(&buf), 6);
}

Test(frame, is_cut_into_one_of_its_last_requests)
{
	for (int served = 0; served < 5; served++) {
		SCOPE(buf_done) struct buf buf = { 0 };
		struct frame_open open = { 0 };
		struct frame_request request;
		struct kvrel_slice args[3];
		struct slice rest;
		for (uint64_t i = 0; i < 5; i++) {
			request = sample(i, 100 + i);
			frame_add_request(&buf, &open, &request);
		}
		cr_assert(frame_get_shared(only_frame(&buf, FRAME_REQUESTS), &request, &rest));
		for (int i = 0; i < served; i++)
			cr_assert(frame_get_request(&rest, &request) && frame_get_args(&rest, args, request.arg_count));
		struct slice cut = frame_cut(buf_slice(&buf), rest, 100 + (uint64_t)served);
		cr_assert_eq(cut.data + cut.size, buf.data + buf.size);
		struct buf last = { .data = (char *)cut.data, .size = cut.size };
		cr_expect_eq(count_requests(only_frame(&last, FRAME_REQUESTS), (uint64_t)served,
					    100 + (uint64_t)served),
			     5 - served);
	}
}

Test(frame, does_not_believe_a_count_of_arguments)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	const struct frame_request request = sample(7, 8);
	struct frame_request out;
	struct slice rest;
	frame_add_request(&buf, &(struct frame_open){ 0 }, &request);
	cr_assert(frame_get_shared(only_frame(&buf, FRAME_REQUESTS), &out, &rest));
	((char *)rest.data)[8] = (char)0xfe;
	cr_expect_not(frame_get_request(&rest, &out));
}

Test(frame, has_one_form_for_each_size)
{
	struct slice rest = SLICE("\0\0\0\0\0\0\0\1\xff\0\0\0\1\1x");
	struct frame_request out;
	cr_expect_not(frame_get_request(&rest, &out));
	for (size_t size = 253; size < 258; size++) {
		SCOPE(buf_done) struct buf buf = { 0 };
		const struct kvrel_result result = { .kind = KVREL_BYTES, .bytes = { (char[258]){ 0 }, size } };
		struct kvrel_result got;
		struct frame_items items = { 0 };
		uint64_t id;
		frame_add_reply(&buf, &(struct frame_open){ 0 }, 1, &result);
		rest = only_frame(&buf, FRAME_REPLIES);
		cr_expect(frame_get_reply(&rest, &id, &got, &items));
		cr_expect_eq(got.bytes.size, size);
		cr_expect_eq(rest.size, 0);
	}
}

Test(frame, carries_many_replies)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	SCOPE(frame_items_done) struct frame_items items = { 0 };
	struct frame_open open = { 0 };
	const struct kvrel_result results[] = {
		{ .status = KVREL_NOT_FOUND },
		{ .kind = KVREL_BYTES, .bytes = { "milk", 4 } },
		{ .kind = KVREL_INT, .integer = -1 },
		{ .status = KVREL_ERROR, .kind = KVREL_BYTES, .bytes = { "no", 2 } },
		{ .kind = KVREL_LIST, .items = &(const struct kvrel_result){ .kind = KVREL_NIL }, .count = 1 },
	};
	for (uint64_t i = 0; i < 5; i++)
		cr_assert(frame_add_reply(&buf, &open, i, &results[i]));
	struct slice rest = only_frame(&buf, FRAME_REPLIES);
	for (uint64_t i = 0; i < 5; i++) {
		struct kvrel_result out;
		uint64_t id;
		cr_assert(frame_get_reply(&rest, &id, &out, &items));
		cr_expect_eq(id, i);
		cr_expect_eq(out.status, results[i].status);
		cr_expect_eq(out.kind, results[i].kind);
		cr_expect_eq(out.integer, results[i].integer);
		cr_expect_eq(out.bytes.size, results[i].bytes.size);
		cr_expect_eq(out.count, results[i].count);
	}
	cr_expect_eq(rest.size, 0);
}

Test(frame, carries_results_of_every_kind)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	SCOPE(frame_items_done) struct frame_items items = { 0 };
	const struct kvrel_result pair[] = { { .kind = KVREL_BYTES, .bytes = { "k", 1 } },
					     { .kind = KVREL_INT, .integer = -5 } };
	const struct kvrel_result list[] = { { .kind = KVREL_NIL },
					     { .kind = KVREL_PAIRS, .items = pair, .count = 2 },
					     { .kind = KVREL_BYTES, .bytes = { "", 0 } } };
	const struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_LIST, .items = list, .count = 3 };
	struct kvrel_result out;
	uint64_t id;
	cr_assert(frame_add_reply(&buf, &(struct frame_open){ 0 }, 42, &result));
	struct slice payload = only_frame(&buf, FRAME_REPLIES);
	struct slice rest = payload;
	cr_assert(frame_get_reply(&rest, &id, &out, &items));
	cr_expect_eq(rest.size, 0);
	cr_expect_eq(id, 42);
	cr_assert_eq(out.count, 3);
	cr_expect_eq(out.items[0].kind, KVREL_NIL);
	cr_assert_eq(out.items[1].count, 2);
	cr_expect_eq(out.items[1].items[1].integer, -5);
	cr_expect_eq(out.items[2].bytes.size, 0);
	for (size_t size = 0; size < payload.size; size++) {
		rest = (struct slice){ payload.data, size };
		cr_expect_not(frame_get_reply(&rest, &id, &out, &items));
	}
}

Test(frame, refuses_results_that_are_too_deep)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	SCOPE(frame_items_done) struct frame_items items = { 0 };
	struct kvrel_result levels[8] = { 0 };
	struct kvrel_result out;
	uint64_t id;
	for (size_t i = 0; i + 1 < 8; i++)
		levels[i] = (struct kvrel_result){ .kind = KVREL_LIST, .items = &levels[i + 1], .count = 1 };
	cr_assert(frame_add_reply(&buf, &(struct frame_open){ 0 }, 1, &levels[0]));
	struct slice rest = only_frame(&buf, FRAME_REPLIES);
	cr_expect_not(frame_get_reply(&rest, &id, &out, &items));
}

Test(frame, refuses_to_write_more_than_a_frame_may_hold)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	const struct kvrel_slice args[] = { { "x", FRAME_MAX } };
	const struct frame_request request = { .op = SLICE("kv.put"), .args = args, .arg_count = 1 };
	cr_expect_not(frame_add_request(&buf, &(struct frame_open){ 0 }, &request));
	cr_expect_eq(buf.size, 0);
}
