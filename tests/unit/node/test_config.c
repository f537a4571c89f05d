/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "bundle.h"
#include "node/config/config.h"
#include "node/config/schema_parts.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct bundle bundle;
static struct release release;
static struct sys sys;
static struct config config;
static struct report report;
static struct error err;

static void begin(void)
{
	t_bundle_init(&bundle);
}

static void end(void)
{
	config_done(&config);
	report_done(&report);
	t_bundle_done(&bundle);
}

TestSuite(config, .init = begin, .fini = end);

static int load(const char *runtime)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", runtime);
	cr_assert(release_read(&bundle.arena, &release, &err) == 0, "%s", err.message);
	cr_assert(sys_load(&bundle.arena, &release, &sys, &err) == 0, "%s", err.message);
	return config_load(&bundle.arena, &release, &sys, &report, &config, &err);
}

static const char *origin(const char *key)
{
	static char text[256];
	return origin_text(&config_setting(&config, "echo", key)->value->origin, text, sizeof(text));
}

static int64_t number(const char *key)
{
	return config_setting(&config, "echo", key)->value->integer;
}

Test(config, takes_defaults_then_sys_yaml_then_runtime_lua)
{
	cr_assert(load("config('echo', {loudness = 7})") == 0, "%s", err.message);
	cr_assert_eq(number("loudness"), 7);
	cr_assert_str_eq(origin("loudness"), "rel/runtime.lua:1");
	cr_assert_eq(number("port"), 4050);
	cr_assert_str_eq(origin("port"), "releases.yaml:9:7");
	cr_assert_eq(number("wait"), 30000);
	cr_assert_str_eq(config_setting(&config, "echo", "where")->value->string.data,
			 arena_printf(&bundle.arena, "%s/x", bundle.root));
	cr_assert_null(config_setting(&config, "echo", "token")->value);
}

Test(config, merges_maps_and_replaces_lists)
{
	cr_assert(load("config('echo', {limits = {b = 3}, names = {'x'}})\nconfig('echo', {names = {'y', 'z'}})") == 0);
	const struct value *limits = config_setting(&config, "echo", "limits")->value;
	cr_assert_eq(value_get(limits, "a")->integer, 1);
	cr_assert_eq(value_get(limits, "b")->integer, 3);
	cr_assert_eq(config_setting(&config, "echo", "names")->value->list.count, 2);
	cr_assert_str_eq(origin("names"), "rel/runtime.lua:2");
}

Test(config, fails_for_a_variable_that_is_not_set)
{
	cr_assert(load("\n\nconfig('echo', {port = tonumber(env('PORT'))})") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:3: environment variable PORT is not set");
}

Test(config, limits_what_runtime_lua_may_use)
{
	cr_assert(load("local s = 'x'\nwhile true do\n\ts = s .. s\nend") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:3: out of memory: the limit is 256 MiB");
}

Test(config, counts_what_runtime_lua_reads_and_configures)
{
	size_t before;

	t_bundle_write(&bundle, "a.yaml", "loudness: 9\n");
	cr_assert(load("") == 0);
	config_done(&config);
	before = bundle.arena.used;
	cr_assert(load("local f = assert(io.open(release.root .. '/big', 'w')) f:write(('x'):rep(8 << 20)) f:close()\n"
		       "for i = 1, 50 do assert(#read_file('big') == 8 << 20) read_yaml('a.yaml') end") == 0,
		  "%s", err.message);
	cr_assert_lt(bundle.arena.used - before, 1 << 20);
	config_done(&config);
	cr_assert(load("local t = {} for i = 1, 40 do t = {t, t} end\nconfig('echo', {names = t})") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:2: the value is too large as data: it takes more than 256 MiB");
}

Test(config, refuses_wrong_arguments_with_their_line)
{
	cr_assert(load("\nlocal x = tonumber('10', 99)") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:2: bad argument #2 to 'tonumber' (base out of range)");
	config_done(&config);
	report_done(&report);
	report = (struct report){ 0 };
	cr_assert(load("tonumber()") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:1: bad argument #1 to 'tonumber' (value expected)");
	report_done(&report);
	report = (struct report){ 0 };
	cr_assert(load("assert(tonumber('z', 36) == 35 and tonumber('0x10') == 16 and tonumber(nil) == nil)") == 0,
		  "%s", err.message);
}

Test(config, takes_a_variable_or_its_default)
{
	setenv("PORT", "4999", 1);
	cr_assert(load("config('echo', {port = tonumber(env('PORT', 4040)), loudness = env('NOWHERE', 5)})") == 0);
	cr_assert_eq(number("port"), 4999);
	cr_assert_eq(number("loudness"), 5);
}

Test(config, refuses_a_variable_that_should_be_a_number)
{
	setenv("PORT", "abc", 1);
	cr_assert(load("config('echo', {port = tonumber(env('PORT', 4040))})") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua:1: environment variable PORT is not a number");
	cr_assert_null(strstr(err.message, "abc"));
}

Test(config, leaves_tonumber_alone_otherwise)
{
	cr_assert(load("assert(tonumber('x') == nil and tonumber('0x10') == 16 and tonumber('zz', 36) == 1295)\n"
		       "assert(not pcall(tonumber))") == 0,
		  "%s", err.message);
}

Test(config, reports_all_mistakes_at_once)
{
	cr_assert(load("config('echo', {prot = 1})\n"
		       "config('echo', {port = 'abc',\n  loudness = 101})\n"
		       "config('ehco', {})\n"
		       "config('other', {anything = 1})\n") == -ERROR_INVALID);
	cr_assert_eq(report.errors, 4, "%s", buf_string(&report.text));
	const char *text = buf_string(&report.text);
	cr_assert_not_null(strstr(text,
				  "rel/runtime.lua:1: error: unknown key 'prot' of component 'echo' (did you mean "
				  "'port'?)\n"));
	cr_assert_not_null(
		strstr(text, "rel/runtime.lua:2: error: echo.port: expected port (0–65535), got string \"abc\"\n"));
	cr_assert_not_null(
		strstr(text, "rel/runtime.lua:2: error: echo.loudness: expected integer (0–100), got integer 101\n"));
	cr_assert_not_null(strstr(text, "rel/runtime.lua:4: error: unknown component 'ehco' (did you mean 'echo'?)\n"));
	cr_assert_not_null(strstr(err.message, "(and 3 more)"));
}

Test(config, reports_mistakes_of_releases_yaml_where_they_were_made)
{
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml",
		       "format: 1\nrelease: {name: foo, version: \"0.0.1\"}\nruntime_config: false\n"
		       "components: [{name: echo, version: \"1.0.0\", mode: permanent}]\n"
		       "project_components: [echo]\nconfig: {echo: {port: x}}\n"
		       "origins: {echo.port: \"releases.yaml:12:7\"}\n");
	cr_assert(load("") == -ERROR_INVALID);
	cr_assert_str_eq(buf_string(&report.text),
			 "releases.yaml:12:7: error: echo.port: expected port (0–65535), got string \"x\"\n");
}

Test(config, reads_files_for_runtime_lua)
{
	t_bundle_write(&bundle, "a.yaml", "loudness: 9\n");
	t_bundle_write(&bundle, "a.json", "{\"port\": 7000}");
	t_bundle_write(&bundle, "a.txt", "text");
	cr_assert(load("config('echo', read_yaml(release.root .. '/a.yaml'))\n"
		       "config('echo', read_json(release.root .. '/a.json'))\n"
		       "config('echo', {names = {read_file(release.root .. '/a.txt'), release.name}})") == 0,
		  "%s", err.message);
	cr_assert_eq(number("loudness"), 9);
	cr_assert_eq(number("port"), 7000);
	cr_assert_str_eq(config_setting(&config, "echo", "names")->value->list.items[0]->string.data, "text");
}

Test(config, names_file_and_line_when_a_file_is_missing)
{
	cr_assert(load("\nread_yaml('/nowhere/x.yaml')") == -ERROR_INVALID);
	cr_assert(strncmp(err.message, "rel/runtime.lua:2: ", 19) == 0, "%s", err.message);
	cr_assert_not_null(strstr(err.message, "/nowhere/x.yaml"));
}

Test(config, names_file_and_line_of_a_syntax_error)
{
	cr_assert(load("config(\n\n}") == -ERROR_INVALID);
	cr_assert(strncmp(err.message, "rel/runtime.lua:3: ", 19) == 0, "%s", err.message);
}

Test(config, names_the_file_where_lua_names_no_line)
{
	cr_assert(load("error({})") == -ERROR_INVALID);
	cr_assert(strncmp(err.message, "rel/runtime.lua: ", 17) == 0, "%s", err.message);
}

Test(config, names_the_file_where_it_would_leave)
{
	cr_assert(load("os.exit(0)") == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "rel/runtime.lua: os.exit(0)");
}

Test(config, takes_a_byte_order_mark_before_runtime_lua)
{
	cr_assert(load("\xef\xbb\xbf"
		       "config('echo', {loudness = 8})\r\n") == 0,
		  "%s", err.message);
	cr_assert_eq(number("loudness"), 8);
}

Test(config, refuses_functions_as_values)
{
	cr_assert(load("config('echo', {names = {print}})") == -ERROR_INVALID);
	cr_assert(strncmp(err.message, "rel/runtime.lua:1: ", 19) == 0, "%s", err.message);
}

Test(config, takes_null_of_a_file_for_a_key_that_is_not_there)
{
	t_bundle_write(&bundle, "a.yaml", "loudness: null\n");
	cr_assert(load("config('echo', {loudness = 9})\nconfig('echo', read_yaml(release.root .. '/a.yaml'))") == 0);
	cr_assert_eq(number("loudness"), 9);
}

Test(config, changes_a_value_and_takes_it_back)
{
	cr_assert(load("") == 0);
	SCOPE(arena_done) struct arena other = { 0 };
	struct config_change change;
	cr_assert(config_set(&config, "echo", "loudness", value_int(&other, 8), &change, &err) == 0);
	cr_assert_eq(number("loudness"), 8);
	config_undo(&change);
	cr_assert_eq(number("loudness"), 3);
	cr_assert(config_set(&config, "echo", "loudness", value_int(&other, 9), &change, &err) == 0);
	config_settle(&change);
	cr_assert_eq(number("loudness"), 9);
	cr_assert(config_set(&config, "echo", "loudness", value_int(&other, 900), &change, &err) == -ERROR_INVALID);
	cr_assert_str_eq(err.message, "echo.loudness: expected integer (0–100), got integer 900");
	cr_assert_eq(number("loudness"), 9);
}

Test(config, masks_secrets_when_it_is_shown)
{
	cr_assert(load("config('echo', {token = 'hunter2'})") == 0);
	struct value *shown = config_describe(&config, &bundle.arena);
	cr_assert_str_eq(value_path(shown, "echo.token.value")->string.data, SCHEMA_MASK);
	cr_assert_str_eq(value_path(shown, "echo.token.origin")->string.data, "rel/runtime.lua:1");
}

Test(config, refuses_a_sys_yaml_of_another_format)
{
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml", "format: 2\n");
	cr_assert(release_read(&bundle.arena, &release, &err) == 0);
	cr_assert(sys_load(&bundle.arena, &release, &sys, &err) == -ERROR_UNSUPPORTED);
	cr_assert_str_eq(err.message, "sys.yaml has format 2, this runtime reads format 1");
}
