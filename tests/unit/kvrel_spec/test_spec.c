/* SPDX-License-Identifier: MIT */
/* releases.yaml: its keys, and that one run shows all mistakes. */
#include "t_project.h"

#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void begin(void)
{
	t_begin();
	t_component("kv", "");
}
TestSuite(spec, .init = begin, .fini = t_end);

static const struct spec_release *load_release(const char *keys)
{
	t_load_ok(arena_printf(&t_arena, "releases:\n  r:\n    version: \"1\"\n    components: [kv]\n%s", keys));
	return spec_release(t_spec, "r");
}

static void expect_key(const char *key, const char *mistake)
{
	t_expect(arena_printf(&t_arena, "releases:\n  r:\n    version: \"1\"\n    components: [kv]\n    %s\n", key),
		 arena_printf(&t_arena, "releases.yaml:5:%s\n", mistake));
}

Test(spec, an_empty_file_is_a_project_without_releases)
{
	t_load_ok("");
	cr_assert_eq(t_spec->release_count, 0);
	t_load_ok("releases:\n");
	cr_assert_eq(t_spec->release_count, 0);
}

Test(spec, defaults)
{
	const struct spec_release *release = load_release("");
	cr_assert(release->include_runtime && release->strip && release->edit_loader && release->unix_executables);
	cr_assert(!release->quiet);
	cr_assert_eq(release->step_count, 1);
	cr_assert_eq(release->steps[0].kind, STEP_ASSEMBLE);
	cr_assert_eq(release->overlay_count, 0);
	cr_assert_null(release->cookie);
	cr_assert_null(release->runtime_config);
	cr_assert_str_eq(release->runtime_config_shown, "rel/runtime.lua");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, release->path), "_build/rel/r");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, release->templates), "rel");
}

Test(spec, files_of_rel_are_found_by_themselves)
{
	t_file("rel/runtime.lua", "");
	t_file("rel/overlays/a", "");
	t_file("more/b", "");
	const struct spec_release *release = load_release("    overlays: [more]\n");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, release->runtime_config), "rel/runtime.lua");
	cr_assert_eq(release->overlay_count, 2);
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, release->overlays[0]), "rel/overlays");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, release->overlays[1]), "more");
	release = load_release("    runtime_config: false\n");
	cr_assert_null(release->runtime_config);
	cr_assert_null(release->runtime_config_shown);
}

Test(spec, every_key_reaches_the_release)
{
	t_file("cfg.lua", "");
	t_file("tpl/vm.args", "");
	t_file("cmd/migrate.lua", "");
	const struct spec_release *release =
		load_release("    cookie: s3cret\n    include_runtime: false\n    strip: [kv]\n    templates: tpl\n"
			     "    runtime_config: cfg.lua\n    executables_for: []\n    path: /srv/r\n    quiet: true\n"
			     "    runtime: {edit_loader: false}\n    commands: {migrate: cmd/migrate.lua}\n"
			     "    steps: [{run: make}, assemble, tar, {run: \"echo 1\"}]\n");
	cr_assert_str_eq(release->cookie, "s3cret");
	cr_assert(!release->include_runtime && !release->unix_executables && release->quiet && !release->edit_loader);
	cr_assert(release->strip);
	cr_assert_eq(release->strip_keep_count, 1);
	cr_assert_str_eq(release->strip_keep[0], "kv");
	cr_assert_str_eq(release->runtime_config_shown, "cfg.lua");
	cr_assert_str_eq(release->path, "/srv/r");
	cr_assert_eq(release->command_count, 1);
	cr_assert_str_eq(release->commands[0].name, "migrate");
	cr_assert_eq(release->step_count, 4);
	cr_assert_eq(release->steps[2].kind, STEP_TAR);
	cr_assert_str_eq(release->steps[3].command, "echo 1");
	cr_assert(!load_release("    strip: false\n")->strip);
}

Test(spec, a_version_is_not_called_like_a_file_beside_it)
{
	t_expect("releases:\n  r: {version: COOKIE, components: [kv]}\n",
		 "releases.yaml:2:16: invalid version \"COOKIE\" of release 'r': a file beside the folders of the "
		 "versions has this name\n");
}

Test(spec, a_version_can_come_from_a_component)
{
	t_load_ok("releases:\n  r: {version: {from_component: kv}, components: [kv]}\n");
	cr_assert_str_eq(spec_release(t_spec, "r")->version, "0.1.0");
	t_expect("releases:\n  r: {version: {from_component: vk}, components: [kv]}\n",
		 "releases.yaml:2:33: unknown component 'vk' in the version of release 'r' (did you mean 'kv'?)\n");
	t_expect("releases:\n  r: {version: {from: kv}, components: [kv]}\n",
		 "releases.yaml:2:16: the version of release 'r' lacks the key 'from_component'\n"
		 "releases.yaml:2:17: unknown key 'from' in the version of release 'r'\n");
}

Test(spec, the_command_line_wins_over_version_and_path)
{
	t_options.version = "2.0";
	t_options.path = "/elsewhere";
	t_load_ok("releases:\n  r: {components: [kv]}\n");
	cr_assert_str_eq(spec_release(t_spec, "r")->version, "2.0");
	cr_assert_str_eq(spec_release(t_spec, "r")->path, "/elsewhere");
	t_options.version = "../x";
	cr_assert_eq(t_load("{}"), -ERROR_USAGE);
}

Test(spec, a_version_that_yaml_takes_for_a_number_must_be_quoted)
{
	t_expect("releases:\n  r: {version: 0.10, components: [kv]}\n",
		 "releases.yaml:2:16: version 0.10 of release 'r' must be quoted, YAML reads it as a number: version: "
		 "\"0.10\"\n");
	t_expect("releases:\n  r: {version: 1e3, components: [kv]}\n",
		 "releases.yaml:2:16: version 1e3 of release 'r' must be quoted, YAML reads it as a number: version: "
		 "\"1e3\"\n");
	t_load_ok("releases:\n  r: {version: 1.2.3, components: [kv]}\n");
	cr_assert_str_eq(spec_release(t_spec, "r")->version, "1.2.3");
}

static const struct {
	const char *key, *mistake;
} wrong[] = {
	{ "quite: true", "5: unknown key 'quite' in release 'r' (did you mean 'quiet'?)" },
	{ "quiet: 1", "12: 'quiet' in release 'r' must be true or false, not the number 1" },
	{ "include_runtime: yes",
	  "22: 'include_runtime' in release 'r' must be true or false, not the string \"yes\"" },
	{ "config_providers: [{ymal: x}]",
	  "25: unknown key 'ymal' in 'config_providers' in release 'r' (did you mean 'yaml'?)" },
	{ "config_providers: [{yaml: 1}]",
	  "31: 'yaml' in 'config_providers' in release 'r' must be a path, not the number 1" },
	{ "config_providers: [{yaml: a, env: A_}]",
	  "34: a config provider in release 'r' is of one kind: write 'yaml' and 'env' as two entries" },
	{ "config_providers: [{env: app}]",
	  "30: 'env' in 'config_providers' in release 'r' must be true, or a prefix of capitals, digits and '_' such "
	  "as MYAPP_, not the string \"app\"" },
	{ "config_providers: [{env: A_, timeout: 1s}]",
	  "34: 'timeout' in 'config_providers' in release 'r' is not for 'env'" },
	{ "config_providers: [{exec: [x], timeout: soon}]",
	  "45: 'timeout' in 'config_providers' in release 'r' must be a duration such as 500ms or 10s, not the string "
	  "\"soon\"" },
	{ "config_providers: [{optional: true}]",
	  "24: a config provider in release 'r' needs one of yaml, dir, env, credentials, exec and lua" },
	{ "config_providers: [x]",
	  "24: a config provider in release 'r' is a map like {yaml: FILE}, not the string \"x\"" },
	{ "strip: maybe",
	  "12: 'strip' in release 'r' must be true, false or a list of components to keep, not the string "
	  "\"maybe\"" },
	{ "strip: [vk]", "13: unknown component 'vk' in release 'r' (did you mean 'kv'?)" },
	{ "overlays: nowhere", "15: 'overlays' in release 'r' must be a list of folders, not the string \"nowhere\"" },
	{ "overlays: [nowhere]", "16: 'overlays' in release 'r': the folder 'nowhere' does not exist" },
	{ "templates: nowhere", "16: 'templates' in release 'r': the folder 'nowhere' does not exist" },
	{ "runtime_config: no.lua", "21: 'runtime_config' in release 'r': the file 'no.lua' does not exist" },
	{ "runtime_config: true", "21: 'runtime_config' in release 'r' must be a Lua file or false, not true" },
	{ "executables_for: [unx]",
	  "23: unknown system 'unx' in 'executables_for' in release 'r' (did you mean 'unix'?)" },
	{ "executables_for: [windows]", "23: 'windows' in 'executables_for' in release 'r' is not supported yet" },
	{ "steps: [asemble]", "13: unknown step 'asemble' in release 'r' (did you mean 'assemble'?)" },
	{ "steps: []", "12: 'steps' in release 'r' must hold 'assemble'" },
	{ "steps: [assemble, assemble]", "23: step 'assemble' stands more than once in release 'r'" },
	{ "steps: [tar, assemble]", "13: step 'tar' must come after 'assemble' in release 'r'" },
	{ "steps: [assemble, {rum: x}]", "24: unknown key 'rum' in a step in release 'r' (did you mean 'run'?)" },
	{ "steps: [assemble, {run: }]", "29: a step in release 'r' lacks the key 'run'" },
	{ "commands: {start: releases.yaml}",
	  "16: command 'start' in release 'r': the launcher has a command of this name" },
	{ "commands: {x: no.lua}", "19: 'commands' in release 'r': the file 'no.lua' does not exist" },
	{ "runtime: {edit_lodaer: true}", "15: unknown key 'edit_lodaer' in 'runtime' in release 'r' (did you mean "
					  "'edit_loader'?)" },
	{ "config: []", "13: 'config' in release 'r' must be a map of components and their settings, not a list" },
	{ "path: \"a\\0b\"", "11: 'path' in release 'r' holds a control character" },
};

Test(spec, each_wrong_key_has_its_message)
{
	t_file("releases.yaml", "");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_key(wrong[i].key, wrong[i].mistake);
}

Test(spec, a_cookie_is_never_shown)
{
	expect_key(
		"cookie: \"two words\"",
		"13: 'cookie' in release 'r' must be a string of 1 to 255 printable ASCII characters without blanks");
	expect_key("cookie: 1234",
		   "13: 'cookie' in release 'r' must be a string of 1 to 255 printable ASCII characters "
		   "without blanks");
}

Test(spec, names_of_releases_are_checked)
{
	t_expect("releases:\n  Bad-Name: {version: \"1\", components: [kv]}\n",
		 "releases.yaml:2:3: invalid release name 'Bad-Name': at most 64 of a-z, 0-9 and '_' are allowed, "
		 "beginning with a "
		 "letter\n");
	t_expect("releases:\n  ../x: {version: \"1\", components: [kv]}\n",
		 "releases.yaml:2:3: invalid release name '../x': at most 64 of a-z, 0-9 and '_' are allowed, "
		 "beginning with a "
		 "letter\n");
}

Test(spec, a_release_keeps_its_name_however_long)
{
	static const char name[] = "a123456789_123456789_123456789_123456789_123456789_123456789_123";
	t_load_ok(arena_printf(&t_arena, "releases:\n  %s: {version: \"1\", components: [kv]}\n", name));
	cr_assert_str_eq(t_spec->releases[0].name, name);
}

Test(spec, the_default_release_must_exist)
{
	t_load_ok("default_release: r\nreleases:\n  r: {version: \"1\", components: [kv]}\n");
	cr_assert_str_eq(t_spec->default_release, "r");
	t_expect("default_release: foo\nreleases:\n  fooo: {version: \"1\", components: [kv]}\n",
		 "releases.yaml:1:18: 'default_release' names no release: 'foo' (did you mean 'fooo'?)\n");
}

Test(spec, one_run_shows_all_mistakes_in_order)
{
	t_file("core/zz/component.yaml", "name: zz\nversion: 1.0\n");
	t_expect(
		"relaeses: {}\n"
		"releases:\n"
		"  b: {verison: \"1\", components: [kv], quiet: 3}\n"
		"  a: {version: 1.0, components: [kw]}\n",
		"releases.yaml:1:1: unknown key 'relaeses' at the top level (did you mean 'releases'?)\n"
		"releases.yaml:3:7: unknown key 'verison' in release 'b' (did you mean 'version'?)\n"
		"releases.yaml:3:46: 'quiet' in release 'b' must be true or false, not the number 3\n"
		"releases.yaml:4:16: version 1.0 of release 'a' must be quoted, YAML reads it as a number: version: "
		"\"1.0\"\n"
		"releases.yaml:4:34: unknown component 'kw' in release 'a' (did you mean 'kv'?)\n"
		"core/zz/component.yaml:2:10: version 1.0 of component 'zz' must be quoted, YAML reads it as a number: "
		"version: \"1.0\"\n");
}

Test(spec, more_mistakes_than_anyone_reads_are_counted)
{
	struct buf text = { 0 };
	for (int i = 0; i < 2 * DIAGNOSTICS_MAX; i++)
		buf_printf(&text, "k%d: 1\n", i);
	cr_assert_eq(t_load(buf_string(&text)), -ERROR_INVALID);
	cr_assert_eq(t_diagnostics.count, DIAGNOSTICS_MAX);
	cr_assert_eq(t_diagnostics.errors, 2 * DIAGNOSTICS_MAX);
	buf_done(&text);
}

Test(spec, a_missing_file_is_a_mistake)
{
	t_options.text = (struct slice){ 0 };
	t_diagnostics = (struct diagnostics){ .arena = &t_arena };
	cr_assert_eq(spec_load(&t_arena, &t_options, &t_diagnostics, &t_spec, &t_err), -ERROR_INVALID);
	cr_assert_eq(t_diagnostics.errors, 1);
	cr_assert_str_eq(t_diagnostics.items[0].origin.file, "releases.yaml");
}
