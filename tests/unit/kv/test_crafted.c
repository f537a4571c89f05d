/* SPDX-License-Identifier: MIT */
/* A data folder that somebody made who wants more than to have it served. */
#include "fixture.h"
#include "pages.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char victim[300];

static void up(void)
{
	t_up();
	snprintf(victim, sizeof(victim), "%s/victim", dir);
}

TestSuite(crafted, .init = up, .fini = t_down);

#define SAYS(text, part) cr_expect(strstr(text, part) != NULL, "%s", text)

/* Some large values, so that there are rows in all tables. */
static void make_store(void)
{
	static char value[4001];
	char key[16];

	memset(value, 'v', sizeof(value) - 1);
	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < 600; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ANSWERS("OK 1", "hset", "h", key, value);
	}
	t_close(&t);
}

/* Changes bytes behind a name, wherever it stands in the data file. */
static void patch_behind(const char *name, size_t offset, const void *bytes, size_t size)
{
	static char page[4096];
	int fd = open(data, O_RDWR), found = 0;

	for (off_t at = 0; pread(fd, page, sizeof(page), at) == (ssize_t)sizeof(page); at += (off_t)sizeof(page)) {
		const char *place = memmem(page, sizeof(page), name, strlen(name));

		if (place == NULL)
			continue;
		found += pwrite(fd, bytes, size, at + (place - page) + (off_t)(strlen(name) + offset)) == (ssize_t)size;
	}
	close(fd);
	cr_assert(found > 0);
}

Test(crafted, table_with_more_entries_than_there_are_is_refused)
{
	const uint64_t many = (UINT64_MAX / sizeof(void *)) + 1;

	make_store();
	patch_behind("values", offsetof(struct page_table, entries), &many, sizeof(many));
	SAYS(t_open_fails(&t, dir), "table 'values' has");
}

Test(crafted, table_of_another_kind_is_refused)
{
	const uint16_t kind = MDB_DUPSORT;

	make_store();
	patch_behind("garbage", offsetof(struct page_table, flags), &kind, sizeof(kind));
	SAYS(t_open_fails(&t, dir), "is damaged: restore a backup");
}

Test(crafted, record_of_the_store_with_a_bit_flipped_is_refused)
{
	const uint64_t next = 1 << 20;

	make_store();
	patch_behind("state", offsetof(struct page_state, next_bucket), &next, sizeof(next));
	SAYS(t_open_fails(&t, dir), "its state record is damaged: restore a backup");
}

/* A commit that has nothing to do with the record. */
static void drop_a_bucket(struct pages *pages)
{
	unsigned char bytes[PAGE_ID_MAX];
	MDB_val key = { page_id_put(bytes, 1000), bytes }, value = { 0, NULL };
	MDB_txn *txn;

	cr_assert(mdb_txn_begin(pages->env, NULL, 0, &txn) == 0);
	cr_assert(mdb_put(txn, pages->garbage, &key, &value, 0) == 0 && pages_commit(pages, txn) == 0);
}

Test(crafted, record_of_the_store_with_a_bit_flipped_gets_no_new_checksum)
{
	const uint64_t next = 1 << 20;
	struct pages pages = { 0 };
	struct kv_error err;

	make_store();
	cr_assert(pages_open(&pages, dir, 1 << 30, 4, &err) == 0, "%s", err.message);
	patch_behind("state", offsetof(struct page_state, next_bucket), &next, sizeof(next));
	drop_a_bucket(&pages);
	pages_close(&pages);
	SAYS(t_open_fails(&t, dir), "its state record is damaged: restore a backup");
}

/* As if a bit of a dropped bucket's id had been flipped: then it is a living one's. */
static void note_as_dropped(uint64_t id, const char *checksum)
{
	unsigned char bytes[PAGE_ID_MAX];
	MDB_val key = { page_id_put(bytes, id), bytes }, value = { strlen(checksum), (char *)checksum };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi garbage;

	cr_assert(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 8) == 0);
	cr_assert(mdb_env_set_mapsize(env, 1 << 30) == 0 && mdb_env_open(env, dir, 0, 0600) == 0);
	cr_assert(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, "garbage", 0, &garbage) == 0);
	cr_assert(mdb_put(txn, garbage, &key, &value, 0) == 0 && mdb_txn_commit(txn) == 0);
	mdb_env_close(env);
}

Test(crafted, note_of_a_dropped_bucket_that_is_damaged_clears_nothing)
{
	make_store();
	for (uint64_t id = 1; id < 4; id++)
		note_as_dropped(id, "none");
	t_open(&t, dir, ENGINE_NONE);
	for (int i = 0; i < 500 && strstr(t.log, "is damaged") == NULL; i++)
		usleep(10000);
	SAYS(t.log, "is damaged");
	ANSWERS("OK 600", "hlen", "h");
	ANSWERS("OK 1", "hexists", "h", "k0");
	ANSWERS("OK 1", "hexists", "h", "k599");
	t_close(&t);
}

/* ---- links ----------------------------------------------------------------------------------------------------- */

/* In the place of a file of the store, to one that is none of its business. */
static void link_to_victim(const char *name, size_t size)
{
	char path[600];
	int fd = open(victim, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && write(fd, "precious", 8) == 8 && ftruncate(fd, (off_t)size) == 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	cr_assert(symlink(victim, path) == 0);
}

static void expect_victim_whole(size_t size)
{
	struct stat stat_of;
	char bytes[9] = "";
	int fd = open(victim, O_RDONLY);

	cr_expect(fstat(fd, &stat_of) == 0 && stat_of.st_size == (off_t)size && read(fd, bytes, 8) == 8);
	cr_expect_str_eq(bytes, "precious");
	close(fd);
}

Test(crafted, lock_that_is_a_link_is_not_followed)
{
	make_store();
	link_to_victim("lock", 100);
	SAYS(t_open_fails(&t, dir), "/lock': ");
	expect_victim_whole(100);
}

Test(crafted, lock_of_the_pages_that_is_a_link_is_not_followed)
{
	make_store();
	link_to_victim("lock.mdb", 100);
	SAYS(t_open_fails(&t, dir), "/lock.mdb' is not a file: remove it");
	expect_victim_whole(100);
}

Test(crafted, segment_that_is_a_link_is_not_followed)
{
	make_store();
	link_to_victim("log/00000000000000ff.log", T_SEGMENT_BYTES);
	SAYS(t_open_fails(&t, dir), "/log/00000000000000ff.log': ");
	expect_victim_whole(T_SEGMENT_BYTES);
}
