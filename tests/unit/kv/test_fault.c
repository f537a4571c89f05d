/* SPDX-License-Identifier: MIT */
/* Files that are cut short while the store has them mapped: as a disk that fails, they cannot be read any more. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Large values fill a small segment, and stay there; of a large one they are a small part, and go into the pages. */
enum { KEYS = 2000, SMALL_SEGMENTS = 1 << 20, LARGE_SEGMENTS = 64 << 20 };

static int value_bytes;

static void open_store(uint64_t checkpoint_ms, uint64_t segment_size)
{
	struct kv_error err;

	t.options = t_options(&t, dir);
	t.options.checkpoint_ms = checkpoint_ms;
	t.options.segment_size = segment_size;
	t.options.cache_size = 4 << 20;
	t.options.durability = ENGINE_NONE;
	t.log[0] = '\0';
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0, "%s", err.message);
}

static void value_of(int number, char *out)
{
	sprintf(out, "%0*d", value_bytes, number);
}

/* All of it in the pages, and where it is known to the caches of the readers. */
static void fill(int bytes, uint64_t segment_size)
{
	char key[16], *value = malloc((size_t)bytes + 1);

	value_bytes = bytes;
	open_store(3600 * 1000, segment_size);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		value_of(i, value);
		ANSWERS("OK 1", "hset", "h", key, value);
	}
	t_close(&t);
	open_store(20, segment_size);
	free(value);
}

/* How many of the values could not be read. None is wrong. */
static int read_all(void)
{
	char key[16], *expected = malloc((size_t)value_bytes + 16), *value = malloc((size_t)value_bytes + 1);
	int errors = 0;

	for (int i = 0; i < KEYS; i++) {
		const char *answer;

		snprintf(key, sizeof(key), "k%d", i);
		value_of(i, value);
		sprintf(expected, "OK '%s'", value);
		answer = t_call(&t, "hget", "h", key, NULL);
		if (strncmp(answer, "ERROR kv store: ", 16) == 0)
			errors++;
		else
			cr_assert_str_eq(answer, expected);
	}
	free(expected);
	free(value);
	return errors;
}

static void cut(const char *file)
{
	struct stat stat;

	cr_assert(lstat(file, &stat) == 0 && truncate(file, stat.st_size / 2 / 4096 * 4096) == 0);
}

#define SAYS(text, part) cr_expect(strstr(text, part) != NULL, "%s", text)

/* Nothing more gets into the pages, and that is told once. */
static void expect_told(void)
{
	const char *first = NULL;

	for (int tries = 0; tries < 1000 && first == NULL; tries++, usleep(10000))
		first = strstr(t.log, "can be read: it was cut short, or its disk fails: restore a backup");
	cr_assert(first != NULL, "%s", t.log);
	SAYS(t_call(&t, "stats", NULL), "store_stuck: 1");
	for (int i = 0; i < 100; i++, usleep(2000)) {
		const char *answer = t_call(&t, "hset", "h", "k0", "1", NULL);

		cr_expect(strncmp(answer, "OK 0", 4) == 0 || strncmp(answer, "ERROR kv store: ", 16) == 0, "%s",
			  answer);
	}
	cr_expect(strstr(first + 1, "can be read") == NULL, "%s", t.log);
}

TestSuite(fault, .init = t_up, .fini = t_down);

Test(fault, of_the_data_file_is_an_error_to_who_needs_what_is_lost)
{
	char copy[300];
	int errors;

	fill(300, SMALL_SEGMENTS);
	cr_assert_eq(read_all(), 0);
	cut(data);
	errors = read_all();
	cr_expect(errors > KEYS / 10, "%d", errors);
	cr_expect_geq(read_all(), errors);
	SAYS(t_call(&t, "hgetall", "h", NULL), "ERROR kv store: ");
	SAYS(t_call(&t, "verify", NULL), "ERROR kv store: ");
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	SAYS(t_call(&t, "backup", copy, NULL), "ERROR kv store: ");
	cr_expect(access(copy, F_OK) != 0);
	expect_told();
	t_close(&t);
	SAYS(t_open_fails(&t, dir), "is damaged: it ends at offset");
}

Test(fault, of_all_of_the_data_file_ends_no_process)
{
	fill(100, SMALL_SEGMENTS);
	cr_assert_eq(read_all(), 0);
	cr_assert(truncate(data, 0) == 0);
	cr_expect_eq(read_all(), KEYS);
	expect_told();
	t_close(&t);
	SAYS(t_open_fails(&t, dir), "is damaged, or no store");
}

Test(fault, of_a_value_with_pages_of_its_own_is_never_sent_as_zeros)
{
	fill(4000, LARGE_SEGMENTS);
	SAYS(t_call(&t, "stats", NULL), "value_bytes: 0,");
	cr_assert_eq(read_all(), 0);
	cut(data);
	for (int round = 0; round < 3; round++)
		cr_expect(read_all() > KEYS / 10);
	t_close(&t);
}

/* Each file that holds far values. */
static void cut_values(void)
{
	char folder[300], path[600];
	const struct dirent *entry;
	DIR *files;

	snprintf(folder, sizeof(folder), "%s/log", dir);
	files = opendir(folder);
	while ((entry = readdir(files)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			cut(path);
	}
	closedir(files);
}

Test(fault, of_far_values_is_an_error_each_time)
{
	fill(2000, SMALL_SEGMENTS);
	SAYS(t_call(&t, "stats", NULL), "value_bytes: 4");
	cr_assert_eq(read_all(), 0);
	cut_values();
	for (int round = 0; round < 3; round++)
		cr_expect(read_all() > KEYS / 10);
	t_close(&t);
}

/* ---- what is no business of the store's ----------------------------------------------------------------------------
 */

static void read_behind_the_end(void)
{
	char path[300];
	const volatile char *map;
	int fd;

	snprintf(path, sizeof(path), "%s/other", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	cr_assert(ftruncate(fd, 8192) == 0);
	map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert(map != MAP_FAILED && ftruncate(fd, 0) == 0);
	(void)map[4096];
}

/* How a process ends whose handler it was before that of the store: its exit code, or a signal, negative. */
static int end_of_who_reads_behind_the_end(void (*handler)(int))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGBUS, handler);
		fill(10, SMALL_SEGMENTS);
		read_behind_the_end();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Test(fault, of_another_file_is_a_crash_as_ever)
{
	/* sanitizers have a handler of their own */
	cr_expect_eq(end_of_who_reads_behind_the_end(SIG_DFL), -SIGBUS);
}

static void on_bus(int number)
{
	_exit(number == SIGBUS ? 7 : 8);
}

Test(fault, of_another_file_is_told_to_who_was_asked_before)
{
	cr_expect_eq(end_of_who_reads_behind_the_end(on_bus), 7);
}

Test(fault, is_left_to_who_was_asked_before_when_the_store_is_closed)
{
	struct sigaction now;

	signal(SIGBUS, on_bus);
	fill(10, SMALL_SEGMENTS);
	t_close(&t);
	cr_assert(sigaction(SIGBUS, NULL, &now) == 0);
	cr_expect(now.sa_handler == on_bus);
}
