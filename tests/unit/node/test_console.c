/* SPDX-License-Identifier: MIT */
/* Typing: what each key does to the line and to the screen. */
#include "screen.h"

TestSuite(console, .init = begin, .fini = end, .timeout = 60);

Test(console, typed_characters_go_where_the_cursor_is)
{
	prompt();
	keys("abd\033[Dc");
	cr_assert_str_eq(screen(), "> abc_d");
	keys("\001x\005y");
	cr_assert_str_eq(screen(), "> xabcdy_");
	cr_assert_eq(keys("\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "xabcdy");
	cr_assert_str_eq(screen(), "> xabcdy|_");
}

Test(console, whole_characters_are_moved_over_and_removed)
{
	prompt();
	keys("aö世b");
	keys("\033[D\033[D");
	cr_assert_str_eq(screen(), "> aö_世b");
	keys("\x7f");
	cr_assert_str_eq(screen(), "> a_世b");
	keys("\033[3~");
	cr_assert_str_eq(screen(), "> a_b");
	keys("\xc3"); /* half of a character */
	keys("\xb6");
	cr_assert_str_eq(screen(), "> aö_b");
	keys("\005\xc3");
	keys("\xa4");
	cr_assert_str_eq(screen(), "> aöbä_");
}

Test(console, what_is_typed_at_the_end_is_just_written)
{
	size_t used;

	prompt();
	keys("a");
	edit_feed(&edit, SLICE("bö"), &used);
	cr_assert(slice_is(buf_slice(&edit.out), "bö"), "%s", buf_string(&edit.out));
	show_output();
	keys("\033[D\033[Cc");
	cr_assert_str_eq(screen(), "> aböc_");
}

Test(console, words_are_moved_over_and_cut)
{
	prompt();
	keys("kv.put('größe', 1)");
	keys("\033b\033b\027");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\001\033d\031");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\005\025");
	cr_assert_str_eq(line(), "");
	keys("\031\013");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\001\013");
	cr_assert_str_eq(line(), "");
	keys("ab\024");
	cr_assert_str_eq(line(), "ba");
}

Test(console, long_lines_go_on_in_the_next_rows)
{
	columns = 10;
	edit_resize(&edit, columns);
	prompt();
	keys("12345678");
	cr_assert_str_eq(screen(), "> 12345678|_");
	keys("9abc");
	cr_assert_str_eq(screen(), "> 12345678|9abc_");
	keys("\001");
	cr_assert_str_eq(screen(), "> _12345678|9abc");
	keys("\x7f\005\x7f\x7f\x7f\x7f\x7f");
	cr_assert_str_eq(screen(), "> 1234567_");
	keys("世界");
	cr_assert_str_eq(screen(), "> 1234567|世界_", "half a character does not stay at the edge");
}

Test(console, a_terminal_of_another_size_shows_the_line_anew)
{
	columns = 20;
	edit_resize(&edit, columns);
	prompt();
	keys("123456789012345");
	edit_resize(&edit, 10);
	/* the terminal has broken the row */
	memset(cells, 0, sizeof(cells));
	columns = 10;
	row = 1;
	column = 7;
	show_output();
	cr_assert_str_eq(screen(), "> 12345678|9012345_");
}

Test(console, characters_are_as_wide_as_terminals_show_them)
{
	static const struct {
		const char *text;
		unsigned width;
	} texts[] = {
		{ "abc", 3 },
		{ "Grüße", 5 },
		{ "e\u0301", 1 },
		{ "世界", 4 },
		{ "한글", 4 },
		{ "✅", 2 },
		{ "✓", 1 },
		{ "🪐🫠", 4 },
		{ "नमस्ते", 4 },
		{ "ไทย", 3 },
		{ "ไม่", 2 },
		{ "a\u200bb", 2 },
		{ "\u1112\u1161\u11ab", 2 },
		{ "€—…", 3 },
		{ "ｆｕｌｌ", 8 },
		{ "𠀀", 2 },
		{ "\u00ad", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		cr_assert_eq(text_width(slice_of(texts[i].text)), texts[i].width, "%s", texts[i].text);
}

Test(console, control_characters_and_wrong_bytes_are_shown_as_such)
{
	prompt();
	keys("a");
	line_insert(&edit.line, SLICE("\x01\xff"));
	keys("b");
	cr_assert_str_eq(screen(), "> a^A?b_");
}

Test(console, other_output_goes_above_the_line)
{
	prompt();
	keys("half a li");
	edit_hide(&edit);
	buf_append_string(&edit.out, "a line of the log\r\n");
	edit_show(&edit);
	show_output();
	cr_assert_str_eq(screen(), "a line of the log|> half a li_");
	keys("ne");
	cr_assert_str_eq(screen(), "a line of the log|> half a line_");
}

Test(console, ctrl_c_drops_the_line_and_ctrl_d_leaves_from_an_empty_one)
{
	prompt();
	cr_assert_eq(keys("abc\003"), EDIT_CANCEL);
	cr_assert_str_eq(screen(), "> abc^C|_");
	prompt();
	cr_assert_eq(keys("a\001\004"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "");
	cr_assert_eq(keys("\004"), EDIT_END);
}

Test(console, bytes_behind_an_event_wait_for_the_next_line)
{
	size_t used;

	prompt();
	cr_assert_eq(edit_feed(&edit, SLICE("one\rtwo"), &used), EDIT_LINE);
	cr_assert_eq(used, 4);
}

Test(console, pasted_tabs_ask_nothing)
{
	prompt();
	cr_assert_eq(keys("\t"), EDIT_COMPLETE);
	cr_assert_eq(keys("\t\tx"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "  x");
	cr_assert_eq(keys("\t"), EDIT_COMPLETE);
	cr_assert_eq(keys("y\t\r"), EDIT_COMPLETE);
}

Test(console, tabs_inside_pasted_lines_ask_nothing)
{
	prompt();
	cr_assert_eq(keys("local x\t= 1\rlocal y"), EDIT_LINE);
	cr_assert_str_eq(line(), "local x = 1");
	prompt();
	cr_assert_eq(keys("kv.g\tx"), EDIT_COMPLETE);
}

Test(console, what_is_marked_as_pasted_is_text_and_no_keys)
{
	prompt();
	cr_assert_eq(keys("\033[200~a\t"), EDIT_NOTHING); /* the end of what was read at once */
	cr_assert_eq(keys("b\033[Dc\004\032\x01\x7f"), EDIT_NOTHING);
	cr_assert_str_eq(screen(), "> a bc_");
	cr_assert_eq(keys("\n"), EDIT_LINE);
	cr_assert_str_eq(line(), "a bc");
	prompt();
	cr_assert_eq(keys("\t1\033[201~\x7f"), EDIT_NOTHING);
	cr_assert_str_eq(line(), " ");
	cr_assert_eq(keys("\t"), EDIT_COMPLETE);
	cr_assert_eq(keys("\033[200~\003"), EDIT_CANCEL);
	prompt();
	cr_assert_eq(keys("\t"), EDIT_COMPLETE); /* the mark of the end was lost with the rest */
	keys("\022x\033[200~y\033[201~");
	keys("z");
	cr_assert_str_eq(line(), "yz");
}

Test(console, a_line_of_which_something_was_dropped_is_known)
{
	static char much[EDIT_LINE_MAX + 2];
	size_t used;
	memset(much, 'x', sizeof(much));
	prompt();
	cr_assert_eq(edit_feed(&edit, (struct slice){ much, EDIT_LINE_MAX }, &used), EDIT_NOTHING);
	cr_assert_not(edit.cut);
	edit_feed(&edit, (struct slice){ much, 1 }, &used);
	cr_assert(edit.cut);
	cr_assert_eq(edit_feed(&edit, SLICE("\r"), &used), EDIT_LINE);
	cr_assert(edit.cut);
	edit_begin(&edit, SLICE("> "));
	cr_assert_not(edit.cut);
}

Test(console, control_characters_count_behind_an_escape)
{
	prompt();
	cr_assert_eq(keys("ab\033\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "ab");
	prompt();
	cr_assert_eq(keys("ab\033[1\003"), EDIT_CANCEL);
	prompt();
	keys("ab cd\033\b"); /* Alt-Backspace */
	cr_assert_str_eq(line(), "ab ");
}

Test(console, what_was_printed_last_can_be_the_prompt)
{
	row = column = 0;
	memcpy(cells[0], (char[6][CELL_BYTES]){ "N", "a", "m", "e", "?", " " }, sizeof(char[6][CELL_BYTES]));
	column = 6;
	cr_assert(edit_begin_behind(&edit, SLICE("Name? ")));
	keys("ab\033[D\x7fx");
	cr_assert_str_eq(screen(), "Name? x_b");
	cr_assert_eq(keys("\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "xb");
	cr_assert_not(edit_begin_behind(&edit, SLICE("")));
	cr_assert_not(edit_begin_behind(&edit, SLICE("\033[1mName? ")));
	cr_assert_not(edit_begin_behind(&edit, SLICE("0123456789012345678901234567890123456789")));
	cr_assert_not(edit.open);
}

Test(console, unknown_sequences_do_nothing)
{
	prompt();
	cr_assert_eq(keys("a\033[15~\033[1;2Q\033Op\033\033[Zb"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "ab");
}
