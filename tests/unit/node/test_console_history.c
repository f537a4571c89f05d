/* SPDX-License-Identifier: MIT */
/* What the editor takes from elsewhere: candidates of Tab, and lines that were typed before. */
#include "screen.h"

#include <sys/stat.h>
#include <unistd.h>

TestSuite(console_history, .init = begin, .fini = end, .timeout = 60);

/* ---- completion ---- */

Test(console_history, the_only_candidate_is_put_in)
{
	prompt();
	keys("x = kv.pu()\033[D\033[D");
	edit_candidates(&edit, 2, (const struct slice[]){ SLICE("put(") }, 1);
	show_output();
	cr_assert_str_eq(screen(), "> x = kv.put(_()");
}

Test(console_history, several_candidates_give_what_they_share_and_then_a_list)
{
	const struct slice words[] = { SLICE("delete("), SLICE("density("), SLICE("deny(") };

	prompt();
	keys("d");
	edit_candidates(&edit, 1, words, 3);
	show_output();
	cr_assert_str_eq(screen(), "> de_");
	edit_candidates(&edit, 2, words, 3);
	show_output();
	cr_assert_str_eq(screen(), "> de|delete(   density(  deny(|> de_");
	edit_candidates(&edit, 2, NULL, 0);
	edit_candidates(&edit, 99, words, 1);
	cr_assert_str_eq(line(), "de");
}

/* ---- history ---- */

Test(console_history, arrows_walk_through_what_was_typed_and_come_back)
{
	history_add(&history, SLICE("first"));
	history_add(&history, SLICE("second"));
	prompt();
	keys("new\033[A");
	cr_assert_str_eq(line(), "second");
	keys("\033[A\033[A\033[A");
	cr_assert_str_eq(line(), "first");
	keys("\033[B\033[B\033[B");
	cr_assert_str_eq(line(), "new");
}

Test(console_history, ctrl_r_searches_backwards)
{
	history_add(&history, SLICE("kv.put('a', 'b', 1)"));
	history_add(&history, SLICE("node.name()"));
	history_add(&history, SLICE("kv.put('a', 'c', 2)"));
	prompt();
	keys("\022put");
	cr_assert_str_eq(line(), "kv.put('a', 'c', 2)");
	cr_assert_eq(strncmp(screen(), "(search 'put') kv.put(", 22), 0, "%s", screen());
	keys("\022");
	cr_assert_str_eq(line(), "kv.put('a', 'b', 1)");
	keys("\007");
	cr_assert_str_eq(line(), "");
	keys("\022name");
	cr_assert_eq(keys("\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "node.name()");
}

Test(console_history, the_history_is_a_private_file_that_consoles_share)
{
	char path[] = "/tmp/kvrel-history-XXXXXX";
	struct history one = { 0 }, other = { 0 };
	struct stat st;

	close(mkstemp(path));
	unlink(path);
	history_open_file(&one, path);
	history_open_file(&other, path);
	history_add(&one, SLICE("a"));
	history_add(&other, SLICE("b"));
	history_add(&one, SLICE("a"));
	history_add(&one, SLICE(" secret"));
	history_add(&one, SLICE(""));
	history_close(&one);
	history_close(&other);
	history_open_file(&one, path);
	cr_assert_eq(one.count, 2);
	cr_assert_str_eq(one.lines[0], "a");
	cr_assert_str_eq(one.lines[1], "b");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	history_close(&one);
	unlink(path);
}

Test(console_history, a_long_history_file_is_cut_to_its_newest_lines)
{
	char path[] = "/tmp/kvrel-history-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct history one = { 0 };

	for (int i = 0; i < 2 * HISTORY_LINES + 1; i++)
		fprintf(file, "line %d\n", i);
	fclose(file);
	history_open_file(&one, path);
	cr_assert_eq(one.count, HISTORY_LINES);
	cr_assert_str_eq(one.lines[HISTORY_LINES - 1], "line 2000");
	history_close(&one);
	history_open_file(&one, path);
	cr_assert_eq(one.count, HISTORY_LINES);
	cr_assert_str_eq(one.lines[0], "line 1001");
	history_close(&one);
	unlink(path);
}

Test(console_history, lines_come_into_the_file_that_another_console_has_written_anew)
{
	char path[] = "/tmp/kvrel-history-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct history one = { 0 };
	struct history other = { 0 };

	for (int i = 0; i < 2 * HISTORY_LINES; i++)
		fprintf(file, "line %d\n", i);
	fclose(file);
	history_open_file(&one, path);
	history_add(&one, SLICE("before"));
	history_open_file(&other, path); /* cuts it */
	history_add(&one, SLICE("after"));
	history_add(&other, SLICE("beside"));
	history_close(&one);
	history_close(&other);
	history_open_file(&one, path);
	cr_assert_str_eq(one.lines[one.count - 1], "beside");
	cr_assert_str_eq(one.lines[one.count - 2], "after");
	cr_assert_str_eq(one.lines[one.count - 3], "before");
	history_close(&one);
	unlink(path);
}
