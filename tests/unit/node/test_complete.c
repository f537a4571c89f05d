/* SPDX-License-Identifier: MIT */
/* What Tab offers, in a state of a node without components; those with some are asked by tests/system/console.sh. */
#include "base/scope.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_complete.h"
#include "node/node.h"

#include <criterion/criterion.h>

static struct node node;
static struct evaluator evaluator;

static void on_output(void *context, enum evaluate_stream stream, struct slice text)
{
	(void)context;
	(void)stream;
	(void)text;
}

static void begin(void)
{
	struct error err;

	node.release.node = "foo@here";
	node.release.root = node.release.version = "";
	evaluator = (struct evaluator){ .node = &node, .sink = on_output };
	cr_assert_eq(evaluator_init(&evaluator, 0, &err), 0, "%s", err.message);
}

static void end(void)
{
	evaluator_done(&evaluator);
}

TestSuite(complete, .init = begin, .fini = end, .timeout = 60);

/* "2: put( pull(" of a line that ends with the cursor. */
static const char *offers(const char *line)
{
	static struct buf out;

	buf_clear(&out);
	lua_complete(&evaluator, slice_of(line), &out);
	for (size_t i = 0; i < out.size; i++) {
		if (out.data[i] == '\0')
			out.data[i] = ' ';
	}
	return buf_string(&out);
}

static void run(const char *text)
{
	cr_assert_eq(evaluator_run(&evaluator, slice_of(text), "test"), 0);
}

Test(complete, globals_and_keywords)
{
	cr_assert_str_eq(offers("prin"), "4 print(");
	cr_assert_str_eq(offers("x = 1 + tos"), "3 tostring(");
	cr_assert_str_eq(offers("whi"), "3 while");
	cr_assert_str_eq(offers("re"), "2 release. repeat require( return");
	run("shopping = {}");
	cr_assert_str_eq(offers("shop"), "4 shopping.");
	cr_assert_str_eq(offers("nothing_of_that_name"), "20");
}

Test(complete, fields_along_a_path)
{
	cr_assert_str_eq(offers("string.re"), "2 rep( reverse(");
	cr_assert_str_eq(offers("f(node.na"), "2 name(");
	cr_assert_str_eq(offers("nothing.na"), "2");
	run("t = {inner = {deep = 1, ['not a name'] = 2, [3] = 4}} s = 'text'");
	cr_assert_str_eq(offers("t.inner."), "0 deep");
	cr_assert_str_eq(offers("s:re"), "2 rep( reverse(");
	cr_assert_str_eq(offers("t:"), "0", "only functions can be methods");
	cr_assert_str_eq(offers("io.stdout:wr"), "2 write(");
}

Test(complete, looking_runs_no_code)
{
	run("t = setmetatable({}, {__index = function() error('looked') end, __pairs = error, __len = error})");
	cr_assert_str_eq(offers("t."), "0");
	cr_assert_str_eq(offers("t.x.y"), "1");
	run("t = setmetatable({}, {__index = {of_class = 1}})");
	cr_assert_str_eq(offers("t.of"), "2 of_class");
	run("t = {} setmetatable(t, {__index = t})");
	cr_assert_str_eq(offers("t.x"), "1");
}

Test(complete, a_function_that_took_the_place_of_ours_is_not_called)
{
	run("node.list = function() called = true return {'other@here'} end");
	cr_assert_str_eq(offers("node.ping(\""), "0 foo@here\"");
	cr_assert_str_eq(offers("x = call"), "4");
}

Test(complete, arguments_by_what_help_knows_of_the_function)
{
	cr_assert_str_eq(offers("node.ping(\""), "0 foo@here\"");
	cr_assert_str_eq(offers("x = node.ping('foo@"), "4 foo@here'");
	cr_assert_str_eq(offers("node.log_level(\"w"), "1 warn\"");
	cr_assert_str_eq(offers("rpc.call(node.name(), \"app.put"), "7 app.put_env\"");
	cr_assert_str_eq(offers("rpc.call({1, 2}, f(3, 4), \""), "0");
	cr_assert_str_eq(offers("print(\""), "0");
	cr_assert_str_eq(offers("\"no call"), "7");
	cr_assert_str_eq(offers("print(1) -- com"), "0");
}
