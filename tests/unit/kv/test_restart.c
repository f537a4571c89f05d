/* SPDX-License-Identifier: MIT */
/* Starts behind odd ends: what a log may hold that a store seldom leaves, and what has to be given up on the way. */
#include "durable.h"
#include "fixture.h"
#include "killed.h"
#include "made_log.h"
#include "memtable.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct made_segment segment;

TestSuite(restart, .init = t_up, .fini = t_down);

/* Runs `write` on a store in a process that then ends as if it were killed. */
static void killed_after(void (*write)(void))
{
	if (in_who_is_killed()) {
		t_open(&t, dir, ENGINE_ALWAYS);
		write();
		_exit(0);
	}
}

/* A new store, and what its log has to go on from. */
static void fresh_store(uint64_t *applied, uint64_t store[2])
{
	t_open(&t, dir, ENGINE_ALWAYS);
	t_close(&t);
	made_log_state(dir, applied, store);
}

static struct kvrel_slice bucket_value(int64_t count)
{
	static struct record_bucket value;

	value = (struct record_bucket){ count, 0 };
	return (struct kvrel_slice){ (const char *)&value, sizeof(value) };
}

static void put_frame(const char *key)
{
	made_record(&segment, RECORD_ADD, 1, key, (struct kvrel_slice){ "v", 1 });
	made_frame_end(&segment);
}

/* Says that all before `position` was durable. */
static void mark_frame(uint64_t position)
{
	made_record(&segment, RECORD_MARK, 0, "", (struct kvrel_slice){ (const char *)&position, sizeof(position) });
	made_frame_end(&segment);
}

/* ---- buckets that are gone --------------------------------------------------------------------------------- */

static void vanish_and_drop(void)
{
	ANSWERS("OK 1", "hset", "b", "k", "v");
	ANSWERS("OK 1", "hdel", "b", "k");
	ANSWERS("OK 1", "hset", "b", "k", "v");
	ANSWERS("OK 1", "drop", "b");
	for (int i = 0; i < 5; i++)
		ANSWERS(i == 0 ? "OK 1" : "OK 0", "hset", "other", "key-to-be-hit", "v");
}

static void hit(const char *path, const char *bytes)
{
	static char file[T_SEGMENT_BYTES];
	int fd = open(path, O_RDWR);
	char *found;

	cr_assert(fd >= 0 && pread(fd, file, sizeof(file), 0) == (ssize_t)sizeof(file));
	found = memmem(file, sizeof(file), bytes, strlen(bytes));
	cr_assert(found != NULL);
	cr_assert(pwrite(fd, "K", 1, found - file) == 1);
	close(fd);
}

Test(restart, refuses_a_damaged_log_in_which_a_bucket_vanished_came_back_and_was_dropped)
{
	char path[300];

	killed_after(vanish_and_drop);
	snprintf(path, sizeof(path), "%s/log/0000000000000001.log", dir);
	hit(path, "key-to-be-hit");
	cr_expect(strstr(t_open_fails(&t, dir), "what was durable there is not readable") != NULL);
}

/* ---- records ----------------------------------------------------------------------------------------------- */

/* More of them than a segment has room for entries of its size. */
static void put_nothing_often(void)
{
	const struct kvrel_slice args[] = { { "b", 1 }, { "", 0 }, { "", 0 } };
	struct t_request requests[128];

	for (int i = 0; i < 128; i++)
		requests[i] = (struct t_request){ .op = "hset", .args = args, .arg_count = 3 };
	for (int i = 0; i < 600; i++)
		t_batch(&t, 0, requests, 128);
}

Test(restart, replays_a_segment_full_of_empty_keys_and_values)
{
	killed_after(put_nothing_often);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hlen", "b");
	ANSWERS("OK ''", "hget", "b", "");
	t_close(&t);
}

/* ---- segments ---------------------------------------------------------------------------------------------- */

/* A power loss may leave the header of a segment and nothing else; the next one begins at the same position. */
Test(restart, goes_on_behind_segments_of_which_only_headers_are_left)
{
	uint64_t base, store[2];

	fresh_store(&base, store);
	for (uint64_t number = 23; number > 20; number--) {
		made_begin(&segment, number, base, store);
		made_write(&segment, dir);
	}
	made_begin(&segment, 24, base, store);
	made_record(&segment, RECORD_CREATE, 1, "b", bucket_value(0));
	put_frame("first");
	made_write(&segment, dir);
	base = made_end(&segment);
	made_begin(&segment, 25, base, store);
	made_record(&segment, RECORD_NAME, 1, "b", bucket_value(1));
	put_frame("second");
	mark_frame(made_end(&segment));
	put_frame("third");
	made_write(&segment, dir);
	for (uint64_t number = 20; number > 17; number--) {
		made_begin(&segment, number, 64, store);
		made_write(&segment, dir);
	}
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK [first, second, third]", "hkeys", "b");
	t_close(&t);
}

/* Writers may have to wait for what is applied late, those who read after a start have no reason to. */
Test(restart, tells_at_once_what_many_memtables_hold_that_are_still_to_be_applied)
{
	uint64_t base, store[2];

	fresh_store(&base, store);
	for (uint64_t number = 21; number < 26; number++) {
		char key[8];

		made_begin(&segment, number, base, store);
		made_record(&segment, number == 21 ? RECORD_CREATE : RECORD_NAME, 1, "b",
			    bucket_value((int64_t)number - 21));
		snprintf(key, sizeof(key), "k%d", (int)number);
		put_frame(key);
		made_write(&segment, dir);
		base = made_end(&segment);
	}
	t_open(&t, dir, ENGINE_NONE);
	cr_expect_not(admission_is_awaited((struct durable *)t.engine));
	ANSWERS("OK [k21, k22, k23, k24, k25]", "hkeys", "b");
	t_close(&t);
}

/* A segment that follows one of which there is nothing, with a mark that all before `durable` was synced. */
static void made_behind_a_gap(uint64_t applied, const uint64_t store[2], uint64_t durable)
{
	made_begin(&segment, 70, applied + 4096, store);
	made_record(&segment, RECORD_CREATE, 1, "b", bucket_value(0));
	put_frame("k");
	mark_frame(durable);
	made_write(&segment, dir);
}

Test(restart, cuts_what_follows_a_segment_that_a_power_loss_took_before_it_was_synced)
{
	uint64_t applied, store[2];

	fresh_store(&applied, store);
	made_behind_a_gap(applied, store, applied);
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_assert_not_null(strstr(t.log, "a segment that a power loss took before it was synced: cut, and 2 whole"),
			   "%s", t.log);
	ANSWERS("OK nil", "hget", "b", "k");
	ANSWERS("OK 1", "hset", "b", "k", "new");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_assert_str_eq(t.log, "");
	ANSWERS("OK 'new'", "hget", "b", "k");
	t_close(&t);
}

Test(restart, refuses_a_log_that_lost_a_segment_which_was_synced)
{
	uint64_t applied, store[2];
	struct kv_error err;

	fresh_store(&applied, store);
	made_behind_a_gap(applied, store, applied + 64);
	t.options = t_options(&t, dir);
	cr_assert_neq(engine_durable_open(&t.options, &t.engine, &err), 0);
	cr_assert_not_null(strstr(err.message, "the segment before it is missing"), "%s", err.message);
}

Test(restart, refuses_a_log_whose_first_sector_is_zeros)
{
	char zeros[512] = "", path[300];
	int fd;

	killed_after(vanish_and_drop);
	snprintf(path, sizeof(path), "%s/log/0000000000000001.log", dir);
	fd = open(path, O_WRONLY);
	cr_assert(fd >= 0 && pwrite(fd, zeros, sizeof(zeros), 0) == (ssize_t)sizeof(zeros));
	close(fd);
	cr_expect(strstr(t_open_fails(&t, dir), "its header is not readable") != NULL);
}

Test(restart, reserves_the_space_of_a_shorter_file_that_becomes_a_segment)
{
	struct stat stat_of;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY), fd = segment_create(dir_fd, 7, T_SEGMENT_BYTES);

	cr_assert(fd >= 0 && ftruncate(fd, 5000) == 0);
	cr_expect(segment_reuse(dir_fd, fd, T_SEGMENT_BYTES, 7, 8) == 0);
	cr_assert(fstat(fd, &stat_of) == 0);
	cr_expect_eq(stat_of.st_size, T_SEGMENT_BYTES);
	cr_expect(stat_of.st_blocks * 512 >= T_SEGMENT_BYTES, "%ld blocks", (long)stat_of.st_blocks);
	cr_expect(faccessat(dir_fd, "0000000000000008.log", F_OK, 0) == 0);
	close(fd);
	close(dir_fd);
}
