/* SPDX-License-Identifier: MIT */
/* Walking, removing and copying: core/base/fs_tree.c. */
#include "base/fs.h"

#include "base/scope.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>

TestSuite(tree, .init = scratch_begin, .fini = scratch_end);

static struct error err;

static int list_entry(void *context, const char *relative, const struct stat *st, struct error *unused)
{
	(void)unused;
	buf_printf(context, "%s%s ", relative, S_ISDIR(st->st_mode) ? "/" : S_ISLNK(st->st_mode) ? "@" : "");
	return 0;
}

static void make_sample(void)
{
	fs_make_dirs(at("t/a/b"), 0755, NULL);
	fs_make_dirs(at("t/a-b"), 0755, NULL);
	fs_make_dirs(at("t/z"), 0755, NULL);
	write_file(at("t/a/x"), "x");
	write_file(at("t/a/b/c"), "c");
	write_file(at("t/a-b/d"), "d");
	write_file(at("t/a.txt"), "t");
	write_file(at("t/B"), "B");
	cr_assert_eq(symlink("/etc", at("t/link")), 0);
}

Test(tree, the_walk_is_in_byte_order_of_whole_paths_and_follows_no_link)
{
	SCOPE(buf_done) struct buf out = { 0 };

	make_sample();
	cr_assert_eq(fs_walk(at("t"), list_entry, &out, &err), 0, "%s", err.message);
	cr_assert_str_eq(buf_string(&out), "B a/ a-b/ a-b/d a.txt a/b/ a/b/c a/x link@ z/ ");
}

static int list_without_a(void *context, const char *relative, const struct stat *st, struct error *list_err)
{
	list_entry(context, relative, st, list_err);
	return strcmp(relative, "a") == 0 || strcmp(relative, "B") == 0 ? FS_SKIP : 0;
}

Test(tree, the_content_of_a_folder_can_be_left_out)
{
	SCOPE(buf_done) struct buf out = { 0 };

	make_sample();
	cr_assert_eq(fs_walk(at("t"), list_without_a, &out, &err), 0, "%s", err.message);
	cr_assert_str_eq(buf_string(&out), "B a/ a-b/ a-b/d a.txt link@ z/ ");
}

static int stop_at_x(void *context, const char *relative, const struct stat *st, struct error *stop_err)
{
	(void)st;
	++*(int *)context;
	return strcmp(relative, "a/x") == 0 ? error_set(stop_err, ERROR_INTEGRITY, "found it") : 0;
}

Test(tree, a_visitor_stops_the_walk_with_its_own_error)
{
	int visited = 0;

	make_sample();
	cr_assert_eq(fs_walk(at("t"), stop_at_x, &visited, &err), -(int)ERROR_INTEGRITY);
	cr_assert_str_eq(err.message, "found it");
	cr_assert_eq(visited, 8);
}

Test(tree, walking_what_is_no_folder_is_an_error_that_names_it)
{
	int visited = 0;

	write_file(at("file"), "");
	cr_assert_lt(fs_walk(at("file"), stop_at_x, &visited, &err), 0);
	cr_assert_eq(fs_walk(at("none"), stop_at_x, &visited, &err), -(int)ERROR_NOT_FOUND);
	cr_assert(strstr(err.message, at("none")));
	cr_assert_eq(visited, 0);
}

/* A chain of folders far deeper than paths can be long and than we may have descriptors. */
static void make_deep(int depth)
{
	int fd = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		int next;

		cr_assert_eq(mkdirat(fd, "folder", 0755), 0);
		next = openat(fd, "folder", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
}

static int count_entry(void *context, const char *relative, const struct stat *st, struct error *unused)
{
	(void)relative;
	(void)st;
	(void)unused;
	++*(int *)context;
	return 0;
}

Test(tree, depth_is_no_limit_for_walking_and_removing)
{
	int count = 0;

	make_deep(2000);
	cr_assert_eq(fs_walk(scratch, count_entry, &count, &err), 0, "%.200s", err.message);
	cr_assert_eq(count, 2000);
	cr_assert_eq(fs_remove_tree(at("folder"), &err), 0, "%.200s", err.message);
	cr_assert_not(fs_exists(at("folder")));
}

Test(tree, removal_takes_links_away_and_leaves_their_targets)
{
	fs_make_dirs(at("keep"), 0755, NULL);
	write_file(at("keep/file"), "kept");
	fs_make_dirs(at("t"), 0755, NULL);
	cr_assert_eq(symlink("../keep", at("t/link")), 0);
	cr_assert_eq(symlink("keep", at("top")), 0);
	cr_assert_eq(fs_remove_tree(at("t"), &err), 0, "%s", err.message);
	cr_assert_eq(fs_remove_tree(at("top"), &err), 0, "%s", err.message);
	cr_assert_not(fs_exists(at("t")));
	cr_assert_str_eq(content_of(at("keep/file")), "kept");
}

Test(tree, removal_works_on_folders_without_permissions)
{
	make_sample();
	cr_assert_eq(chmod(at("t/a/b"), 0), 0);
	cr_assert_eq(chmod(at("t/a"), 0500), 0);
	cr_assert_eq(fs_remove_tree(at("t"), &err), 0, "%s", err.message);
	cr_assert_not(fs_exists(at("t")));
}

Test(tree, removing_a_file_or_nothing_is_fine)
{
	write_file(at("file"), "");
	cr_assert_eq(fs_remove_tree(at("file"), &err), 0);
	cr_assert_eq(fs_remove_tree(at("file"), &err), 0);
	cr_assert_not(fs_exists(at("file")));
}

Test(tree, a_copy_has_the_bytes_and_exactly_the_mode)
{
	struct stat st;
	mode_t old = umask(077);

	write_file(at("from"), "content");
	cr_assert_eq(fs_copy_file(at("from"), at("to"), 0755, &err), 0, "%s", err.message);
	umask(old);
	cr_assert_str_eq(content_of(at("to")), "content");
	cr_assert_eq(stat(at("to"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0755);
}

Test(tree, large_files_are_copied_whole)
{
	SCOPE(buf_done) struct buf content = { 0 }, copy = { 0 };

	for (int i = 0; i < 300000; i++)
		buf_printf(&content, "%d ", i);
	cr_assert_eq(fs_replace(at("from"), buf_slice(&content), 0600, &err), 0);
	cr_assert_eq(fs_copy_file(at("from"), at("to"), 0600, &err), 0, "%s", err.message);
	cr_assert_eq(fs_read(at("to"), SIZE_MAX, &copy, &err), 0);
	cr_assert(slice_equal(buf_slice(&content), buf_slice(&copy)));
}

Test(tree, files_of_proc_and_empty_files_are_copied_by_hand)
{
	write_file(at("empty"), "");
	cr_assert_eq(fs_copy_file("/proc/version", at("version"), 0600, &err), 0, "%s", err.message);
	cr_assert_neq(content_of(at("version"))[0], '\0');
	cr_assert_eq(fs_copy_file(at("empty"), at("empty2"), 0600, &err), 0);
	cr_assert_str_eq(content_of(at("empty2")), "");
}

Test(tree, a_copy_replaces_links_instead_of_writing_through_them)
{
	struct stat st;

	write_file(at("from"), "new");
	write_file(at("victim"), "old");
	cr_assert_eq(symlink("victim", at("to")), 0);
	cr_assert_eq(fs_copy_file(at("from"), at("to"), 0600, &err), 0, "%s", err.message);
	cr_assert_str_eq(content_of(at("victim")), "old");
	cr_assert_eq(lstat(at("to"), &st), 0);
	cr_assert(S_ISREG(st.st_mode));
}

Test(tree, only_regular_files_are_copied)
{
	cr_assert_eq(mkfifo(at("fifo"), 0600), 0);
	cr_assert_eq(fs_copy_file(at("fifo"), at("to"), 0600, &err), -(int)ERROR_INVALID);
	cr_assert_eq(fs_copy_file(scratch, at("to"), 0600, &err), -(int)ERROR_INVALID);
	cr_assert_eq(fs_copy_file(at("none"), at("to"), 0600, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_not(fs_exists(at("to")));
}
