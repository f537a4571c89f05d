/* SPDX-License-Identifier: MIT */
#include "script/template.h"

#include "base/scope.h"
#include "base/yaml.h"

#include <criterion/criterion.h>

static struct arena arena;
static struct error err;
static struct buf out;

static void done(void)
{
	arena_done(&arena);
	buf_done(&out);
}

TestSuite(template, .fini = done, .timeout = 60);

/* What it renders to, or the message. */
static const char *render_slice(struct slice text)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *assigns;
	int rc;

	cr_assert_eq(yaml_parse(&arena, SLICE("release: {name: foo, version: '0.0.1'}\nitems: [a, b]\nnumber: 3\n"),
				"assigns", &limits, &assigns, &err),
		     0);
	buf_clear(&out);
	buf_append_string(&out, ">");
	rc = template_render(text, "rel/vm.args", assigns, &out, &err);
	if (rc < 0) {
		cr_assert_eq(err.code, ERROR_INVALID);
		cr_assert_str_eq(buf_string(&out), ">", "a failure leaves the buffer as it was");
		return err.message;
	}
	return buf_string(&out) + 1;
}

static const char *render(const char *text)
{
	return render_slice(slice_of(text));
}

Test(template, text_without_tags_stays_as_it_is)
{
	cr_assert_str_eq(render(""), "");
	cr_assert_str_eq(render("a\n--b\n]] %> 'c'\r\n"), "a\n--b\n]] %> 'c'\r\n");
	render_slice(SLICE("a\0b\xff"));
	cr_assert(slice_equal(buf_slice(&out), SLICE(">a\0b\xff")));
}

Test(template, values_are_put_in)
{
	cr_assert_str_eq(render("<%= release.name %>-<%= release.version %>\n"), "foo-0.0.1\n");
	cr_assert_str_eq(render("<%=number + 1%> <%= 1.5 %> <%= 2 > 1 %>"), "4 1.5 true");
	cr_assert_str_eq(render("<%= (string.upper(release.name)) %>"), "FOO");
}

Test(template, statements_run_and_span_text)
{
	cr_assert_str_eq(render("<% for i, item in ipairs(items) do %><%= i %>:<%= item %> <% end %>."), "1:a 2:b .");
	cr_assert_str_eq(render("<% if release.name == 'foo' then %>yes<% else %>no<% end %>"), "yes");
	cr_assert_str_eq(render("<% local x = 1 x = x + 1 %><%= x %>"), "2");
	cr_assert_str_eq(render("<% y = 5 %><%= y %>"), "5");
}

Test(template, a_doubled_percent_sign_is_a_literal_tag)
{
	cr_assert_str_eq(render("<%% = x %> <%%"), "<% = x %> <%");
	cr_assert_str_eq(render("<%%= <%= number %> %>"), "<%= 3 %>");
}

Test(template, a_minus_swallows_the_newline)
{
	cr_assert_str_eq(render("a\n<% if true then -%>\nb\n<% end -%>\nc\n"), "a\nb\nc\n");
	cr_assert_str_eq(render("<%= number -%>\r\nx"), "3x");
	cr_assert_str_eq(render("<%= number -%> \nx"), "3 \nx");
	cr_assert_str_eq(render("<%= 5 -%>"), "5");
}

Test(template, comments_do_not_swallow_what_follows)
{
	cr_assert_str_eq(render("<% -- a comment %>x<%= number -- three %>y"), "x3y");
}

Test(template, mistakes_name_the_line_of_the_template)
{
	cr_assert_str_eq(render("a\nb\n<%= release.name() %>"),
			 "rel/vm.args:3: attempt to call a string value (field 'name')");
	cr_assert_str_eq(render("<%=\nrelease.name\n%>\n<% error('boo') %>"), "rel/vm.args:4: boo");
	cr_assert_str_eq(render("<% if true then -%>\n<% end -%>\n\n<% error('boo') %>"), "rel/vm.args:4: boo");
	cr_assert_str_eq(render("<% -- one\n-- two -%>\nthree\n<% error('boo') %>"), "rel/vm.args:4: boo");
	cr_assert_str_eq(render("\n<%= 1 + %>\n"), "rel/vm.args:2: unexpected symbol near ')'");
	cr_assert_str_eq(render("a\n<% for i = 1, 2 do %>\nb"),
			 "rel/vm.args:3: 'end' expected (to close 'for' at line 2) near <eof>");
}

Test(template, an_unknown_name_gets_a_suggestion)
{
	cr_assert_str_eq(render("\n<%= relase.name %>"),
			 "rel/vm.args:2: unknown name 'relase' (did you mean 'release'?)");
	cr_assert_str_eq(render("<%= bogus %>"), "rel/vm.args:1: unknown name 'bogus'");
	cr_assert_str_eq(render("<% if bogus then %><% end %>"), "rel/vm.args:1: unknown name 'bogus'");
}

Test(template, a_value_that_is_no_text_is_an_error)
{
	cr_assert_str_eq(render("<%= release.nmae %>"), "rel/vm.args:1: 'release.nmae' is nil");
	cr_assert_str_eq(render("<%= items %>"), "rel/vm.args:1: 'items' is a table");
	cr_assert_str_eq(render("<%= print %>"), "rel/vm.args:1: 'print' is a function");
}

Test(template, broken_tags_are_errors)
{
	cr_assert_str_eq(render("a\n b <%= x"),
			 "rel/vm.args:2: error: '<%' is never closed by '%>'; a literal '<%' is written '<%%'");
	cr_assert_str_eq(render("<%= %>"), "rel/vm.args:1: error: '<%=' without an expression");
	cr_assert_str_eq(render("<%=-%>"), "rel/vm.args:1: error: '<%=' without an expression");
	cr_assert(strstr(render("<%"), "never closed"));
	cr_assert_str_eq(render("<% os.exit(0) %>"), "rel/vm.args: os.exit(0)");
}

Test(template, the_assigns_are_all_there_is_beside_luas_library)
{
	struct error none;

	buf_clear(&out);
	cr_assert_eq(template_render(SLICE("<%= math.max(1, 2) %>"), "t", NULL, &out, &none), 0);
	cr_assert_str_eq(buf_string(&out), "2");
	cr_assert_lt(template_render(SLICE("<%= release %>"), "t", NULL, &out, NULL), 0);
}

Test(template, a_full_buffer_is_an_error)
{
	SCOPE(buf_done) struct buf small;

	buf_init(&small, 3);
	cr_assert_eq(template_render(SLICE("\n12345"), "t", NULL, &small, &err), -(int)ERROR_INVALID);
	cr_assert_str_eq(err.message, "t:1: it renders to more than 3 bytes, the limit; does a loop go on for ever?");
	buf_clear(&small);
	cr_assert_lt(template_render(SLICE("<% while true do pcall(error) %>x<% end %>"), "t", NULL, &small, &err), 0);
	cr_assert(strstr(err.message, "more than 3 bytes"));
}

Test(template, a_loop_without_an_end_is_an_error_that_names_its_line)
{
	static const char expected[] = "rel/vm.args:2: it has not ended after 200 million instructions, the limit; "
				       "does a loop go on for ever?";

	cr_assert_str_eq(render("a\n<% while true do end %>\nb"), expected);
	cr_assert_str_eq(render("\n<% while true do pcall(function() while true do end end) end %>"), expected);
	cr_assert_str_eq(render("\n<% coroutine.wrap(function() while true do end end)() %>"), expected);
}

Test(template, many_pieces_render_in_order)
{
	SCOPE(buf_done) struct buf text = { 0 }, expected = { 0 };

	for (int i = 0; i < 5000; i++) {
		buf_printf(&text, "<%%= %d %%>,\n", i);
		buf_printf(&expected, "%d,\n", i);
	}
	cr_assert_str_eq(render_slice(buf_slice(&text)), buf_string(&expected));
}
