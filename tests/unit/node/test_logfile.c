/* SPDX-License-Identifier: MIT */
#include "node/process/logfile.h"

#include "base/buf.h"
#include "base/fs.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FULL_BYTES = 100 };

static char folder[] = "/tmp/kvrel-test-XXXXXX";
static char path[128];
static int own_stderr = -1;

/* Criterion runs each test in a process of its own: its stderr may become the log. */
static void begin(void)
{
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/foo.log", folder);
	own_stderr = dup(STDERR_FILENO);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	cr_assert(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	setenv("KVREL_LOG_FILE", path, 1);
	logfile_begin(FULL_BYTES, 3);
}

static void end(void)
{
	dup2(own_stderr, STDERR_FILENO);
	fs_remove_tree(folder, NULL);
}

TestSuite(logfile, .init = begin, .fini = end);

static void log_text(const char *text)
{
	cr_assert_eq(write(STDERR_FILENO, text, strlen(text)), (ssize_t)strlen(text));
}

static void log_full(char fill)
{
	char text[FULL_BYTES + 1];
	memset(text, fill, FULL_BYTES);
	text[FULL_BYTES] = '\0';
	log_text(text);
	logfile_check();
}

/* The first byte of a file, 0 when it is empty, -1 when it is not there. */
static int first_of(const char *suffix)
{
	char name[256];
	struct buf text = { 0 };
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	int first = fs_read(name, 4096, &text, NULL) != 0 ? -1 : text.size > 0 ? text.data[0] : 0;
	buf_done(&text);
	return first;
}

Test(logfile, is_not_for_children)
{
	cr_assert_null(getenv("KVREL_LOG_FILE"));
	logfile_hand_over();
	cr_assert_str_eq(getenv("KVREL_LOG_FILE"), path);
}

Test(logfile, goes_on_until_it_is_full)
{
	log_text("a");
	logfile_check();
	cr_assert_eq(first_of(""), 'a');
	cr_assert_eq(first_of(".1"), -1);
}

Test(logfile, keeps_as_many_files_as_it_may)
{
	log_full('a');
	cr_assert_eq(first_of(""), 0);
	cr_assert_eq(first_of(".1"), 'a');
	log_full('b');
	log_full('c');
	log_text("d");
	cr_assert_eq(first_of(""), 'd');
	cr_assert_eq(first_of(".1"), 'c');
	cr_assert_eq(first_of(".2"), 'b');
	cr_assert_eq(first_of(".3"), -1);
}

Test(logfile, of_one_file_is_emptied)
{
	logfile_limit(FULL_BYTES, 1);
	log_full('a');
	log_text("b");
	cr_assert_eq(first_of(""), 'b');
	cr_assert_eq(first_of(".1"), -1);
}

Test(logfile, that_somebody_else_renamed_is_left_alone_until_told)
{
	char other[256];
	snprintf(other, sizeof(other), "%s.away", path);
	cr_assert_eq(rename(path, other), 0);
	log_full('a');
	cr_assert_eq(first_of(""), -1);
	cr_assert_eq(first_of(".away"), 'a');
	cr_assert(logfile_reopen());
	log_text("b");
	cr_assert_eq(first_of(""), 'b');
}

Test(logfile, is_none_where_nobody_named_one)
{
	logfile_begin(1, 2);
	cr_assert_not(logfile_reopen());
	logfile_check();
}

/* Opening a pipe may wait for ever, and who asks for it is the main thread. */
Test(logfile, that_became_a_pipe_is_not_waited_for, .timeout = 20)
{
	log_text("before\n");
	cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	struct stat before, after;
	cr_assert_eq(fstat(STDERR_FILENO, &before), 0);
	cr_assert(logfile_reopen());
	cr_assert_eq(fstat(STDERR_FILENO, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	int reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(reader, 0);
	cr_assert(logfile_reopen()); /* nor is one with a reader written to */
	cr_assert_eq(fstat(STDERR_FILENO, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	close(reader);
	unlink(path);
	cr_assert(logfile_reopen());
	cr_assert_eq(fstat(STDERR_FILENO, &after), 0);
	cr_expect(before.st_ino != after.st_ino);
}
