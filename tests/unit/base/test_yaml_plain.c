/* SPDX-License-Identifier: MIT */
/*
 * The short way through YAML must give what libyaml gives, or nothing. A comment with a letter beyond ASCII at the end
 * of a text sends it the long way.
 */
#include "base/yaml_plain.h"

#include "base/scope.h"
#include "base/yaml.h"
#include "scratch.h"

#include <stdlib.h>

static const char long_way[] = "\n# \xc3\xa9\n";

static struct arena arena;

static void done(void)
{
	arena_done(&arena);
}

TestSuite(yaml_plain, .fini = done, .timeout = 120);

static bool same_origin(struct origin a, struct origin b)
{
	return a.line == b.line && a.column == b.column;
}

/* value_equal() and the places, texts and quotes. */
static bool same(const struct value *a, const struct value *b)
{
	if (a->type != b->type || a->quoted != b->quoted || !same_origin(a->origin, b->origin) ||
	    !slice_equal(a->text, b->text))
		return false;
	if (a->type < VALUE_LIST)
		return value_equal(a, b);
	if (a->type == VALUE_LIST) {
		for (size_t i = 0; i < a->list.count && i < b->list.count; i++)
			if (!same(a->list.items[i], b->list.items[i]))
				return false;
		return a->list.count == b->list.count;
	}
	for (size_t i = 0; i < a->map.count && i < b->map.count; i++)
		if (!slice_equal(a->map.members[i].key, b->map.members[i].key) ||
		    !same_origin(a->map.members[i].origin, b->map.members[i].origin) ||
		    !same(a->map.members[i].value, b->map.members[i].value))
			return false;
	return a->map.count == b->map.count;
}

static struct value *by_libyaml(struct slice text)
{
	SCOPE(buf_done) struct buf longer = { 0 };
	struct value *value = NULL;

	buf_append_slice(&longer, text);
	buf_append(&longer, long_way, sizeof(long_way) - 1);
	if (yaml_parse(&arena, buf_slice(&longer), "f", &YAML_LIMITS_DEFAULT, &value, NULL) != 0)
		return NULL;
	return value;
}

/* Whether the short way took it. */
static bool agrees(struct slice text)
{
	struct value *plain = yaml_plain_parse(&arena, text, "f", 64, 1000000);
	struct value *full = plain ? by_libyaml(text) : NULL;

	if (plain)
		cr_assert(full && same(plain, full), "not the same by libyaml (%s):\n%.*s",
			  full ? "differs" : "refused", SLICE_FMT(text));
	return plain != NULL;
}

static const char *const taken[] = {
	"a: 1\n",
	"a: 1",
	"# comment\n\na: text with blanks  # and a comment\nb:   0.10\nc: \"quoted # text\"\nd: 'single'   # x\n",
	"map:\n  a: b\n  c:\n    d: /usr/lib\nlist:\n- a\n- b: 1\n  c: 2\n-   d: 3\n    e: [x, y]\n",
	"list:\n  - a\n  -\n    b: 1\n  - {c: d, e: [1, 2, {f: \"g\"}], h: two words}\n  - []\n  - {}\n",
	"- a\n- -5\n- 1e3\n- .5\n- ~\n",
	"config: {echo: {port: 4050}}\norigins: {echo.port: \"releases.yaml:9:7\"}\n",
	"a: # below\n  b: http://x/y?z=1\n  c: a,b [c] {d} \"e\" 'f' #no comment\n",
	"a:\n  - b\nc:\n- d\n# end\n",
	"a: b\n\n\n  # indented comment\nc: d\n",
	"a: \"\"\nb: ''\nc: a - b\nd: x:y\n",
};

static const char *const left[] = {
	"",
	"a",
	"a:\n",
	"a:\nb: 1\n",
	"a: 1\na: 2\n",
	"a: b\n  c\n",
	"a: b: c\n",
	"a: \"x\\n\"\n",
	"a: |\n  text\n",
	"a: &x 1\n",
	"a: *x\n",
	"a: !t 1\n",
	"--- a\n",
	"a: 1\n---\nb: 2\n",
	"a: [1,\n  2]\n",
	"a: {b}\n",
	"a: [1, ]\n",
	"\"a\": 1\n",
	"? a\n",
	"a: 1\n b: 2\n",
	"a: 99999999999999999999\n",
	"  a: 1\n b: 2\n",
	"- a\n-b\n",
	"a: 'it''s'\n",
	"<<: 1\n",
	"a: {b: 1}x\n",
	"a: [x]: y\n",
	"a: \"b\" c\n",
	"a: \"b\"#c\n",
	"a: - b\n",
	"- - a\n",
	"a: %x\n",
	"a: @x\n",
};

Test(yaml_plain, reads_plain_files_as_libyaml_does)
{
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		/* ~ stands for null, which is left to libyaml */
		bool expected = !strchr(taken[i], '~');
		cr_expect_eq(agrees(slice_of(taken[i])), expected, "%s", taken[i]);
	}
}

Test(yaml_plain, leaves_all_else_to_libyaml)
{
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		cr_expect_not(agrees(slice_of(left[i])), "%s", left[i]);
	cr_expect_null(yaml_plain_parse(&arena, SLICE("a: {b: {c: 1}}"), "f", 2, 100), "too deep");
	cr_expect_null(yaml_plain_parse(&arena, SLICE("a: [1, 2, 3]"), "f", 9, 4), "too many values");
	cr_expect_not_null(yaml_plain_parse(&arena, SLICE("a: [1, 2, 3]"), "f", 2, 5));
}

/* Small accidents to plain files: what is still read must still be the same. */
Test(yaml_plain, agrees_on_files_with_accidents)
{
	static const char stuff[] = "\n\n  -:#,[]{}\"'ab1.&*!|>%@?~";
	uint32_t random = 12345;
	size_t read = 0;

	for (int round = 0; round < 60000; round++) {
		char text[512];
		const char *from = taken[(size_t)round % ARRAY_LEN(taken)];
		size_t size = strlen(from);
		memcpy(text, from, size);
		for (int change = 0; change < 1 + round % 3; change++) {
			random = random * 1664525u + 1013904223u;
			size_t at = (random >> 8) % size;
			char c = stuff[(random >> 20) % (sizeof(stuff) - 1)];
			if (random >> 31) {
				memmove(text + at + 1, text + at, size - at);
				size++;
			}
			text[at] = c;
		}
		read += agrees((struct slice){ text, size });
		if (round % 100 == 0)
			arena_done(&arena);
	}
	cr_expect_gt(read, 5000u);
}
