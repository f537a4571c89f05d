/* SPDX-License-Identifier: MIT */
/* Values that look like parts of the log, from somebody who knows its format. */
#include "durable.h"
#include "fixture.h"
#include "killed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NUMBERS = 24, VALUE_BYTES = NUMBERS * MARK_FRAME_SIZE, ROUNDS = 4000 };

TestSuite(forged, .init = t_up, .fini = t_down);

/* A mark for each of the next segments: everything was durable, far behind `position`. */
static struct kvrel_slice forge(char *value, uint64_t position)
{
	const uint64_t durable = position + (1 << 30);
	const struct kvrel_slice said = { (const char *)&durable, sizeof(durable) };

	for (int i = 0; i < NUMBERS; i++) {
		struct frame *frame = (struct frame *)(void *)(value + i * MARK_FRAME_SIZE);

		record_write((char *)(frame + 1), RECORD_MARK, 0, (struct kvrel_slice){ NULL, 0 }, said);
		frame->size = (uint32_t)record_size(0, sizeof(durable));
		frame->position = position;
		frame->checksum = frame_checksum(frame, (uint64_t)i + 1);
	}
	return (struct kvrel_slice){ value, VALUE_BYTES };
}

/* Fills segments with that, so that the files of later ones are full of it, and leaves as a kill does. */
static void put_and_be_killed(uint64_t position)
{
	_Alignas(8) char value[VALUE_BYTES];
	char key[8], path[300];

	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < ROUNDS; i++) {
		const struct kvrel_slice args[] = { { "h", 1 },
						    { key, (size_t)snprintf(key, sizeof(key), "%04d", i % 1000) },
						    forge(value, position) };

		cr_assert(strncmp(t_call_slices(&t, 0, "hset", args, 3), "OK", 2) == 0);
	}
	snprintf(path, sizeof(path), "%s/copy", dir);
	ANSWERS("OK nil", "backup", path);
	_exit(0);
}

static void expect_start_after(uint64_t position)
{
	if (in_who_is_killed())
		put_and_be_killed(position);
	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 1000", "hlen", "h");
	t_close(&t);
}

Test(forged, marks_from_ahead_keep_no_store_from_starting)
{
	expect_start_after(8 << 20);
}

Test(forged, marks_from_far_ahead_keep_no_store_from_starting)
{
	expect_start_after(UINT64_C(1) << 62);
}

/* ---- heads of frames ------------------------------------------------------------------------------------------- */

enum { LARGE = 4000, KEYS = 400 };

static const char *value_of(int number)
{
	static char value[LARGE + 1];

	memset(value, 'a' + number % 26, LARGE);
	return value;
}

/* So many large values that they stay in their segment. */
static void fill_and_apply(void)
{
	char key[16], path[300];

	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ANSWERS("OK 1", "hset", "filled", key, value_of(i));
	}
	snprintf(path, sizeof(path), "%s/copy", dir);
	t_call(&t, "backup", path, NULL);
}

/* The head of a frame with one record, at this end of another's value, for who knows where that is going to be. */
static void forge_head(char *value_end, const struct memtable *memtable, size_t value_end_at, size_t next_size)
{
	const struct frame head = { .checksum = 1,
				    .size = (uint32_t)record_size(2, next_size),
				    .position = memtable->base + value_end_at - sizeof(head) -
						sizeof(struct segment_header) };

	memcpy(value_end - sizeof(head), &head, sizeof(head));
}

/* Two keys of one request; what the first one's value ends with looks like the head of a frame of the other's. */
static void put_forged(int number, size_t size)
{
	const struct durable *store = (const struct durable *)t.engine;
	const struct memtable *memtable = atomic_load(&store->newest);
	size_t value_at = memtable->used + sizeof(struct frame) + sizeof(struct record) + 2;
	char first[LARGE], names[2][3] = { { 'a', (char)('0' + number) }, { 'b', (char)('0' + number) } };
	struct kvrel_slice args[] = {
		{ "h", 1 }, { names[0], 2 }, { first, size }, { names[1], 2 }, { value_of(number), LARGE }
	};

	memset(first, 'f', sizeof(first));
	forge_head(first + size, memtable, value_at + size, LARGE);
	cr_assert_str_eq(t_call_slices(&t, 0, "hset", args, 5), "OK 2");
}

Test(forged, heads_of_frames_keep_no_value_from_being_found)
{
	char key[3] = "b0", expected[LARGE + 16];

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "k", "1");
	for (int i = 0; i < 8; i++)
		put_forged(i, 2000 + (size_t)i);
	fill_and_apply();
	cr_expect(strstr(t_call(&t, "stats", NULL), "value_bytes_files: 0") == NULL);
	for (int i = 0; i < 8; i++) {
		key[1] = (char)('0' + i);
		snprintf(expected, sizeof(expected), "OK '%s'", value_of(i));
		ANSWERS(expected, "hget", "h", key);
	}
	ANSWERS("OK nil", "verify");
	t_close(&t);
}

Test(forged, heads_of_frames_keep_no_request_from_a_replay)
{
	if (in_who_is_killed()) {
		t_open(&t, dir, ENGINE_ALWAYS);
		for (int i = 0; i < 8; i++)
			put_forged(i, 2000 + (size_t)i);
		_exit(0);
	}
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK 16", "hlen", "h");
	fill_and_apply();
	ANSWERS("OK nil", "verify");
	t_close(&t);
}
