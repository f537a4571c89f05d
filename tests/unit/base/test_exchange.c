/* SPDX-License-Identifier: MIT */
/* Many entries change places as if at once: all or none, and back again. */
#include "base/exchange.h"

#include "base/scope.h"
#include "scratch.h"

static struct buf steps;
static struct error err;

static ino_t inode_of(const char *path)
{
	struct stat st;
	cr_assert_eq(lstat(path, &st), 0, "%s", path);
	return st.st_ino;
}

/* root: a/x, gone/g; beside: a/x, n. After it: the new a, n, the folder made/, no gone/. */
static void setup(void)
{
	scratch_begin();
	fs_make_dirs(at("root/a"), 0755, NULL);
	fs_make_dirs(at("root/gone"), 0755, NULL);
	fs_make_dirs(at(".beside/a"), 0755, NULL);
	write_file(at("root/a/x"), "old");
	write_file(at("root/gone/g"), "old");
	write_file(at(".beside/a/x"), "new");
	write_file(at(".beside/n"), "new");
	buf_init(&steps, 0);
	exchange_add(&steps, EXCHANGE_MAKE_FOLDER, 0, "made");
	exchange_add(&steps, EXCHANGE_PLACE, inode_of(at(".beside/a")), "a");
	exchange_add(&steps, EXCHANGE_PLACE, inode_of(at(".beside/n")), "n");
	exchange_add(&steps, EXCHANGE_REMOVE, 0, "gone/g");
	exchange_add(&steps, EXCHANGE_REMOVE_FOLDER, 0, "gone");
}

static void teardown(void)
{
	buf_done(&steps);
	scratch_end();
}
TestSuite(exchange, .init = setup, .fini = teardown);

static void expect_old(void)
{
	cr_expect_str_eq(content_of(at("root/a/x")), "old");
	cr_expect_str_eq(content_of(at("root/gone/g")), "old");
	cr_expect(!fs_exists(at("root/n")) && !fs_exists(at("root/made")));
	cr_expect(!exchange_is_open(at("root")));
}

static void expect_new(void)
{
	cr_expect_str_eq(content_of(at("root/a/x")), "new");
	cr_expect_str_eq(content_of(at("root/n")), "new");
	cr_expect(fs_is_dir(at("root/made")) && !fs_exists(at("root/gone")));
	cr_expect(!exchange_is_open(at("root")));
}

Test(exchange, all_entries_change_and_go_back)
{
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(exchange_run(at("root"), at(".beside"), "1", buf_slice(&steps), &err), 0, "%s",
			     err.message);
		expect_new();
		cr_assert_eq(exchange_undo(at("root"), at(".beside"), "1", buf_slice(&steps), &err), 0, "%s",
			     err.message);
		expect_old();
	}
}

Test(exchange, a_step_that_fails_takes_the_others_back)
{
	exchange_add(&steps, EXCHANGE_PLACE, 1, "missing");
	cr_expect_lt(exchange_run(at("root"), at(".beside"), "1", buf_slice(&steps), &err), 0);
	cr_expect(strstr(err.message, "missing") != NULL, "%s", err.message);
	expect_old();
}

/* As a kill between two steps leaves it. */
static void interrupt(void)
{
	SCOPE(buf_done) struct buf list = { 0 };
	buf_append(&list,
		   ".beside\0"
		   "1.2",
		   sizeof(".beside\0"
			  "1.2"));
	buf_append_slice(&list, buf_slice(&steps));
	cr_assert_eq(fs_replace(at("root/" EXCHANGE_LIST), buf_slice(&list), 0644, &err), 0);
	cr_assert_eq(mkdir(at("root/made"), 0755), 0);
	cr_assert_eq(rename(at("root/a"), at("kept")), 0);
	cr_assert_eq(rename(at(".beside/a"), at("root/a")), 0);
	cr_assert_eq(rename(at("kept"), at(".beside/a")), 0);
}

Test(exchange, what_was_interrupted_is_taken_back_once)
{
	SCOPE(buf_done) struct buf label = { 0 };
	interrupt();
	cr_expect(exchange_is_open(at("root")));
	cr_expect_eq(exchange_recover(at("root"), true, &label, &err), 0, "%s", err.message);
	cr_expect_str_eq(buf_string(&label), "1.2");
	expect_old();
	cr_expect_eq(exchange_recover(at("root"), true, &label, &err), 0, "%s", err.message);
	expect_old();
}

Test(exchange, what_lacks_its_other_half_is_told)
{
	SCOPE(buf_done) struct buf label = { 0 };
	interrupt();
	cr_assert_eq(fs_remove_tree(at(".beside"), &err), 0);
	cr_expect_eq(exchange_recover(at("root"), false, &label, &err), -ERROR_NOT_FOUND);
	cr_expect_str_eq(buf_string(&label), "1.2");
	cr_expect(exchange_is_open(at("root")));
}

Test(exchange, nothing_is_taken_back_under_the_hands_of_who_holds_the_lock)
{
	SCOPE_FD int fd = -1;
	int other = -1;
	cr_assert_eq(exchange_lock(scratch, 0, &fd, &err), 0, "%s", err.message);
	cr_expect_eq(exchange_lock(scratch, 0, &other, &err), -ERROR_TRY_AGAIN);
	cr_expect_eq(other, -1);
}

Test(exchange, a_damaged_list_is_no_reason_to_touch_anything)
{
	SCOPE(buf_done) struct buf label = { 0 };
	write_file(at("root/" EXCHANGE_LIST), "../elsewhere");
	cr_expect_eq(exchange_recover(at("root"), false, &label, &err), -ERROR_INVALID);
	cr_expect_str_eq(content_of(at("root/a/x")), "old");
}

Test(exchange, a_list_that_names_what_lies_elsewhere_moves_nothing)
{
	static const char *const paths[] = { "../outside", "a/../../outside", "/outside", "" };
	SCOPE(buf_done) struct buf label = { 0 };
	write_file(at("outside"), "mine");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		buf_clear(&steps);
		exchange_add(&steps, EXCHANGE_PLACE, inode_of(at("outside")), paths[i]);
		interrupt();
		cr_expect_eq(exchange_recover(at("root"), false, &label, &err), -ERROR_INVALID, "%s", paths[i]);
		cr_expect_str_eq(content_of(at("outside")), "mine");
		rmdir(at("root/made"));
	}
}
