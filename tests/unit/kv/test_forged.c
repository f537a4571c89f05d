/* SPDX-License-Identifier: MIT */
/* Values that look like parts of the log, from somebody who knows its format. */
#include "driver.h"
#include "durable.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 24, VALUE_BYTES = NUMBERS * MARK_FRAME_SIZE, ROUNDS = 4000 };

static struct t_engine t;
static char dir[256];

static void up(void)
{
	t_make_dir(dir);
}

static void down(void)
{
	t_remove(dir);
}

TestSuite(forged, .init = up, .fini = down);

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
	pid_t pid = fork();
	int status;

	if (pid == 0)
		put_and_be_killed(position);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
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
