/* SPDX-License-Identifier: MIT */
/* A start whose log lacks its last file, of which nothing in the files before it tells: the pages do. */
#include "durable.h"
#include "fixture.h"
#include "killed.h"
#include "made_log.h"
#include "sync_hook.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct made_segment segment;

TestSuite(last_file, .init = t_up, .fini = t_down);

static bool holds(int fd, const char *bytes)
{
	static char content[T_SEGMENT_BYTES];
	ssize_t size = pread(fd, content, sizeof(content), 0);

	return size > 0 && memmem(content, (size_t)size, bytes, strlen(bytes)) != NULL;
}

/* The files of the log that hold those bytes. How many. */
static int delete_files(const char *bytes)
{
	char folder[300];
	const struct dirent *entry;
	int deleted = 0;
	DIR *files;

	snprintf(folder, sizeof(folder), "%s/log", dir);
	files = opendir(folder);
	cr_assert_not_null(files);
	while ((entry = readdir(files)) != NULL) {
		int fd = openat(dirfd(files), entry->d_name, O_RDONLY);

		if (fd >= 0 && holds(fd, bytes))
			deleted += unlinkat(dirfd(files), entry->d_name, 0) == 0;
		if (fd >= 0)
			close(fd);
	}
	closedir(files);
	return deleted;
}

/* ---- of a store that was killed ---------------------------------------------------------------------------- */

static enum engine_durability durability;

static int fail_of_pages(const char *path)
{
	return strstr(path, "data.mdb") != NULL ? EIO : 0;
}

/* The first segment is frozen, "precious" is in the second and synced, and then the first is applied. */
static void be_killed_behind_a_commit(void)
{
	static char large[100000];
	struct durable *store;

	memset(large, 'x', sizeof(large) - 1);
	t_open(&t, dir, durability);
	store = (struct durable *)t.engine;
	atomic_store(&sync_hook, fail_of_pages);
	while (atomic_load(&store->newest_id) == 1)
		t_call(&t, "hset", "b", "large", large, NULL);
	ANSWERS("OK 1", "hset", "b", "late", "precious");
	log_sync(&store->log);
	atomic_store(&sync_hook, NULL);
	while (atomic_load(&store->retired) == 0)
		usleep(1000);
	_exit(0);
}

static void kill_in(void (*run)(void))
{
	if (in_who_is_killed())
		run();
}

static void expect_missed(enum engine_durability wanted)
{
	const char *message;

	durability = wanted;
	kill_in(be_killed_behind_a_commit);
	cr_assert_eq(delete_files("precious"), 1);
	for (int i = 0; i < 2; i++) {
		message = t_open_fails(&t, dir);
		cr_expect(strstr(message, "its last file is missing, and ") != NULL, "%s", message);
		cr_expect(strstr(message, "that were durable: restore it, or a backup") != NULL, "%s", message);
	}
}

Test(last_file, is_missed_where_syncs_were_waited_for)
{
	expect_missed(ENGINE_ALWAYS);
}

Test(last_file, is_missed_where_it_was_synced_each_second)
{
	expect_missed(ENGINE_EVERYSEC);
}

Test(last_file, is_missed_where_it_was_synced_though_nobody_asks_for_that)
{
	expect_missed(ENGINE_NONE);
}

Test(last_file, is_found_where_it_is_there)
{
	durability = ENGINE_ALWAYS;
	kill_in(be_killed_behind_a_commit);
	for (int i = 0; i < 2; i++) {
		t_open(&t, dir, ENGINE_ALWAYS);
		cr_expect_str_eq(t.log, "");
		ANSWERS("OK 'precious'", "hget", "b", "late");
		t_close(&t);
	}
}

/* ---- of a store whose pages are gone ------------------------------------------------------------------------ */

static void be_killed_with_a_write_in_the_log(void)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "b", "k", "precious");
	_exit(0);
}

Test(last_file, is_not_thrown_away_with_a_new_store_where_the_pages_are_lost)
{
	char pages[300], away[300];
	const char *message;

	kill_in(be_killed_with_a_write_in_the_log);
	snprintf(pages, sizeof(pages), "%s/data.mdb", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	cr_assert_eq(rename(pages, away), 0);
	for (int i = 0; i < 2; i++) {
		message = t_open_fails(&t, dir);
		cr_expect(strstr(message, "/data.mdb' is missing, and '") != NULL, "%s", message);
		cr_expect(strstr(message, "/log/0000000000000001.log' holds what was written to it: restore it") !=
				  NULL,
			  "%s", message);
	}
	cr_assert_eq(rename(away, pages), 0);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'precious'", "hget", "b", "k");
	t_close(&t);
}

Test(last_file, is_no_obstacle_where_nothing_was_written)
{
	char pages[300];

	t_open(&t, dir, ENGINE_ALWAYS);
	t_close(&t);
	snprintf(pages, sizeof(pages), "%s/data.mdb", dir);
	cr_assert_eq(unlink(pages), 0);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	t_close(&t);
}

/* ---- under another's name ------------------------------------------------------------------------------------ */

static void rename_file(const char *from, const char *to)
{
	char before[300], after[300];

	snprintf(before, sizeof(before), "%s/log/%s", dir, from);
	snprintf(after, sizeof(after), "%s/log/%s", dir, to);
	cr_assert_eq(rename(before, after), 0);
}

Test(last_file, is_not_taken_for_an_unused_one_under_a_wrong_name)
{
	const char *message;

	kill_in(be_killed_with_a_write_in_the_log);
	rename_file("0000000000000001.log", "0000000000000000.log");
	message = t_open_fails(&t, dir);
	cr_expect(strstr(message, "/log/0000000000000000.log': its header says that it is '0000000000000001.log'") !=
			  NULL,
		  "%s", message);
	rename_file("0000000000000000.log", "0000000000000001.log");
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'precious'", "hget", "b", "k");
	t_close(&t);
}

/* ---- of a store that was killed in other places -------------------------------------------------------------- */

static void be_killed_before_a_sync(void)
{
	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 1", "hset", "b", "k", "volatile");
	_exit(0);
}

Test(last_file, is_not_missed_if_nothing_of_it_was_synced)
{
	kill_in(be_killed_before_a_sync);
	cr_assert_eq(delete_files("volatile"), 1);
	t_open(&t, dir, ENGINE_NONE);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK nil", "hget", "b", "k");
	t_close(&t);
}

/* ---- of a store that was stopped --------------------------------------------------------------------------- */

static void expect_not_needed(enum engine_durability wanted)
{
	t_open(&t, dir, wanted);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	t_close(&t);
	delete_files("kvrelLOG");
	t_open(&t, dir, wanted);
	ANSWERS("OK 'v'", "hget", "b", "k");
	t_close(&t);
}

Test(last_file, of_a_stopped_store_is_not_needed)
{
	expect_not_needed(ENGINE_ALWAYS);
}

Test(last_file, of_a_stopped_store_is_not_needed_whatever_was_synced)
{
	expect_not_needed(ENGINE_NONE);
}

/* ---- what the pages say ------------------------------------------------------------------------------------ */

/* Puts it there as a commit does. */
static void say_durable(uint64_t applied, uint64_t durable)
{
	struct pages pages = { 0 };
	struct kv_error err = { "" };
	struct page_state state;
	MDB_txn *txn;

	cr_assert_eq(pages_open(&pages, dir, 1 << 30, 4, &err), 0, "%s", err.message);
	state = pages.state;
	state.applied = applied;
	cr_assert_eq(mdb_txn_begin(pages.env, NULL, 0, &txn), 0);
	cr_assert_eq(page_durable_put(&pages, txn, &state, durable), 0);
	cr_assert_eq(pages_commit(&pages, txn), 0);
	pages_close(&pages);
}

/* A store with one segment to be applied. The position at its end. */
static uint64_t made_one_segment(uint64_t *applied)
{
	struct record_bucket bucket = { 0, 0 };
	uint64_t store[2];

	t_open(&t, dir, ENGINE_ALWAYS);
	t_close(&t);
	made_log_state(dir, applied, store);
	made_begin(&segment, 70, *applied, store);
	made_record(&segment, RECORD_CREATE, 1, "b", (struct kvrel_slice){ (const char *)&bucket, sizeof(bucket) });
	made_record(&segment, RECORD_ADD, 1, "k", (struct kvrel_slice){ "v", 1 });
	made_frame_end(&segment);
	made_write(&segment, dir);
	return made_end(&segment);
}

Test(last_file, is_missed_behind_one_that_is_there)
{
	uint64_t applied, end = made_one_segment(&applied);
	const char *message;

	say_durable(applied, end + 64);
	message = t_open_fails(&t, dir);
	cr_expect(strstr(message, "46.log': ends at offset ") != NULL, "%s", message);
	cr_expect(strstr(message, ", and 64 bytes that were durable behind that are missing: restore the file that "
				  "came next, or a backup") != NULL,
		  "%s", message);
}

static void expect_accepted(void)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK 'v'", "hget", "b", "k");
	t_close(&t);
}

Test(last_file, is_there_if_it_reaches_as_far_as_was_synced)
{
	uint64_t applied, end = made_one_segment(&applied);

	say_durable(applied, end);
	expect_accepted();
}

/* A version that knows nothing of it moves `applied` on, and leaves what was said as it was. */
Test(last_file, is_not_missed_for_what_was_said_beside_another_state)
{
	uint64_t applied, end = made_one_segment(&applied);

	say_durable(applied - 64, end + 64);
	expect_accepted();
}

Test(last_file, is_not_missed_in_a_copy_of_the_pages)
{
	uint64_t applied, end = made_one_segment(&applied);
	struct pages pages = { 0 };
	struct kv_error err = { "" };
	struct page_meta meta = { 0 };
	char copy[256];
	MDB_txn *txn = NULL;

	say_durable(applied, end);
	t_make_dir(copy);
	cr_assert_eq(pages_open(&pages, dir, 1 << 30, 4, &err), 0, "%s", err.message);
	cr_expect_eq(pages.log_durable, end);
	cr_assert_eq(pages_begin(&pages, &txn, &meta, &err), 0, "%s", err.message);
	cr_expect_eq(pages_copy(&pages, &meta, copy, 1 << 30, &err), 0, "%s", err.message);
	mdb_txn_abort(txn);
	pages_close(&pages);
	t_open(&t, copy, ENGINE_ALWAYS);
	ANSWERS("OK 0", "hlen", "b");
	t_close(&t);
	t_remove(copy);
}
