/* SPDX-License-Identifier: MIT */
/* The log's end, once it is known: damage of what was synced last is told, and not cut as if a power loss had torn it.
 */
#include "durable.h"
#include "fixture.h"
#include "killed.h"
#include "sync_hook.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(seal, .init = t_up, .fini = t_down);

/* In the file of the log that has it, once. */
static void damage(const char *bytes)
{
	static char content[T_SEGMENT_BYTES];
	char folder[300];
	const struct dirent *entry;
	bool done = false;
	DIR *files;

	snprintf(folder, sizeof(folder), "%s/log", dir);
	files = opendir(folder);
	while (!done && (entry = readdir(files)) != NULL) {
		int fd = openat(dirfd(files), entry->d_name, O_RDWR);
		ssize_t size = fd >= 0 ? pread(fd, content, sizeof(content), 0) : -1;
		const char *found = size > 0 ? memmem(content, (size_t)size, bytes, strlen(bytes)) : NULL;

		done = found != NULL && pwrite(fd, "#", 1, found - content) == 1;
		if (fd >= 0)
			close(fd);
	}
	closedir(files);
	cr_assert(done, "there is no '%s' in the log", bytes);
}

/* The first file of the log. */
static void cut(off_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/log/0000000000000001.log", dir);
	cr_assert(truncate(path, size) == 0);
}

static void expect_refusal(void)
{
	const char *message = t_open_fails(&t, dir);

	cr_expect(strstr(message, "what was durable there is not readable: restore a backup") != NULL, "%s", message);
}

static int fail_of_pages(const char *path)
{
	return strstr(path, "data.mdb") != NULL ? EIO : 0;
}

/* A stop that cannot bring into the pages what the log holds. */
static void stop_with_a_log(enum engine_durability durability)
{
	t_open(&t, dir, durability);
	ANSWERS("OK 1", "hset", "b", "first", "1");
	atomic_store(&sync_hook, fail_of_pages);
	ANSWERS("OK 1", "hset", "b", "second", "2");
	ANSWERS("OK 1", "hset", "b", "third", "precious");
	t_close(&t);
	atomic_store(&sync_hook, NULL);
}

static void expect_all_found(void)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(t.log, "");
	ANSWERS("OK [first, second, third]", "hkeys", "b");
	t_close(&t);
}

Test(seal, of_a_stop_tells_damage_of_the_last_write)
{
	stop_with_a_log(ENGINE_ALWAYS);
	damage("precious");
	expect_refusal();
}

Test(seal, of_a_stop_tells_damage_where_no_sync_was_waited_for)
{
	stop_with_a_log(ENGINE_NONE);
	damage("precious");
	expect_refusal();
}

Test(seal, of_a_stop_is_no_write)
{
	stop_with_a_log(ENGINE_ALWAYS);
	expect_all_found();
	expect_all_found();
}

/* Writes, waits for the seal, and goes as a kill does. */
static void be_killed_when_sealed(void)
{
	const struct durable *store;

	t_open(&t, dir, ENGINE_ALWAYS);
	store = (const struct durable *)t.engine;
	ANSWERS("OK 1", "hset", "b", "first", "1");
	ANSWERS("OK 1", "hset", "b", "second", "2");
	ANSWERS("OK 1", "hset", "b", "third", "precious");
	while (atomic_load(&store->log.sealed) == 0)
		usleep(10000);
	_exit(0);
}

static void sealed_and_killed(void)
{
	if (in_who_is_killed())
		be_killed_when_sealed();
}

Test(seal, of_a_log_that_waits_for_writes_tells_damage_of_the_last_one)
{
	sealed_and_killed();
	damage("precious");
	expect_refusal();
}

Test(seal, of_a_log_that_waits_for_writes_is_no_write)
{
	sealed_and_killed();
	expect_all_found();
}

Test(seal, of_a_file_that_was_cut_short_is_missed)
{
	const char *message;

	sealed_and_killed();
	cut(100);
	message = t_open_fails(&t, dir);
	cr_expect(strstr(message, "0000000000000001.log': it was cut short at offset ") != NULL, "%s", message);
}
