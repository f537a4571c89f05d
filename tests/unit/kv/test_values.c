/* SPDX-License-Identifier: MIT */
/* Large values, which stay in the files that the log put them into. */
#include "fixture.h"
#include "full_disk.h"
#include "pages.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE = 4000, KEYS = 400 }; /* all together more than one segment */

TestSuite(values, .init = t_up, .fini = t_down);

/* What key `number` holds after `round`. */
static const char *value_of(int number, int round, size_t size)
{
	static char value[1 << 16];
	int head = snprintf(value, sizeof(value), "%d/%d ", number, round);

	memset(value + head, 'a' + (number + round) % 26, size - (size_t)head);
	value[size] = '\0';
	return value;
}

static void put(const char *bucket, int number, int round, size_t size)
{
	char key[16];

	snprintf(key, sizeof(key), "k%d", number);
	cr_assert(strncmp(t_call(&t, "hset", bucket, key, value_of(number, round, size), NULL), "OK", 2) == 0);
}

static void put_all(const char *bucket, int round, size_t size)
{
	for (int i = 0; i < KEYS; i++)
		put(bucket, i, round, size);
}

static bool holds(const char *bucket, int number, int round, size_t size)
{
	char key[16], *expected = malloc(size + 8);
	bool right;

	snprintf(key, sizeof(key), "k%d", number);
	snprintf(expected, size + 8, "OK '%s'", value_of(number, round, size));
	right = strcmp(t_call(&t, "hget", bucket, key, NULL), expected) == 0;
	free(expected);
	return right;
}

static void expect_all(const char *bucket, int round, size_t size)
{
	for (int i = 0; i < KEYS; i++)
		cr_assert(holds(bucket, i, round, size), "key %d of round %d", i, round);
}

static long figure(const char *name)
{
	const char *at = strstr(t_call(&t, "stats", NULL), name);

	cr_assert(at != NULL);
	return atol(at + strlen(name) + 2);
}

/* Everything is looked at by a backup. */
static void expect_sound(void)
{
	static int number;
	char path[300];

	snprintf(path, sizeof(path), "%s/copy%d", dir, number++);
	ANSWERS("OK nil", "backup", path);
	t_remove(path);
}

static void apply(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/applied", dir);
	t_call(&t, "backup", path, NULL);
	t_remove(path);
}

/* The figure sinks to the limit, in a while. */
static bool comes_down(const char *name, long limit)
{
	for (int i = 0; i < 1000; i++) {
		if (figure(name) <= limit)
			return true;
		usleep(10000);
	}
	return false;
}

static int files_in_log(void)
{
	char path[300];
	struct dirent *entry;
	int count = 0;

	snprintf(path, sizeof(path), "%s/log", dir);
	DIR *files = opendir(path);
	cr_assert(files != NULL);
	while ((entry = readdir(files)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(files);
	return count;
}

/* Beside those that hold values: the newest, and what any load needs spares of. More were kept while it went on. */
static bool leaves_few_spare_files(void)
{
	for (int i = 0; i < 1000; i++, usleep(10000))
		if (files_in_log() <= (figure("value_bytes_files") + T_SEGMENT_BYTES - 1) / T_SEGMENT_BYTES + 4)
			return true;
	return false;
}

static off_t size_of_data(void)
{
	char path[300];
	struct stat stat_of;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	cr_assert(stat(path, &stat_of) == 0);
	return stat_of.st_size;
}

Test(values, stay_in_the_logs_files_and_are_found_after_a_stop)
{
	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	t_close(&t);
	cr_expect(size_of_data() < 1 << 19, "%lld", (long long)size_of_data());
	t_open(&t, dir, ENGINE_NONE);
	cr_expect(figure("value_bytes") >= T_SEGMENT_BYTES / 2);
	expect_all("h", 1, LARGE);
	ANSWERS("OK 400", "hlen", "h");
	ANSWERS("OK 4000", "hstrlen", "h", "k7");
	cr_expect(strlen(t_call(&t, "hgetall", "h", NULL)) > (size_t)KEYS * LARGE);
	expect_sound();
	t_close(&t);
}

Test(values, that_are_few_do_not_keep_a_file)
{
	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < 20; i++)
		put("h", i, 1, LARGE);
	apply();
	cr_expect_eq(figure("value_bytes_files"), 0);
	cr_expect(holds("h", 19, 1, LARGE));
	t_close(&t);
}

Test(values, go_with_their_keys_and_leave_no_file_behind)
{
	char key[16];

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	put_all("dropped", 1, LARGE);
	apply();
	cr_expect(figure("value_bytes_files") > 0);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		t_call(&t, "hdel", "h", key, NULL);
	}
	t_call(&t, "drop", "dropped", NULL);
	apply();
	put("h", 1, 2, 10);
	apply();
	cr_expect(comes_down("value_bytes", 0) && comes_down("value_bytes_files", 0), "%s", t_call(&t, "stats", NULL));
	expect_sound();
	t_close(&t);
}

Test(values, that_go_all_at_once_leave_a_few_files_for_others_and_those_go_when_none_come)
{
	const char *buckets[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct kv_error err;

	t.options = t_options(&t, dir);
	t.options.checkpoint_ms = 100;
	t.options.durability = ENGINE_NONE;
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++)
		put_all(buckets[i], 1, LARGE);
	apply();
	cr_expect(figure("value_bytes_files") > 10 * T_SEGMENT_BYTES);
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++)
		t_call(&t, "drop", buckets[i], NULL);
	apply();
	cr_expect(comes_down("value_bytes_files", 0), "%s", t_call(&t, "stats", NULL));
	cr_expect(leaves_few_spare_files(), "%d files", files_in_log());
	put_all("h", 2, LARGE);
	expect_all("h", 2, LARGE);
	t_close(&t);
}

enum { ROUNDS = 60, COLD = 100 };

/* Most keys again and again, and one a round that stays: no file of the log becomes empty by itself. */
static void overwrite(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		put("h", 20 + round, 100 + round, LARGE);
		for (int i = COLD; i < KEYS; i++)
			put("h", i, 100 + round, LARGE);
	}
}

static void expect_overwritten(int but)
{
	for (int i = 0; i < KEYS; i++) {
		int round = i >= COLD ? 99 + ROUNDS : i >= 20 && i < 20 + ROUNDS ? 80 + i : 1;

		cr_assert(i == but || holds("h", i, round, LARGE), "key %d of round %d", i, round);
	}
}

Test(values, take_no_more_room_under_steady_overwrites)
{
	long live = (long)KEYS * LARGE;

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	overwrite();
	apply();
	cr_expect(figure("log_bytes_written") > 60 * T_SEGMENT_BYTES);
	cr_expect(comes_down("value_bytes_files", 2 * live + 6 * T_SEGMENT_BYTES), "%s", t_call(&t, "stats", NULL));
	expect_overwritten(-1);
	expect_sound();
	t_close(&t);
	t_open(&t, dir, ENGINE_NONE);
	expect_overwritten(-1);
	expect_sound();
	t_close(&t);
}

Test(values, are_cleaned_when_there_is_room_again_after_a_full_disk)
{
	t_open(&t, dir, ENGINE_NONE);
	for (int round = 0; round < 6; round++)
		put_all("h", round, LARGE);
	disk_full = true;
	for (int i = 0; i < KEYS * 12; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i % KEYS | 1);
		t_call(&t, "hset", "h", key, value_of(i % KEYS | 1, 6, LARGE), NULL);
	}
	cr_expect(holds("h", 0, 5, LARGE));
	disk_full = false;
	put_all("h", 7, LARGE);
	expect_all("h", 7, LARGE);
	expect_sound();
	t_close(&t);
}

/* Writes into the only place of a folder's files with these bytes; the file's name, and where. */
static long damage(const char *folder, const char *bytes, char name[256])
{
	DIR *files = opendir(folder);
	const struct dirent *entry;
	static char content[T_SEGMENT_BYTES];
	long offset = -1;

	while (offset < 0 && (entry = readdir(files)) != NULL) {
		int fd = openat(dirfd(files), entry->d_name, O_RDWR);
		ssize_t size = fd >= 0 ? pread(fd, content, sizeof(content), 0) : -1;
		const char *found = size > 0 ? memmem(content, (size_t)size, bytes, strlen(bytes)) : NULL;

		if (found != NULL) {
			offset = found - content;
			snprintf(name, 256, "%s", entry->d_name);
			cr_assert(pwrite(fd, "#", 1, offset + 20) == 1);
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(files);
	return offset;
}

Test(values, that_are_damaged_are_never_served_but_told_with_file_and_offset)
{
	char log[300], name[256], expected[1024], copy[300];
	long offset;

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	t_close(&t);
	snprintf(log, sizeof(log), "%s/log", dir);
	offset = damage(log, "17/1 ssss", name);
	cr_assert(offset > 0);
	t_open(&t, dir, ENGINE_NONE);
	snprintf(expected, sizeof(expected),
		 "ERROR kv store: '%s/%s': the value at offset %ld is damaged: restore a backup", log, name, offset);
	ANSWERS(expected, "hget", "h", "k17");
	ANSWERS("OK 1", "hexists", "h", "k17");
	cr_expect(holds("h", 18, 1, LARGE));
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	cr_expect(strstr(t_call(&t, "backup", copy, NULL), "is damaged") != NULL);
	cr_expect(access(copy, F_OK) != 0, "a backup of damaged data got its name");
	snprintf(copy, sizeof(copy), "%s/copy.partial", dir);
	cr_expect(access(copy, F_OK) != 0, "something was left of a backup that failed");
	put("h", 17, 2, LARGE);
	cr_expect(holds("h", 17, 2, LARGE));
	t_close(&t);
}

Test(values, that_are_damaged_survive_the_cleaning_of_others)
{
	char log[300], name[256];

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	t_close(&t);
	snprintf(log, sizeof(log), "%s/log", dir);
	cr_assert(damage(log, "17/1 ssss", name) > 0);
	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < 50 && strstr(t.log, "is damaged") == NULL; i++) { /* until the file's turn has come */
		overwrite();
		apply();
	}
	cr_expect(strstr(t_call(&t, "hget", "h", "k17", NULL), "is damaged") != NULL);
	expect_overwritten(17);
	cr_expect(strstr(t.log, "is damaged") != NULL, "%s", t.log);
	t_close(&t);
}

Test(values, are_in_a_backup_that_opens_as_a_store)
{
	char path[300];

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	snprintf(path, sizeof(path), "%s/copy", dir);
	ANSWERS("OK nil", "backup", path);
	put_all("h", 2, LARGE);
	t_close(&t);
	t_open(&t, path, ENGINE_NONE);
	expect_all("h", 1, LARGE);
	put_all("h", 3, LARGE);
	t_close(&t);
	t_open(&t, path, ENGINE_NONE);
	expect_all("h", 3, LARGE);
	expect_sound();
	t_close(&t);
}

Test(values, whose_file_is_missing_keep_the_store_from_starting)
{
	char log[300], name[256], path[600], expected[1024];
	const char *message;

	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	t_close(&t);
	snprintf(log, sizeof(log), "%s/log", dir);
	cr_assert(damage(log, "3/1 eeee", name) > 0);
	snprintf(path, sizeof(path), "%s/%s", log, name);
	cr_assert(unlink(path) == 0);
	message = t_open_fails(&t, dir);
	snprintf(expected, sizeof(expected), "kv store: '%s': it is missing, and holds values", path);
	cr_expect(strstr(message, expected) != NULL, "%s", message);
}

static uint32_t format_of_store(void)
{
	struct pages pages = { 0 };
	struct kv_error err;
	uint32_t format;

	cr_assert(pages_open(&pages, dir, 1 << 30, 4, &err) == 0, "%s", err.message);
	format = pages.state.format;
	pages_close(&pages);
	return format;
}

Test(values, alone_make_a_store_one_that_older_versions_refuse)
{
	t_open(&t, dir, ENGINE_NONE);
	put_all("small", 1, 100);
	t_close(&t);
	cr_expect_eq(format_of_store(), 2);
	t_open(&t, dir, ENGINE_NONE);
	put_all("large", 1, LARGE);
	t_close(&t);
	cr_expect_eq(format_of_store(), 3);
	t_open(&t, dir, ENGINE_NONE);
	expect_all("small", 1, 100);
	expect_all("large", 1, LARGE);
	t_close(&t);
}

/* Keys that the pages cannot hold whole have their entries begin with the key. */
Test(values, of_long_keys_are_found_overwritten_and_deleted)
{
	static char key[3000];

	memset(key, 'k', sizeof(key) - 1);
	t_open(&t, dir, ENGINE_NONE);
	put_all("h", 1, LARGE);
	ANSWERS("OK 1", "hset", "h", key, value_of(1, 1, LARGE));
	apply();
	expect_sound();
	put_all("h", 2, LARGE);
	ANSWERS("OK 0", "hset", "h", key, value_of(1, 2, LARGE));
	apply();
	expect_sound();
	cr_expect(strncmp(t_call(&t, "hget", "h", key, NULL), "OK '1/2 d", 9) == 0);
	ANSWERS("OK 1", "hdel", "h", key);
	expect_sound();
	t_close(&t);
}
