/* SPDX-License-Identifier: MIT */
/* kvnode without a boot: eval and config. */
#include "booted.h"

TestSuite(eval, .init = begin, .fini = end, .timeout = 60);

static int eval(const char *text)
{
	const char *const args[] = { "eval", text, "first", "second", NULL };
	return t_run(&bundle, args, &output);
}

Test(eval, prints_values_one_a_line_and_nil_not_at_all)
{
	cr_assert_eq(eval("return 1 + 1, nil, 'x', {1, 2}"), 0);
	cr_assert_str_eq(output, "2\nx\n{1, 2}\n");
	cr_assert_eq(eval("release.name .. ' ' .. release.version"), 0);
	cr_assert_str_eq(output, "foo 0.0.1\n");
	cr_assert_eq(eval("arg[1], arg[2], #arg"), 0);
	cr_assert_str_eq(output, "first\nsecond\n2\n");
}

Test(eval, ends_as_the_text_says)
{
	cr_assert_eq(eval("os.exit(7)"), 7);
	cr_assert_eq(eval("error('broken')"), 1);
	cr_assert(strncmp(output, "(eval):1: broken\nstack traceback:", 32) == 0, "%s", output);
	cr_assert_eq(eval("return +"), 1);
}

Test(eval, starts_nothing_unless_asked)
{
	cr_assert_eq(eval("echo.say('x')"), 1);
	cr_assert_not_null(strstr(output, "component echo is not started (app.start(\"echo\"))"), "%s", output);
	cr_assert_eq(eval("app.start('echo') print(echo.say('x')) return app.list()[1].state"), 0);
	cr_assert_not_null(strstr(output, "x\nstarted\n"), "%s", output);
}

Test(eval, turns_results_into_values_and_failures_into_errors)
{
	cr_assert_eq(eval("app.start('echo') assert(echo.nothing() == nil and echo.count('a', 2) == 2)\n"
			  "assert(echo.pairs().milk == 1 and echo.list('a', 'b')[2] == 'b')\n"
			  "local function why(f, ...) return select(2, pcall(f, ...)) end\n"
			  "assert(why(echo.missing) == 'echo.missing: not found')\n"
			  "assert(why(echo.broken) == 'echo.broken: the disk is full')\n"
			  "assert(why(echo.say):find('wrong number of arguments for echo.say %(expected text%)'))\n"
			  "assert(why(echo.say, {}):find('string expected, got table'))"),
		     0, "%s", output);
}

Test(eval, reads_and_changes_settings)
{
	cr_assert_eq(eval("app.start('echo') app.put_env('echo', 'loudness', 9)\n"
			  "assert(app.env('echo', 'loudness') == 9 and app.env('echo').port == 4050)\n"
			  "local function why(...) return select(2, pcall(app.put_env, ...)) end\n"
			  "assert(why('echo', 'loudness', 12) == 'echo.loudness: that is too loud')\n"
			  "assert(app.env('echo', 'loudness') == 9)\n"
			  "assert(why('echo', 'loudness', 'x'):find('expected integer'))\n"
			  "assert(why('echo', 'port', 1):find('cannot change while the component runs'))\n"
			  "assert(why('nope', 'port', 1):find(\"no component 'nope'\"))\n"),
		     0, "%s", output);
}

Test(eval, refuses_other_nodes_and_knows_its_own)
{
	cr_assert_eq(eval("assert(node.name() == 'foo@here' and #node.list() == 0)\n"
			  "assert(select(2, pcall(node.ping, 'bar@there')):find('no links to others'))\n"
			  "assert(rpc.call('foo@here', 'string.upper', 'x') == 'X')"),
		     0, "%s", output);
}

Test(eval, gives_one_json_document)
{
	const char *const args[] = { "eval", "--json", "1, {a = {true, 'x'}}", NULL };
	cr_assert_eq(t_run(&bundle, args, &output), 0);
	cr_assert_str_eq(output, "[1,{\"a\":[true,\"x\"]}]\n");
}

/* ---- config ---- */

Test(eval, shows_its_configuration_without_booting)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {loudness = 7, token = 'hunter2'})");
	const char *const all[] = { "config", NULL };
	cr_assert_eq(t_run(&bundle, all, &output), 0);
	cr_assert_not_null(strstr(output, "echo.loudness = 7"), "%s", output);
	cr_assert_not_null(strstr(output, "# rel/runtime.lua:1\n"), "%s", output);
	cr_assert_not_null(strstr(output, "# releases.yaml:9:7\n"), "%s", output);
	cr_assert_not_null(strstr(output, "echo.token = \"********\""), "%s", output);
	cr_assert_null(strstr(output, "hunter2"));
	const char *const one[] = { "config", "get", "echo.durability", NULL };
	cr_assert_eq(t_run(&bundle, one, &output), 0);
	cr_assert_str_eq(output, "always\n");
	const char *const none[] = { "config", "get", "echo.nope", NULL };
	cr_assert_eq(t_run(&bundle, none, &output), 1);
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {loudness = 'x', prot = 1})");
	const char *const check[] = { "config", "check", NULL };
	cr_assert_eq(t_run(&bundle, check, &output), 3);
	cr_assert_not_null(strstr(output, "echo.loudness"), "%s", output);
	cr_assert_not_null(strstr(output, "unknown key 'prot'"), "%s", output);
}
