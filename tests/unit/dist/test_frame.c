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

static struct slice sample_request(struct buf *buf)
{
	static const struct kvrel_slice args[] = { { "shopping", 8 }, { "", 0 }, { "a\0b", 3 } };
	struct frame_request request = {
		.id = 7, .trace = 8, .timeout_ms = 9, .op = SLICE("kv.put"), .args = args, .arg_count = 3
	};
	request.seen[request.seen_count++] = SLICE("foo@here");
	request.seen[request.seen_count++] = SLICE("bar@here");
	cr_assert(frame_put_request(buf, &request));
	return only_frame(buf, FRAME_REQUEST);
}

Test(frame, carries_a_request)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload = sample_request(&buf);
	struct frame_request out;
	struct kvrel_slice args[3];
	struct slice rest;
	cr_assert(frame_get_request(payload, &out, &rest));
	cr_assert(frame_get_args(rest, args, out.arg_count));
	cr_expect_eq(out.id, 7);
	cr_expect_eq(frame_request_id(payload), 7);
	cr_expect_eq(out.trace, 8);
	cr_expect_eq(out.timeout_ms, 9);
	cr_expect(slice_is(out.op, "kv.put"));
	cr_assert_eq(out.seen_count, 2);
	cr_expect(slice_is(out.seen[1], "bar@here"));
	cr_assert_eq(out.arg_count, 3);
	cr_expect_eq(args[0].size, 8);
	cr_expect_eq(args[1].size, 0);
	cr_expect(memcmp(args[2].data, "a\0b", 3) == 0);
}

Test(frame, refuses_a_request_that_is_cut)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload = sample_request(&buf);
	for (size_t size = 0; size < payload.size; size++) {
		struct frame_request out;
		struct kvrel_slice args[3];
		struct slice rest;
		cr_expect_not(frame_get_request((struct slice){ payload.data, size }, &out, &rest) &&
			      out.arg_count <= 3 && frame_get_args(rest, args, out.arg_count));
	}
}

Test(frame, does_not_believe_a_count_of_arguments)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	struct slice payload = sample_request(&buf);
	struct frame_request out;
	struct slice rest;
	size_t at = 8 + 8 + 4 + 1 + 6 + 1 + 9 + 9;
	memset((char *)payload.data + at, 0xff, 4);
	cr_expect_not(frame_get_request(payload, &out, &rest));
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
	cr_assert(frame_put_reply(&buf, 42, &result));
	struct slice payload = only_frame(&buf, FRAME_REPLY);
	cr_assert(frame_get_reply(payload, &id, &out, &items));
	cr_expect_eq(id, 42);
	cr_assert_eq(out.count, 3);
	cr_expect_eq(out.items[0].kind, KVREL_NIL);
	cr_assert_eq(out.items[1].count, 2);
	cr_expect_eq(out.items[1].items[1].integer, -5);
	cr_expect_eq(out.items[2].bytes.size, 0);
	for (size_t size = 0; size < payload.size; size++)
		cr_expect_not(frame_get_reply((struct slice){ payload.data, size }, &id, &out, &items));
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
	cr_assert(frame_put_reply(&buf, 1, &levels[0]));
	cr_expect_not(frame_get_reply(only_frame(&buf, FRAME_REPLY), &id, &out, &items));
}

Test(frame, refuses_to_write_more_than_a_frame_may_hold)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	const struct kvrel_slice args[] = { { "x", FRAME_MAX } };
	const struct frame_request request = { .op = SLICE("kv.put"), .args = args, .arg_count = 1 };
	cr_expect_not(frame_put_request(&buf, &request));
	cr_expect_eq(buf.size, 0);
}
