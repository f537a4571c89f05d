/* SPDX-License-Identifier: MIT */
/* What a start does with a folder that is damaged, torn, in use, of a newer version; and backups. */
#include "fixture.h"
#include "killed.h"

#include "pages.h"
#include "record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(recovery, .init = t_up, .fini = t_down);

/* Leaves a store as kill -9 does, with `count` keys acknowledged one by one. */
static void killed_store_of(enum engine_durability durability, int count)
{
	if (in_who_is_killed()) {
		t_open(&t, dir, durability);
		for (int i = 0; i < count; i++) {
			char key[16];

			snprintf(key, sizeof(key), "key%d", i);
			t_call(&t, "hset", "h", key, "value", NULL);
		}
		_exit(0);
	}
}

static void killed_store(int count)
{
	killed_store_of(ENGINE_ALWAYS, count);
}

/* Opens the only segment file. */
static int open_segment(char path[512])
{
	char folder[300];
	const struct dirent *entry;
	DIR *log;

	snprintf(folder, sizeof(folder), "%s/log", dir);
	log = opendir(folder);
	cr_assert(log != NULL);
	while ((entry = readdir(log)) != NULL)
		if (strstr(entry->d_name, ".log") != NULL)
			snprintf(path, 512, "%s/%.200s", folder, entry->d_name);
	closedir(log);
	return open(path, O_RDWR);
}

/* Where the frame of the n-th record of that kind is. */
static off_t frame_of(int fd, enum record_kind kind, int n)
{
	struct frame frame;
	struct record record;
	off_t at = sizeof(struct segment_header);

	while (pread(fd, &frame, sizeof(frame), at) == sizeof(frame) && frame.size > 0) {
		off_t in = at + (off_t)sizeof(frame);

		while (in < at + (off_t)(sizeof(frame) + frame.size)) {
			cr_assert(pread(fd, &record, sizeof(record), in) == sizeof(record));
			if (record.kind == kind && n-- == 0)
				return at;
			in += (off_t)record_size(record.key_size, record.value_size);
		}
		at += (off_t)frame_size(frame.size);
	}
	return -1;
}

static void flip(int fd, off_t at)
{
	char byte;

	cr_assert(pread(fd, &byte, 1, at) == 1);
	byte ^= 0x10;
	cr_assert(pwrite(fd, &byte, 1, at) == 1);
}

Test(recovery, finds_what_was_acknowledged_before_a_kill)
{
	killed_store(50);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 50", "hlen", "h");
	ANSWERS("OK 'value'", "hget", "h", "key49");
	cr_expect_str_eq(t.log, "");
	t_close(&t);
}

Test(recovery, cuts_a_torn_tail_and_tells)
{
	char path[512];
	int fd;

	killed_store_of(ENGINE_NONE, 10); /* no mark says that it was ever synced */
	fd = open_segment(path);
	flip(fd, frame_of(fd, RECORD_ADD, 9) + 30);
	close(fd);
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect(strstr(t.log, "ends in a torn write at offset") != NULL);
	cr_expect(strstr(t.log, ".log'") != NULL);
	ANSWERS("OK 9", "hlen", "h");
	ANSWERS("OK 1", "hset", "h", "new", "1");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK 10", "hlen", "h");
	t_close(&t);
}

Test(recovery, refuses_damage_of_what_was_durable_and_names_file_and_offset)
{
	char path[512], offset[32];
	const char *message;
	off_t at;
	int fd;

	killed_store(10);
	fd = open_segment(path);
	at = frame_of(fd, RECORD_ADD, 3);
	flip(fd, at + 30);
	message = t_open_fails(&t, dir);
	cr_expect(strstr(message, path) != NULL, "%s", message);
	snprintf(offset, sizeof(offset), "offset %ld", (long)at);
	cr_expect(strstr(message, offset) != NULL, "%s", message);
	flip(fd, at + 30);
	close(fd);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 10", "hlen", "h");
	t_close(&t);
}

Test(recovery, refuses_a_log_whose_header_is_damaged)
{
	char path[512];
	int fd;

	killed_store(10);
	fd = open_segment(path);
	flip(fd, 20);
	close(fd);
	cr_expect(strstr(t_open_fails(&t, dir), "its header is not readable") != NULL);
}

Test(recovery, refuses_a_newer_format_of_the_log)
{
	char path[512];
	uint32_t format = SEGMENT_FORMAT + 1;
	int fd;

	killed_store(1);
	fd = open_segment(path);
	cr_assert(pwrite(fd, &format, sizeof(format), 8) == sizeof(format));
	close(fd);
	cr_expect(strstr(t_open_fails(&t, dir), "newer format") != NULL);
}

Test(recovery, refuses_a_folder_that_is_in_use_and_names_the_process)
{
	struct t_engine other;
	char pid[32];
	const char *message;

	t_open(&t, dir, ENGINE_ALWAYS);
	message = t_open_fails(&other, dir);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	cr_expect(strstr(message, dir) != NULL && strstr(message, pid) != NULL, "%s", message);
	t_close(&t);
}

Test(recovery, writes_a_backup_that_opens_as_a_store)
{
	char path[300];

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK nil", "create", "b");
	ANSWERS("OK nil", "put", "b", "k", "v");
	snprintf(path, sizeof(path), "%s/copy", dir);
	ANSWERS("OK nil", "backup", path);
	cr_expect(strstr(t_call(&t, "backup", path, NULL), "exists already") != NULL);
	ANSWERS("WRONG_ARGS the path of a backup has to begin with '/'", "backup", "copy");
	ANSWERS("OK nil", "put", "b", "k", "later");
	t_close(&t);
	t_open(&t, path, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "get", "b", "k");
	ANSWERS("OK [b]", "buckets");
	t_close(&t);
}

Test(recovery, tells_its_figures_and_syncs_on_request)
{
	const char *stats;

	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 1", "hset", "h", "a", "1");
	stats = t_call(&t, "stats", NULL);
	cr_expect(strstr(stats, "durability: none") != NULL && strstr(stats, "log_bytes_unsynced: 0") == NULL, "%s",
		  stats);
	ANSWERS("OK nil", "sync");
	stats = t_call(&t, "stats", NULL);
	cr_expect(strstr(stats, "log_bytes_unsynced: 0") != NULL, "%s", stats);
	cr_expect(strstr(stats, "buckets: 1") != NULL, "%s", stats);
	t_close(&t);
}

/* The offset in the data file of the only place with these bytes; -1: none. */
static off_t find_bytes(int fd, const char *bytes)
{
	static char page[4096];
	size_t size = strlen(bytes);

	for (off_t at = 0; pread(fd, page, sizeof(page), at) == (ssize_t)sizeof(page); at += (off_t)sizeof(page)) {
		const char *found = memmem(page, sizeof(page), bytes, size);

		if (found != NULL)
			return at + (found - page);
	}
	return -1;
}

Test(recovery, serves_nothing_that_is_damaged_and_names_file_and_offset)
{
	char path[300], expected[512], copy[300];
	off_t at;
	int fd;

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 2", "hset", "h", "good", "precious", "other", "value-to-be-hit");
	t_close(&t);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR);
	at = find_bytes(fd, "value-to-be-hit");
	cr_assert(at > 0);
	flip(fd, at + 3);
	close(fd);
	t_open(&t, dir, ENGINE_ALWAYS);
	snprintf(expected, sizeof(expected),
		 "ERROR kv store: '%s': the entry at offset %lld is damaged: restore a backup", path, (long long)at);
	ANSWERS(expected, "hget", "h", "other");
	ANSWERS(expected, "hgetall", "h");
	ANSWERS("OK 'precious'", "hget", "h", "good");
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	cr_expect(strstr(t_call(&t, "backup", copy, NULL), "is damaged") != NULL);
	cr_expect(access(copy, F_OK) != 0, "a backup of damaged data got its name");
	t_close(&t);
}

Test(recovery, refuses_a_data_file_that_was_cut_short)
{
	char path[300], expected[400];
	const char *message;
	struct stat stat_of;

	t_open(&t, dir, ENGINE_ALWAYS);
	for (int i = 0; i < 200; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		ANSWERS("OK 1", "hset", "h", key, "a value of some length, so that there are several pages of them");
	}
	t_close(&t);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	cr_assert(stat(path, &stat_of) == 0 && truncate(path, stat_of.st_size - 8192) == 0);
	message = t_open_fails(&t, dir);
	snprintf(expected, sizeof(expected), "'%s' is damaged: it ends at offset %lld", path,
		 (long long)stat_of.st_size - 8192);
	cr_expect(strstr(message, expected) != NULL, "%s", message);
}

/* Where it cannot be taken apart, it takes room and nothing else; that is said. */
Test(recovery, tells_when_what_a_dropped_bucket_held_cannot_be_cleared_away)
{
	char path[300], copy[300], key[16];
	off_t at;
	int fd;

	t_open(&t, dir, ENGINE_ALWAYS);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", 1000 + i);
		ANSWERS("OK 1", "hset", "h", key, i == 700 ? "value-to-be-hit" : "a value that fills some pages");
	}
	t_close(&t);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR);
	at = find_bytes(fd, "value-to-be-hit");
	cr_assert(at > 0);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "drop", "h");
	flip(fd, at / 4096 * 4096 + 12); /* where the page says that its room begins */
	close(fd);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	t_call(&t, "backup", copy, NULL);
	for (int i = 0; i < 400 && strstr(t.log, "restore a backup") == NULL; i++)
		usleep(10000);
	cr_expect(strstr(t_call(&t, "stats", NULL), "store_stuck: 0") != NULL);
	cr_expect(strstr(t.log, path) != NULL && strstr(t.log, "restore a backup") != NULL, "%s", t.log);
	t_close(&t);
}
