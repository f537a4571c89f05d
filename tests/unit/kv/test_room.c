/* SPDX-License-Identifier: MIT */
/* Where there is no room: a full disk, a full map, no more numbers for buckets; and room that is used again. */
#include "fixture.h"
#include "full_disk.h"
#include "killed.h"
#include "pages.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAYS(text, part) cr_expect(strstr(text, part) != NULL, "%s", text)

TestSuite(room, .init = t_up, .fini = t_down);

Test(room, answers_errors_on_a_full_disk_and_goes_on_when_there_is_room)
{
	char value[4097], key[16];
	const char *answer = "";
	int written = 0;

	memset(value, 'v', 4096);
	value[4096] = '\0';
	t_open(&t, dir, ENGINE_ALWAYS);
	disk_full = true;
	for (; written < 2000; written++) {
		snprintf(key, sizeof(key), "k%d", written);
		answer = t_call(&t, "hset", "h", key, value, NULL);
		if (strncmp(answer, "OK", 2) != 0)
			break;
	}
	cr_expect_str_eq(answer, "ERROR cannot make room in the log: No space left on device: make room on the disk");
	cr_expect(written > 100 && written < 2000);
	ANSWERS("OK 1", "hexists", "h", "k0");
	cr_expect_str_eq(t.failed, "");
	disk_full = false;
	ANSWERS("OK 1", "hset", "h", "more", "1");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	snprintf(value, sizeof(value), "OK %d", written + 1);
	ANSWERS(value, "hlen", "h");
	t_close(&t);
}

/* Writes, and is killed: what it wrote is in the log alone, with no file to spare. */
static void write_and_be_killed(void)
{
	if (in_who_is_killed()) {
		t_open(&t, dir, ENGINE_ALWAYS);
		ANSWERS("OK 1", "hset", "h", "k", "v");
		_exit(0);
	}
}

Test(room, is_not_needed_to_start_after_a_kill)
{
	write_and_be_killed();
	disk_full = true;
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "h", "k");
	SAYS(t.log, "there is no room for the next one");
	SAYS(t_call(&t, "hset", "h", "more", "1", NULL), "ERROR cannot make room in the log: No space left on device");
	disk_full = false;
	ANSWERS("OK 1", "hset", "h", "more", "1");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 2", "hlen", "h");
	t_close(&t);
}

Test(room, is_not_needed_to_stop_after_such_a_start)
{
	for (int round = 0; round < 2; round++) {
		write_and_be_killed();
		disk_full = true;
		t_open(&t, dir, ENGINE_EVERYSEC);
		t_close(&t);
		cr_expect(strstr(t.log, "broken") == NULL, "%s", t.log);
		disk_full = false;
		t_open(&t, dir, ENGINE_ALWAYS);
		ANSWERS("OK 1", "hdel", "h", "k");
		t_close(&t);
	}
}

Test(room, answers_errors_when_the_map_is_full_and_keeps_serving_reads)
{
	char value[1001], key[16];
	const char *answer = "";
	struct kv_error err;
	int written = 0;

	memset(value, 'v', 1000);
	value[1000] = '\0';
	t.options = t_options(&t, dir);
	t.options.map_size = 4 << 20;
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0, "%s", err.message);
	for (; written < 100000; written++) {
		snprintf(key, sizeof(key), "k%d", written);
		answer = t_call(&t, "hset", "h", key, value, NULL);
		if (strstr(answer, "MDB_MAP_FULL") != NULL)
			break;
		if (strncmp(answer, "OK", 2) != 0)
			usleep(10000);
	}
	cr_expect(strstr(answer, "raise kv.map_size") != NULL, "%s", answer);
	cr_expect(strncmp(t_call(&t, "hget", "h", "k0", NULL), "OK 'vv", 6) == 0);
	cr_expect(strstr(t.log, "raise kv.map_size") != NULL);
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "more", "1");
	ANSWERS("OK 1", "hexists", "h", "k0");
	t_close(&t);
}

/* What it puts takes more room than what may wait to be applied, all of them together. */
static void *put_large_values(void *context)
{
	static char value[700000];
	char key[16];
	int refused = 0;

	for (int i = 0; i < 12; i++) {
		int size = snprintf(key, sizeof(key), "%d-%d", *(int *)context, i);
		const struct kvrel_slice args[] = { { "h", 1 }, { key, (size_t)size }, { value, sizeof(value) } };

		refused += strncmp(t_call_slices(&t, KVREL_NO_WORKER, "hset", args, 3), "OK 1", 4) != 0;
	}
	*(int *)context = refused;
	return NULL;
}

Test(room, is_waited_for_where_more_is_sent_than_applied)
{
	pthread_t threads[16];
	int contexts[16];

	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < 16; i++) {
		contexts[i] = i;
		cr_assert(pthread_create(&threads[i], NULL, put_large_values, &contexts[i]) == 0);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(contexts[i], 0, "%d were refused", contexts[i]);
	}
	ANSWERS("OK 192", "hlen", "h");
	cr_expect(t.holds_begun > 0, "the host was not asked to hold writes back");
	for (int slept = 0; t.holds && slept < 60000; slept++)
		usleep(1000);
	cr_expect_not(t.holds);
	SAYS(t_call(&t, "stats", NULL), "writes_held: 0");
	t_close(&t);
}

static void allow_files_of(rlim_t bytes)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = bytes;
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

Test(room, tells_a_limit_of_files_sizes_from_a_broken_disk)
{
	char value[1001], key[16], expected[32];
	const char *answer = "";
	int written = 0;

	signal(SIGXFSZ, SIG_IGN);
	memset(value, 'v', 1000);
	value[1000] = '\0';
	t_open(&t, dir, ENGINE_NONE);
	allow_files_of(4 << 20);
	for (int tries = 0; tries < 100000; tries++) {
		snprintf(key, sizeof(key), "k%d", written);
		answer = t_call(&t, "hset", "h", key, value, NULL);
		if (strstr(answer, "cannot apply the log") != NULL)
			break;
		if (strncmp(answer, "OK", 2) == 0)
			written++;
		else
			usleep(10000);
	}
	cr_expect(strstr(answer, "File too large: lift the limit of files' sizes (ulimit -f)") != NULL, "%s", answer);
	cr_expect(strncmp(t_call(&t, "hget", "h", "k0", NULL), "OK 'vv", 6) == 0);
	allow_files_of(RLIM_INFINITY);
	for (int tries = 0; tries < 2000 && strncmp(t_call(&t, "hset", "h", "more", "1", NULL), "OK", 2) != 0; tries++)
		usleep(10000);
	snprintf(expected, sizeof(expected), "OK %d", written + 1);
	ANSWERS(expected, "hlen", "h");
	t_close(&t);
}

/* Each write that changes buckets may have to name one in the log, and a segment has to hold them all. */
Test(room, takes_a_batch_of_writes_by_turns_to_buckets_with_long_names)
{
	static char names[2][60000];
	struct kvrel_slice args[64][3];
	struct t_request requests[64];

	t_open(&t, dir, ENGINE_ALWAYS);
	for (int i = 0; i < 64; i++) {
		memset(names[i % 2], 'a' + i % 2, sizeof(names[0]));
		args[i][0] = (struct kvrel_slice){ names[i % 2], sizeof(names[0]) };
		args[i][1] = args[i][2] = (struct kvrel_slice){ "k", 1 };
		requests[i] = (struct t_request){ .op = "hset", .args = args[i], .arg_count = 3 };
	}
	t_batch(&t, 0, requests, 2);
	cr_expect(strstr(t_batch(&t, 0, requests, 64), "ERROR") == NULL);
	ANSWERS("OK 2", "count");
	t_close(&t);
}

/* Overwritten and deleted values leave room that later ones take, while a reader comes and goes. */
Test(room, keeps_the_data_file_small_under_steady_overwrites)
{
	char path[300], key[16], value[1001], answer[1100];
	struct stat early = { 0 }, late = { 0 };

	t_open(&t, dir, ENGINE_NONE);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	for (int round = 0; round < 60; round++) {
		memset(value, 'a' + round % 26, sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		for (int i = 0; i < 1000; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			t_call(&t, "hset", "h", key, value, NULL);
		}
		snprintf(answer, sizeof(answer), "OK '%s'", value);
		ANSWERS(answer, "hget", "h", "k500");
		if (round == 20)
			cr_assert(stat(path, &early) == 0);
	}
	cr_assert(stat(path, &late) == 0);
	/* what a few transactions have in hand, of forty megabytes */
	cr_expect(late.st_size <= early.st_size + (8 << 20) && late.st_size < 16 << 20, "%lld after %lld bytes",
		  (long long)late.st_size, (long long)early.st_size);
	ANSWERS("OK 1000", "hlen", "h");
	t_close(&t);
}

/* Each a name that was never seen before. */
static void come_and_go(unsigned from, unsigned count)
{
	char name[32];

	for (unsigned i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "session:%u", i);
		t_call(&t, "hset", name, "k", "v", NULL);
		t_call(&t, "hdel", name, "k", NULL);
	}
}

/* Everything is put into the pages; then the memory that it took is given up soon. */
static void apply_all(const char *copy)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, copy);
	ANSWERS("OK nil", "backup", path);
}

static bool memory_falls_below(size_t bytes)
{
	for (int tries = 0; tries < 2000 && mallinfo2().uordblks >= bytes; tries++)
		usleep(10000);
	return mallinfo2().uordblks < bytes;
}

Test(room, takes_no_memory_for_buckets_that_came_and_went)
{
	enum { BUCKETS = 30000 };
	struct kv_error err;
	size_t before;

	t.options = t_options(&t, dir);
	t.options.durability = ENGINE_NONE;
	t.options.checkpoint_ms = 20;
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0);
	come_and_go(0, BUCKETS);
	apply_all("copy1");
	before = mallinfo2().uordblks;
	come_and_go(BUCKETS, 2 * BUCKETS);
	apply_all("copy2");
	/* tables grow by how many are on their way; the buckets themselves would take three times this */
	cr_expect(memory_falls_below(before + 64 * BUCKETS), "%zu bytes more", mallinfo2().uordblks - before);
	t_close(&t);
}

/* Leaves a store that has given out all numbers of buckets but one. */
static void nearly_all_buckets_made(void)
{
	struct pages pages = { 0 };
	struct kv_error err;
	MDB_txn *txn;

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK nil", "create", "first");
	t_close(&t);
	cr_assert(pages_open(&pages, dir, 1 << 30, 4, &err) == 0, "%s", err.message);
	pages.state.next_bucket = BUCKET_ID_MAX;
	cr_assert(mdb_txn_begin(pages.env, NULL, 0, &txn) == 0);
	cr_assert(page_state_put(&pages, txn, &pages.state) == 0 && pages_commit(&pages, txn) == 0);
	pages_close(&pages);
}

Test(room, refuses_more_buckets_than_it_can_number_and_keeps_the_others)
{
	const char *refusal =
		"ERROR the store has made as many buckets as it can number: copy what it holds to a new one";

	nearly_all_buckets_made();
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "last", "k", "v");
	ANSWERS(refusal, "hset", "one-more", "k", "v");
	ANSWERS(refusal, "create", "another");
	ANSWERS("OK 1", "hset", "first", "k", "v");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "last", "k");
	ANSWERS("OK 'v'", "hget", "first", "k");
	ANSWERS(refusal, "hset", "one-more", "k", "v");
	ANSWERS("OK 2", "count");
	t_close(&t);
}
