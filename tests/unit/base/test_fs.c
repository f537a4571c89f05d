/* SPDX-License-Identifier: MIT */
#include "base/fs.h"

#include "base/scope.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

TestSuite(fs, .init = scratch_begin, .fini = scratch_end);

static struct error err;

Test(fs, reading_appends_the_whole_content)
{
	SCOPE(buf_done) struct buf out = { 0 };

	buf_append_string(&out, "<");
	write_file(at("f"), "content");
	cr_assert_eq(fs_read(at("f"), 100, &out, &err), 0);
	cr_assert_str_eq(buf_string(&out), "<content");
}

Test(fs, a_file_of_exactly_the_limit_is_read)
{
	SCOPE(buf_done) struct buf out = { 0 };

	write_file(at("f"), "12345");
	cr_assert_eq(fs_read(at("f"), 5, &out, &err), 0);
	cr_assert_eq(fs_read(at("f"), 4, &out, &err), -(int)ERROR_LIMIT);
	cr_assert_eq(out.size, 5, "a failure leaves the buffer as it was");
	cr_assert(strstr(err.message, at("f")));
}

Test(fs, files_that_tell_no_size_are_read_and_limited_too)
{
	SCOPE(buf_done) struct buf out = { 0 };

	cr_assert_eq(fs_read("/proc/self/status", 1 << 20, &out, &err), 0);
	cr_assert_gt(out.size, 100);
	cr_assert_eq(fs_read("/proc/self/status", 100, &out, &err), -(int)ERROR_LIMIT);
	cr_assert_eq(fs_read("/dev/zero", 1 << 20, &out, &err), -(int)ERROR_LIMIT);
}

Test(fs, reading_what_is_missing_names_it)
{
	SCOPE(buf_done) struct buf out = { 0 };

	cr_assert_eq(fs_read(at("none"), 10, &out, &err), -(int)ERROR_NOT_FOUND);
	cr_assert(strstr(err.message, "/none': No such file or directory"));
	cr_assert_lt(fs_read(scratch, 10, &out, &err), 0);
}

Test(fs, a_pipe_is_no_file_and_not_waited_for)
{
	struct buf buf = { 0 };

	cr_assert_eq(mkfifo(at("pipe"), 0600), 0);
	cr_assert_eq(fs_read_file(at("pipe"), 100, &buf, &err), -(int)ERROR_INVALID);
	cr_assert_not_null(strstr(err.message, "/pipe': it is no file"), "%s", err.message);
	cr_assert_eq(fs_read_file("/dev/null", 100, &buf, &err), 0);
	cr_assert_eq(buf.size, 0);
}

Test(fs, a_file_or_device_is_opened_and_a_pipe_is_refused_at_once)
{
	int fd = -1;

	cr_assert_eq(mkfifo(at("pipe"), 0600), 0);
	cr_expect_eq(fs_open_file(at("pipe"), O_WRONLY | O_APPEND | O_CREAT, 0600, &fd, &err), -(int)ERROR_INVALID);
	cr_expect(strstr(err.message, "/pipe': it is no file"), "%s", err.message);
	cr_expect_eq(fs_open_file(at("pipe"), O_RDONLY, 0, &fd, &err), -(int)ERROR_INVALID);
	cr_expect_eq(fs_open_file(scratch, O_RDONLY, 0, &fd, &err), -(int)ERROR_INVALID);
	cr_expect_eq(fs_open_file(at("none"), O_RDONLY, 0, &fd, &err), -(int)ERROR_NOT_FOUND);
	cr_expect_eq(fd, -1);
	cr_assert_eq(fs_open_file("/dev/null", O_WRONLY, 0, &fd, &err), 0);
	close(fd);
	cr_assert_eq(fs_open_file(at("f"), O_WRONLY | O_APPEND | O_CREAT, 0640, &fd, &err), 0);
	cr_expect_eq(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND | O_ACCMODE), O_APPEND | O_WRONLY);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

Test(fs, replace_writes_content_and_mode_whatever_the_umask)
{
	struct stat st;
	mode_t old = umask(077);

	cr_assert_eq(fs_replace(at("f"), SLICE("one"), 0644, &err), 0, "%s", err.message);
	cr_assert_eq(fs_replace(at("f"), SLICE("two"), 0640, &err), 0);
	umask(old);
	cr_assert_str_eq(content_of(at("f")), "two");
	cr_assert_eq(stat(at("f"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
}

Test(fs, replace_swaps_the_name_and_leaves_the_old_file_to_its_readers)
{
	SCOPE_FD int fd = -1;
	char old[8] = { 0 };

	write_file(at("f"), "old");
	fd = open(at("f"), O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fs_replace(at("f"), SLICE("new"), 0600, &err), 0);
	cr_assert_eq(read(fd, old, sizeof(old)), 3);
	cr_assert_str_eq(old, "old");
	cr_assert_str_eq(content_of(at("f")), "new");
}

static int count_entry(void *context, const char *relative, const struct stat *st, struct error *unused)
{
	(void)relative;
	(void)st;
	(void)unused;
	++*(int *)context;
	return 0;
}

Test(fs, a_failed_replace_leaves_nothing_behind)
{
	int entries = 0;

	cr_assert_eq(mkdir(at("d"), 0700), 0);
	cr_assert_lt(fs_replace(at("d"), SLICE("x"), 0600, &err), 0);
	cr_assert_lt(fs_replace(at("no/f"), SLICE("x"), 0600, &err), 0);
	cr_assert_eq(fs_walk(scratch, count_entry, &entries, &err), 0);
	cr_assert_eq(entries, 1);
}

Test(fs, the_longest_file_name_can_be_replaced)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	cr_assert_eq(fs_replace(at(name), SLICE("x"), 0600, &err), 0, "%s", err.message);
}

Test(fs, folders_are_made_with_their_parents)
{
	cr_assert_eq(fs_make_dirs(at("a/b//c/"), 0755, &err), 0, "%s", err.message);
	cr_assert(fs_is_dir(at("a/b/c")));
	cr_assert_eq(fs_make_dirs(at("a/b/c"), 0755, &err), 0, "once more is fine");
	write_file(at("file"), "");
	cr_assert_lt(fs_make_dirs(at("file"), 0755, &err), 0);
	cr_assert_lt(fs_make_dirs(at("file/x"), 0755, &err), 0);
	cr_assert(strstr(err.message, "Not a directory"));
}

Test(fs, exists_follows_links_and_read_link_does_not)
{
	SCOPE(buf_done) struct buf out = { 0 };

	cr_assert_eq(symlink("nowhere", at("link")), 0);
	cr_assert_not(fs_exists(at("link")));
	cr_assert_eq(fs_read_link(at("link"), &out, &err), 0);
	cr_assert_str_eq(buf_string(&out), "nowhere");
	write_file(at("file"), "");
	cr_assert(fs_exists(at("file")));
	cr_assert_not(fs_is_dir(at("file")));
	cr_assert_eq(fs_read_link(at("file"), &out, &err), -(int)ERROR_SYSTEM);
}

Test(fs, a_lock_is_held_until_its_descriptor_is_closed)
{
	int first = -1, second = -1;

	cr_assert_eq(fs_lock(at("lock"), false, &first, &err), 0);
	cr_assert(fcntl(first, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(fs_lock(at("lock"), false, &second, &err), -(int)ERROR_TRY_AGAIN);
	cr_assert_eq(second, -1);
	close(first);
	cr_assert_eq(fs_lock(at("lock"), false, &second, &err), 0);
	close(second);
}

Test(fs, a_waiting_lock_is_that_of_the_name_even_when_the_holder_removes_the_file)
{
	int held, fd;
	struct stat ours, named;
	pid_t child;

	cr_assert_eq(fs_lock(at("lock"), false, &held, &err), 0);
	child = fork();
	if (child == 0) {
		usleep(50000);
		unlink(at("lock"));
		close(held);
		_exit(0);
	}
	close(held);
	cr_assert_eq(fs_lock(at("lock"), true, &fd, &err), 0);
	waitpid(child, NULL, 0);
	cr_assert_eq(fstat(fd, &ours), 0);
	cr_assert_eq(stat(at("lock"), &named), 0);
	cr_assert_eq(ours.st_ino, named.st_ino);
	close(fd);
}

Test(fs, a_lock_is_never_taken_through_a_link)
{
	int fd = -1;

	cr_assert_eq(symlink("elsewhere", at("lock")), 0);
	cr_assert_lt(fs_lock(at("lock"), false, &fd, &err), 0);
	cr_assert_not(fs_exists(at("elsewhere")));
}

Test(fs, a_full_device_is_an_error)
{
	SCOPE_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_lt(fs_write_all(fd, "x", 1, &err), 0);
	cr_assert_eq(err.errnum, ENOSPC);
}
