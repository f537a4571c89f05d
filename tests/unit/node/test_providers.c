/* SPDX-License-Identifier: MIT */
#include "base/path.h"
#include "base/scope.h"
#include "bundle.h"
#include "node/config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

TestSuite(providers, .init = begin, .fini = end, .timeout = 20);

/* `entries`: the items of config_providers, each "{...}" separated by newlines. */
static int load(const char *entries, const char *runtime)
{
	const char *text = arena_printf(&bundle.arena,
					"format: 1\nrelease: {name: foo, version: \"0.0.1\"}\n"
					"runtime_config: %s\nconfig_providers:\n%s\n"
					"components: [{name: echo, version: \"1.0.0\", mode: permanent}]\n"
					"project_components: [echo, other]\nconfig: {echo: {port: 4050, wait: 1s}}\n"
					"origins: {echo.port: \"releases.yaml:9:7\"}\n",
					runtime != NULL ? "runtime.lua" : "false", entries);
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml", text);
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", runtime != NULL ? runtime : "");
	cr_assert(release_read(&bundle.arena, &release, &err) == 0, "%s", err.message);
	cr_assert(sys_load(&bundle.arena, &release, &sys, &err) == 0, "%s", err.message);
	return config_load(&bundle.arena, &release, &sys, &report, &config, &err);
}

static void load_ok(const char *entries, const char *runtime)
{
	cr_assert(load(entries, runtime) == 0, "%s%s", buf_string(&report.text), err.message);
}

/* The report must be these lines. */
static void load_fails(const char *entries, const char *lines)
{
	cr_assert(load(entries, NULL) == -ERROR_INVALID);
	cr_assert_str_eq(buf_string(&report.text), lines);
}

static void program(const char *path, const char *text)
{
	t_bundle_write(&bundle, path, arena_printf(&bundle.arena, "#!/bin/sh\n%s\n", text));
	cr_assert(chmod(path_join(&bundle.arena, bundle.root, path), 0755) == 0);
}

static const struct value *value(const char *key)
{
	return config_setting(&config, "echo", key)->value;
}

static const char *origin(const char *key)
{
	static char text[256];
	return origin_text(&value(key)->origin, text, sizeof(text));
}

Test(providers, stand_between_the_build_and_runtime_lua_in_their_order)
{
	t_bundle_write(&bundle, "etc/a.yaml", "echo:\n  port: 1\n  loudness: 1\n  size: 1KiB\n");
	t_bundle_write(&bundle, "etc/b.yaml", "echo:\n  loudness: 2\n  size: 2KiB\n");
	load_ok("  - {yaml: etc/a.yaml}\n  - {yaml: \"${RELEASE_ROOT}/etc/b.yaml\"}",
		"config('echo', {size = '3KiB'})");
	cr_assert_eq(value("wait")->integer, 1000);
	cr_assert_eq(value("port")->integer, 1);
	cr_assert_str_eq(origin("port"), "etc/a.yaml:2:9");
	cr_assert_eq(value("loudness")->integer, 2);
	cr_assert_str_eq(origin("loudness"), "etc/b.yaml:2:13");
	cr_assert_eq(value("size")->integer, 3072);
	cr_assert_str_eq(origin("size"), "rel/runtime.lua:1");
}

Test(providers, of_files_may_be_optional)
{
	load_ok("  - {yaml: etc/a.yaml, optional: true}\n  - {dir: etc/conf.d, optional: true}\n"
		"  - {lua: etc/x.lua, optional: true}",
		NULL);
	const char *lines =
		arena_printf(&bundle.arena,
			     "releases.yaml:3:9: error: config provider 'yaml': cannot read '%s/etc/a.yaml': "
			     "No such file or directory\n"
			     "error: config provider 'dir': cannot read the folder '%s/etc/conf.d': "
			     "No such file or directory\n",
			     bundle.root, bundle.root);
	config_done(&config);
	load("  - {yaml: etc/a.yaml, origin: \"releases.yaml:3:9\"}\n  - {dir: etc/conf.d}", NULL);
	const char *second = strchr(buf_string(&report.text), '\n') + 1;
	cr_assert(strncmp(buf_string(&report.text), lines, (size_t)(strchr(lines, '\n') - lines)) == 0, "%s",
		  buf_string(&report.text));
	cr_assert_not_null(strstr(second, strchr(lines, '\n') + 1), "%s", second);
}

Test(providers, read_a_folder_in_the_order_of_its_names)
{
	t_bundle_write(&bundle, "conf.d/20.yml", "echo: {loudness: 20}");
	t_bundle_write(&bundle, "conf.d/10.yaml", "echo: {loudness: 10, port: 10}");
	t_bundle_write(&bundle, "conf.d/30.txt", "echo: {loudness: 30}");
	t_bundle_write(&bundle, "conf.d/.40.yaml", "echo: {loudness: 40}");
	load_ok("  - {dir: conf.d}", NULL);
	cr_assert_eq(value("loudness")->integer, 20);
	cr_assert_eq(value("port")->integer, 10);
}

Test(providers, take_variables_by_the_name_of_component_and_key)
{
	setenv("ECHO__PORT", "4999", 1);
	setenv("ECHO__TOKEN", "0123", 1); /* a string stays as it is */
	setenv("ECHO__NAMES", "[a, b]", 1);
	setenv("ECHO__LIMITS__B", "7", 1);
	setenv("NOBODY__PORT", "1", 1);
	setenv("__ECHO__X", "1", 1);
	setenv("OTHER__KEY", "1", 1);
	load_ok("  - {env: true}", NULL);
	cr_assert_eq(value("port")->integer, 4999);
	cr_assert_str_eq(origin("port"), "environment variable ECHO__PORT");
	cr_assert_str_eq(value("token")->string.data, "0123");
	cr_assert_eq(value("names")->list.count, 2);
	cr_assert_eq(value_get(value("limits"), "a")->integer, 1);
	cr_assert_eq(value_get(value("limits"), "b")->integer, 7);
}

Test(providers, take_variables_with_a_prefix_only)
{
	setenv("ECHO__LOUDNESS", "5", 1);
	setenv("APP_ECHO__PORT", "4998", 1);
	load_ok("  - {env: APP_}", NULL);
	cr_assert_eq(value("port")->integer, 4998);
	cr_assert_eq(value("loudness")->integer, 3);
}

Test(providers, report_all_mistakes_in_variables)
{
	setenv("APP_ECHO__PRT", "1", 1);
	load_fails("  - {env: APP_}",
		   "environment variable APP_ECHO__PRT: error: unknown key 'prt' of component 'echo' (did you mean "
		   "'port'?)\n");
	unsetenv("APP_ECHO__PRT");
	report_done(&report);
	setenv("APP_ECO__PORT", "1", 1);
	load_fails("  - {env: APP_}",
		   "environment variable APP_ECO__PORT: error: unknown component 'eco' (did you mean 'echo'?)\n");
	unsetenv("APP_ECO__PORT");
	report_done(&report);
	setenv("APP_ECHO__PORT", "{x", 1);
	load_fails("  - {env: APP_}", "environment variable APP_ECHO__PORT: error: echo.port: expected port (0–65535), "
				      "got string \"{x\"\n");
}

Test(providers, take_credentials_and_show_no_secret)
{
	t_bundle_write(&bundle, "cred/echo.token", "hunter2\n");
	t_bundle_write(&bundle, "cred/tls.key", "not ours");
	t_bundle_write(&bundle, "cred/cookie", "not ours either");
	unsetenv("CREDENTIALS_DIRECTORY");
	load_ok("  - {credentials: true}", NULL);
	cr_assert_null(value("token"));
	config_done(&config);
	setenv("CREDENTIALS_DIRECTORY", path_join(&bundle.arena, bundle.root, "cred"), 1);
	load_ok("  - {credentials: true}", NULL);
	cr_assert_str_eq(value("token")->string.data, "hunter2");
	cr_assert_str_eq(origin("token"), "credential echo.token");
	struct buf text = { 0 };
	config_show(&config, false, &text);
	config_show(&config, true, &text);
	cr_assert_null(strstr(buf_string(&text), "hunter2"));
	cr_assert_not_null(strstr(buf_string(&text), "echo.token = \"********\""));
	buf_done(&text);
}

Test(providers, run_a_program_that_prints_yaml_or_json)
{
	program("bin/yaml", "echo 'echo: {port: 1, loudness: 1}'");
	program("bin/json", "printf '{\"echo\":\\t{\"loudness\": 2, \"names\": [\"a\\/b\"]}}'");
	load_ok("  - {exec: bin/yaml}\n  - {exec: [bin/json, --all], timeout: 5s}", NULL);
	cr_assert_eq(value("port")->integer, 1);
	cr_assert_str_eq(origin("port"), "output of bin/yaml:1:14");
	cr_assert_eq(value("loudness")->integer, 2);
	cr_assert_eq(strncmp(origin("loudness"), "output of bin/json", 18), 0);
	cr_assert_str_eq(value("names")->list.items[0]->string.data, "a/b");
}

Test(providers, cut_off_a_program_that_hangs)
{
	program("bin/hangs", "sleep 600 & sleep 600");
	load_fails("  - {exec: bin/hangs, timeout: 100ms, origin: \"releases.yaml:3:9\"}",
		   arena_printf(&bundle.arena,
				"releases.yaml:3:9: error: config provider 'exec': %s/bin/hangs did not end within 100 "
				"ms and was killed\n",
				bundle.root));
}

Test(providers, cut_off_a_program_that_prints_without_end)
{
	program("bin/floods", "exec yes 'echo: {port: 1}'");
	load_fails(
		"  - {exec: bin/floods, origin: r}",
		arena_printf(&bundle.arena,
			     "r: error: config provider 'exec': %s/bin/floods printed more than 4194304 bytes and was "
			     "killed\n",
			     bundle.root));
}

Test(providers, refuse_rubbish_and_failures_and_go_on)
{
	program("bin/rubbish", "printf 'echo: {port: 1\\n'");
	program("bin/word", "echo hello");
	program("bin/fails", "exit 7");
	cr_assert(load("  - {exec: bin/rubbish}\n  - {exec: bin/word}\n  - {exec: bin/fails, origin: r}\n"
		       "  - {exec: no-such-program, origin: r}",
		       NULL) == -ERROR_INVALID);
	const char *text = buf_string(&report.text);
	cr_assert_eq(report.errors, 4, "%s", text);
	cr_assert(strncmp(text, "output of bin/rubbish:2:1: error: ", 34) == 0, "%s", text);
	cr_assert_not_null(strstr(text, "\noutput of bin/word:1:1: error: expected a map of components and their "
					"settings, got string\n"));
	cr_assert_not_null(strstr(text, "/bin/fails ended with exit code 7\n"));
	cr_assert_not_null(strstr(text, "cannot run 'no-such-program': it is not in PATH\n"));
}

Test(providers, run_lua_with_all_that_runtime_lua_has)
{
	t_bundle_write(&bundle, "routes.yaml", "[x, y]");
	t_bundle_write(&bundle, "etc/more.lua", "\nconfig('echo', {names = read_yaml('routes.yaml')})");
	load_ok("  - {lua: etc/more.lua}", NULL);
	cr_assert_eq(value("names")->list.count, 2);
	cr_assert_str_eq(origin("names"), "etc/more.lua:2");
	config_done(&config);
	t_bundle_write(&bundle, "etc/more.lua", "\n\nenv('NOWHERE_TO_BE_FOUND')");
	load_fails("  - {lua: etc/more.lua}", "etc/more.lua:3: environment variable NOWHERE_TO_BE_FOUND is not set\n");
}

Test(providers, wait_for_no_pipe)
{
	cr_assert(mkfifo(path_join(&bundle.arena, bundle.root, "pipe.yaml"), 0600) == 0);
	load_fails("  - {yaml: pipe.yaml, optional: true, origin: r}",
		   arena_printf(&bundle.arena, "r: error: config provider 'yaml': '%s/pipe.yaml' is no regular file\n",
				bundle.root));
}

Test(providers, show_lua_what_was_said_before)
{
	setenv("ECHO__LOUDNESS", "7", 1);
	load_ok("  - {env: true}", "local so_far = config('echo')\n"
				   "assert(so_far.port == 4050 and so_far.wait == '1s' and so_far.limits.a == 1)\n"
				   "assert(next(config('other')) == nil)\n"
				   "config('echo', {loudness = so_far.loudness + 1})\n"
				   "assert(config('echo').loudness == 8)");
	cr_assert_eq(value("loudness")->integer, 8);
}

Test(providers, name_a_variable_that_a_path_needs)
{
	load_fails("  - {yaml: \"${NO_SUCH_FOLDER}/a.yaml\", origin: \"releases.yaml:3:9\"}",
		   "releases.yaml:3:9: error: config provider 'yaml': variable '${NO_SUCH_FOLDER}' in a path is not "
		   "set\n");
}
