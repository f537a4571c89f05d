/* SPDX-License-Identifier: MIT */
/*
 * The data file is cut short while LMDB changes it, behind all that looks at it before: its own functions, which the
 * test stands in for, do that first. What LMDB had begun is never freed, so each store of this kind has a process of
 * its own, which ends without a look for leaks.
 */
#include "fixture.h"
#include "killed.h"
#include "pages.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS = 3000 };

static _Atomic bool cut_in_put, cut_in_commit;

static void cut(_Atomic bool *wanted)
{
	if (atomic_exchange(wanted, false) && truncate(data, 0) != 0)
		_exit(9);
}

#define STANDS_IN __attribute__((visibility("default")))

STANDS_IN int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *value, unsigned flags)
{
	static int (*real)(MDB_cursor *, MDB_val *, MDB_val *, unsigned);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_cursor_put");
	cut(&cut_in_put);
	return real(cursor, key, value, flags);
}

STANDS_IN int mdb_txn_commit(MDB_txn *txn)
{
	static int (*real)(MDB_txn *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_commit");
	cut(&cut_in_commit);
	return real(txn);
}

TestSuite(fault_write, .init = t_up, .fini = t_down);

/* In the process of its own. */
static void expect(bool fine, const char *what, const char *text)
{
	if (fine)
		return;
	fprintf(stderr, "%s: %s\n", what, text);
	_exit(1);
}

static void put_all(void)
{
	char key[16];

	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		t_call(&t, "hset", "h", key, "a value that fills some pages when there are so many of them", NULL);
	}
}

static bool comes(const char *text, const char *part)
{
	for (int tries = 0; tries < 1000 && strstr(text, part) == NULL; tries++)
		usleep(10000);
	return strstr(text, part) != NULL;
}

/* All that the process still has to do. */
static void go_on(void)
{
	const char *answer;
	char copy[300];

	/* that it was cut short; or, if all pages of a put had been read before, that those of the next are empty */
	expect(comes(t.log, ": restore a backup"), "log", t.log);
	answer = t_call(&t, "stats", NULL);
	expect(strstr(answer, "store_stuck: 1") != NULL, "stats", answer);
	answer = t_call(&t, "hset", "h", "k1", "new", NULL);
	expect(strncmp(answer, "OK 0", 4) == 0 || strncmp(answer, "ERROR kv store: ", 16) == 0, "hset", answer);
	answer = t_call(&t, "hget", "h", "k2", NULL);
	expect(strncmp(answer, "OK 'a value", 11) == 0 || strncmp(answer, "ERROR kv store: ", 16) == 0, "hget", answer);
	answer = t_call(&t, "hget", "h", "never-there", NULL);
	expect(strncmp(answer, "ERROR kv store: ", 16) == 0, "hget", answer);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	answer = t_call(&t, "backup", copy, NULL);
	expect(strncmp(answer, "ERROR kv store: ", 16) == 0, "backup", answer);
	expect(access(copy, F_OK) != 0, "backup", "it is there");
	t_close(&t);
}

static void process(_Atomic bool *when)
{
	struct kv_error err;

	t_open(&t, dir, ENGINE_ALWAYS);
	put_all();
	t_close(&t);
	memset(&t, 0, sizeof(t));
	t.options = t_options(&t, dir);
	t.options.checkpoint_ms = 20;
	t.options.durability = ENGINE_ALWAYS;
	expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "open", err.message);
	atomic_store(when, true);
	put_all();
	go_on();
	_exit(0);
}

static void expect_no_end(_Atomic bool *when)
{
	if (in_who_is_killed())
		process(when);
	cr_expect(strstr(t_open_fails(&t, dir), "is damaged, or no store") != NULL);
}

Test(fault_write, in_a_put_ends_the_applying_thread_alone)
{
	expect_no_end(&cut_in_put);
}

Test(fault_write, in_a_commit_ends_the_applying_thread_alone)
{
	expect_no_end(&cut_in_commit);
}
