/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/scope.h"

#include <criterion/criterion.h>

static struct arena arena;

static void done(void)
{
	arena_done(&arena);
}

TestSuite(text, .fini = done);

Test(text, names_are_lower_case_words)
{
	char longest[66];

	memset(longest, 'a', sizeof(longest));
	cr_assert(text_is_name(SLICE("kv_server2")));
	cr_assert_not(text_is_name(SLICE("")));
	cr_assert_not(text_is_name(SLICE("2kv")));
	cr_assert_not(text_is_name(SLICE("_kv")));
	cr_assert_not(text_is_name(SLICE("Kv")));
	cr_assert_not(text_is_name(SLICE("kv-server")));
	cr_assert_not(text_is_name(SLICE("kv\0")));
	cr_assert(text_is_name((struct slice){ longest, 64 }));
	cr_assert_not(text_is_name((struct slice){ longest, 65 }));
}

Test(text, versions_are_safe_as_parts_of_paths)
{
	cr_assert(text_is_version(SLICE("0.0.1")));
	cr_assert(text_is_version(SLICE("1.0.0-rc.1+build~2")));
	cr_assert_not(text_is_version(SLICE("")));
	cr_assert_not(text_is_version(SLICE(".")));
	cr_assert_not(text_is_version(SLICE("..")));
	cr_assert_not(text_is_version(SLICE("-1")));
	cr_assert_not(text_is_version(SLICE("1/2")));
	cr_assert_not(text_is_version(SLICE("1 2")));
}

static bool split(const char *node, const char *name, const char *host, uint16_t port)
{
	struct slice got_name, got_host;
	uint16_t got_port;

	return text_split_node(slice_of(node), &got_name, &got_host, &got_port) && slice_is(got_name, name) &&
	       slice_is(got_host, host) && got_port == port;
}

Test(text, node_names_split_into_name_host_and_port)
{
	cr_assert(split("foo", "foo", "", 0));
	cr_assert(split("foo@127.0.0.1", "foo", "127.0.0.1", 0));
	cr_assert(split("foo-1@host.example:4040", "foo-1", "host.example", 4040));
	cr_assert(split("foo@[::1]:4040", "foo", "::1", 4040));
	cr_assert(split("foo@[fe80::1%eth0]", "foo", "fe80::1%eth0", 0));
	cr_assert(split("foo@::1", "foo", "::1", 0));
}

Test(text, malformed_node_names_change_nothing)
{
	static const char *const wrong[] = {
		"",          "@host",       "foo@",      "foo@host:", "foo@host:0", "foo@host:65536", "foo@host:-1",
		"foo bar",   "-foo",        "foo@[::1",  "foo@[]",    "foo@[host]", "foo@a b",        "foo@[::1]x",
		"foo@ho/st", "foo@host:+1", "foo@@host", "f/oo@host"
	};
	struct slice name = SLICE("kept"), host = SLICE("kept");
	uint16_t port = 42;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_assert_not(text_split_node(slice_of(wrong[i]), &name, &host, &port), "%s", wrong[i]);
	cr_assert(slice_is(name, "kept") && slice_is(host, "kept") && port == 42);
}

static uint64_t size_of(const char *text)
{
	uint64_t bytes = 12345;

	return text_to_size(slice_of(text), &bytes) ? bytes : UINT64_MAX;
}

Test(text, sizes_have_binary_and_decimal_units)
{
	cr_assert_eq(size_of("64"), 64);
	cr_assert_eq(size_of("64B"), 64);
	cr_assert_eq(size_of("64KiB"), 65536);
	cr_assert_eq(size_of("64k"), 65536);
	cr_assert_eq(size_of("10MB"), 10000000);
	cr_assert_eq(size_of("1G"), 1073741824);
	cr_assert_eq(size_of("2TiB"), 2ull << 40);
	cr_assert_eq(size_of("0"), 0);
}

Test(text, what_is_no_size_is_refused)
{
	static const char *const wrong[] = {
		"", "KiB", "-1", "1.5G", "1 K", "1X", "18446744073709551616", "17179869184G"
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_assert_eq(size_of(wrong[i]), UINT64_MAX, "%s", wrong[i]);
}

Test(text, durations_are_milliseconds)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = { { "250ms", 250 },  { "30s", 30000 },    { "30", 30000 }, { "5m", 300000 },
		      { "1h", 3600000 }, { "2d", 172800000 }, { "0", 0 } };
	uint64_t ms = 42;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert(text_to_duration_ms(slice_of(cases[i].text), &ms), "%s", cases[i].text);
		cr_assert_eq(ms, cases[i].ms);
	}
	cr_assert_not(text_to_duration_ms(SLICE("1y"), &ms));
	cr_assert_not(text_to_duration_ms(SLICE("99999999999999999999"), &ms));
}

/* The words with '|' between them. */
static const char *words(struct slice line)
{
	const char **list, *joined = "";
	unsigned column = 0;
	struct error err;
	size_t count;

	if (text_words(&arena, line, &list, &count, &column, &err) < 0)
		return arena_printf(&arena, "error %u", column);
	cr_assert_null(list[count]);
	for (size_t i = 0; i < count; i++)
		joined = arena_printf(&arena, "%s%s%s", joined, i ? "|" : "", list[i]);
	return joined;
}

Test(text, words_are_split_at_blanks)
{
	cr_assert_str_eq(words(SLICE("  --workers\t4 \r\n")), "--workers|4");
	cr_assert_str_eq(words(SLICE("")), "");
	cr_assert_str_eq(words((struct slice){ NULL, 0 }), "");
	cr_assert_str_eq(words(SLICE("a b c d e f g h i j k l m n o p q")), "a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q");
}

Test(text, quotes_keep_blanks_and_join_with_their_neighbours)
{
	cr_assert_str_eq(words(SLICE("--env 'A=b c'")), "--env|A=b c");
	cr_assert_str_eq(words(SLICE("a\"b c\"'d e'f")), "ab cd ef");
	cr_assert_str_eq(words(SLICE("'' \"\"")), "|");
}

Test(text, a_backslash_escapes_outside_and_in_double_quotes_only)
{
	cr_assert_str_eq(words(SLICE("a\\ b \\# \\'")), "a b|#|'");
	cr_assert_str_eq(words(SLICE("\"a\\\"b\\\\\"")), "a\"b\\");
	cr_assert_str_eq(words(SLICE("'a\\b'")), "a\\b");
	cr_assert_str_eq(words(SLICE("\"a\\n\\d+ \\$x \\` C:\\x\"")), "a\\n\\d+ $x ` C:\\x");
}

Test(text, a_comment_begins_with_a_word_of_its_own)
{
	cr_assert_str_eq(words(SLICE("# all of it")), "");
	cr_assert_str_eq(words(SLICE("--heart # why")), "--heart");
	cr_assert_str_eq(words(SLICE("--env C=#fff '#x'")), "--env|C=#fff|#x");
}

Test(text, mistakes_in_words_name_their_column)
{
	cr_assert_str_eq(words(SLICE("--env 'A")), "error 7");
	cr_assert_str_eq(words(SLICE("ab\"c\\\"")), "error 3");
	cr_assert_str_eq(words(SLICE("abc\\")), "error 4");
	cr_assert_str_eq(words(SLICE("a\0b")), "error 2");
	cr_assert_str_eq(words(SLICE("\"abc\\")), "error 1");
}

static const char *printable(struct slice s, const char *kept)
{
	return text_printable(&arena, s, kept);
}

Test(text, foreign_text_drives_no_terminal)
{
	cr_expect_str_eq(printable(SLICE("plain \xc3\xbc\xe2\x82\xac"), ""), "plain \xc3\xbc\xe2\x82\xac");
	cr_expect_str_eq(printable(SLICE("\033[31m\x07\x7f"), ""), "?[31m??");
	cr_expect_str_eq(printable(SLICE("a\xc2\x9b\x6d\xc2\xa0"), ""), "a?m\xc2\xa0");
	cr_expect_str_eq(printable(SLICE("\xff\xfe\xe2\x82"), ""), "????");
	cr_expect_str_eq(printable(SLICE("\xffgood\xff\xc3\xbc"), ""), "?good?\xc3\xbc");
	cr_expect_str_eq(printable(SLICE("a\nb\tc\rd"), "\n\t"), "a\nb\tc?d");
	cr_expect_str_eq(printable((struct slice){ "a\0b", 3 }, ""), "a?b");
	cr_expect_str_eq(printable((struct slice){ 0 }, ""), "");
}
