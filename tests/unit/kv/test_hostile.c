/* SPDX-License-Identifier: MIT */
/* A data folder that is not what it should be, a disk that fails, and places for backups that are none. */
#include "fixture.h"

#include "pages.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A disk that cannot write any more, when a test says so: stands in for the C library's, for LMDB too. */
__attribute__((visibility("default"))) int fdatasync(int fd);
static _Atomic bool disk_fails;

int fdatasync(int fd)
{
	static int (*real)(int);

	if (disk_fails) {
		errno = EIO;
		return -1;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
	return real(fd);
}

TestSuite(hostile, .init = t_up, .fini = t_down);

#define SAYS(text, part) cr_expect(strstr(text, part) != NULL, "%s", text)

static void small_store(void)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "k", "v");
	t_close(&t);
}

/* ---- what lies where the data should --------------------------------------------------------------------------- */

Test(hostile, takes_an_empty_data_file_for_damage_and_no_new_store)
{
	small_store();
	cr_assert(truncate(data, 0) == 0);
	SAYS(t_open_fails(&t, dir), "is damaged, or no store: restore a backup");
}

Test(hostile, takes_damage_for_damage_in_a_folder_with_a_long_name)
{
	char below[800], name[200];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(below, sizeof(below), "%s/%s/%s", dir, name, name);
	t_open(&t, below, ENGINE_ALWAYS);
	t_close(&t);
	snprintf(below + strlen(below), 16, "/data.mdb");
	cr_assert(truncate(below, 8192) == 0);
	*strrchr(below, '/') = '\0';
	SAYS(t_open_fails(&t, below), "is damaged");
}

Test(hostile, refuses_a_file_of_another_kind)
{
	char bytes[8192];
	int fd = open(data, O_WRONLY | O_CREAT, 0600);

	memset(bytes, 'x', sizeof(bytes));
	cr_assert(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	close(fd);
	SAYS(t_open_fails(&t, dir), "is damaged, or no store");
}

Test(hostile, does_not_wait_for_a_pipe)
{
	cr_assert(mkfifo(data, 0600) == 0);
	SAYS(t_open_fails(&t, dir), "is not a file");
}

Test(hostile, refuses_a_folder_and_a_link_to_nowhere)
{
	cr_assert(mkdir(data, 0700) == 0);
	SAYS(t_open_fails(&t, dir), "is not a file");
	cr_assert(rmdir(data) == 0 && symlink("nowhere/data.mdb", data) == 0);
	SAYS(t_open_fails(&t, dir), "No such file or directory");
}

Test(hostile, refuses_tables_of_somebody_else)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	MDB_val key = { 1, (char *)"k" }, value = { 1, (char *)"v" };

	cr_assert(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 2) == 0 && mdb_env_open(env, dir, 0, 0600) == 0);
	cr_assert(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, "theirs", MDB_CREATE, &table) == 0);
	cr_assert(mdb_put(txn, table, &key, &value, 0) == 0 && mdb_txn_commit(txn) == 0);
	mdb_env_close(env);
	SAYS(t_open_fails(&t, dir), "the record of a table is damaged");
}

Test(hostile, does_not_replay_the_log_of_another_store)
{
	char other[300], from[600], to[600];

	snprintf(other, sizeof(other), "%s/other", dir);
	t_open(&t, other, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "k", "theirs");
	t_close(&t);
	small_store();
	snprintf(from, sizeof(from), "%s/log", other);
	snprintf(to, sizeof(to), "%s/log", dir);
	t_remove(to);
	cr_assert(rename(from, to) == 0);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "h", "k");
	t_close(&t);
}

/* ---- a disk that fails ------------------------------------------------------------------------------------------- */

/* What the system could not write it may have thrown away: nothing later makes up for it. */
Test(hostile, acknowledges_nothing_after_a_failed_sync)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "before", "1");
	disk_fails = true;
	SAYS(t_call(&t, "hset", "h", "lost", "1", NULL), "ERROR kv log: cannot sync");
	disk_fails = false;
	SAYS(t_call(&t, "hset", "h", "after", "1", NULL), "ERROR kv log: cannot sync");
	SAYS(t_call(&t, "sync", NULL), "ERROR");
	ANSWERS("OK '1'", "hget", "h", "before");
	SAYS(t.failed, "Input/output error");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK '1'", "hget", "h", "before");
	t_close(&t);
}

Test(hostile, tells_who_wants_a_backup_that_the_disk_fails)
{
	char copy[300];

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "k", "1");
	disk_fails = true;
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	SAYS(t_call(&t, "backup", copy, NULL), "ERROR");
	cr_expect(access(copy, F_OK) != 0);
	disk_fails = false;
	t_close(&t);
}

/* ---- backups ----------------------------------------------------------------------------------------------------- */

static void expect_no_backup(const char *path, const char *why)
{
	char partial[600];

	SAYS(t_call(&t, "backup", path, NULL), why);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	cr_expect(access(partial, F_OK) != 0, "'%s' is left", partial);
}

Test(hostile, writes_no_backup_where_there_is_no_place_for_one)
{
	char path[300];

	small_store();
	t_open(&t, dir, ENGINE_ALWAYS);
	snprintf(path, sizeof(path), "%s/no/such/folder", dir);
	expect_no_backup(path, "No such file or directory");
	expect_no_backup("/proc/copy", "ERROR backup: cannot make '/proc/copy.partial'");
	expect_no_backup(data, "exists already");
	snprintf(path, sizeof(path), "%s/data.mdb/copy", dir);
	expect_no_backup(path, "Not a directory");
	snprintf(path, sizeof(path), "%s/log/00000000000000ff.log", dir);
	expect_no_backup(path, "lies in the store's own log");
	t_close(&t);
}

Test(hostile, begins_a_backup_anew_that_a_kill_left)
{
	char path[300], partial[320], left[340];
	int fd;

	small_store();
	snprintf(path, sizeof(path), "%s/copy", dir);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	snprintf(left, sizeof(left), "%s/data.mdb", partial);
	cr_assert(mkdir(partial, 0700) == 0);
	fd = open(left, O_WRONLY | O_CREAT, 0600);
	cr_assert(write(fd, "half", 4) == 4);
	close(fd);
	t_open(&t, dir, ENGINE_ALWAYS);
	fd = open(partial, O_RDONLY | O_DIRECTORY);
	cr_assert(flock(fd, LOCK_EX) == 0);
	SAYS(t_call(&t, "backup", path, NULL), "another one is being written");
	close(fd);
	ANSWERS("OK nil", "backup", path);
	cr_expect(access(partial, F_OK) != 0);
	t_close(&t);
	t_open(&t, path, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "h", "k");
	t_close(&t);
}
