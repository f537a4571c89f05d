/* SPDX-License-Identifier: MIT */
/* Build-time settings: schemas, layers, --set. */
#include "t_project.h"

#include "base/scope.h"

#include <criterion/criterion.h>

static void begin(void)
{
	t_begin();
	t_file("core/kv/component.yaml", "name: kv\n"
					 "version: \"0.1.0\"\n"
					 "config:\n"
					 "  port: {type: port, default: 4040}\n"
					 "  mode: {type: enum, values: [always, everysec], default: always}\n"
					 "  workers: {type: integer, min: 1, max: 64}\n"
					 "  size: {type: size, min: 1024}\n"
					 "  wait: {type: duration, max: 3600000}\n"
					 "  name: {type: string}\n"
					 "  on: {type: boolean}\n"
					 "  dir: {type: path}\n"
					 "  table: {type: list}\n"
					 "  extra: {type: map}\n"
					 "  pin: {type: integer, secret: true}\n");
}
TestSuite(settings, .init = begin, .fini = t_end);

#define PROJECT(config) "config: {kv: " config "}\nreleases:\n  r: {version: \"1\", components: {kv: permanent}}\n"

static struct value *setting(const char *path)
{
	return value_path(spec_release(t_spec, "r")->config, path);
}

Test(settings, values_that_fit_are_taken)
{
	t_load_ok(PROJECT("{port: 0, mode: everysec, workers: 64, size: 1KiB, wait: 250ms, name: \"1\", on: true, "
			  "dir: /var, table: [1], extra: {a: 1}}"));
	cr_assert_eq(setting("kv.workers")->integer, 64);
	t_load_ok(PROJECT("{size: 0x400, wait: 3600}"));
}

Test(settings, null_counts_as_absent)
{
	t_load_ok(PROJECT("{port: }"));
	t_load_ok("config: {kv: }\nreleases:\n  r: {version: \"1\", components: {kv: permanent}}\n");
}

static const struct {
	const char *config, *mistake;
} misfits[] = {
	{ "{port: 65536}", "1:21: 'port' of component 'kv' must be a port (0 to 65535), not the number 65536" },
	{ "{port: \"80\"}", "1:21: 'port' of component 'kv' must be a port (0 to 65535), not the string \"80\"" },
	{ "{port: -1}", "1:21: 'port' of component 'kv' must be a port (0 to 65535), not the number -1" },
	{ "{mode: alway}", "1:21: 'mode' of component 'kv' must be one of always, everysec, not the string \"alway\" "
			   "(did you mean 'always'?)" },
	{ "{mode: 3}", "1:21: 'mode' of component 'kv' must be one of always, everysec, not the number 3" },
	{ "{workers: 65}", "1:24: 'workers' of component 'kv' must be an integer from 1 to 64, not the number 65" },
	{ "{workers: 1.5}", "1:24: 'workers' of component 'kv' must be an integer from 1 to 64, not the number 1.5" },
	{ "{size: 12}",
	  "1:21: 'size' of component 'kv' must be a size such as 512, 64KiB or 10MB of at least 1024 bytes, "
	  "not the number 12" },
	{ "{wait: 2h}",
	  "1:21: 'wait' of component 'kv' must be a duration such as 250ms, 30s or 5m of at most 3600000 ms, "
	  "not the string \"2h\"" },
	{ "{name: 1.0}", "1:21: 'name' of component 'kv' must be a string, not the number 1.0" },
	{ "{on: yes}", "1:19: 'on' of component 'kv' must be true or false, not the string \"yes\"" },
	{ "{dir: []}", "1:20: 'dir' of component 'kv' must be a path, not a list" },
	{ "{table: {}}", "1:22: 'table' of component 'kv' must be a list, not a map" },
	{ "{extra: x}", "1:22: 'extra' of component 'kv' must be a map, not the string \"x\"" },
	{ "{wait: -1}", "1:21: 'wait' of component 'kv' must be a duration such as 250ms, 30s or 5m of at most 3600000 "
			"ms, not the number -1" },
	{ "{pin: hunter2}", "1:20: 'pin' of component 'kv' must be an integer, not a string" },
	{ "{prot: 1}", "1:15: unknown setting 'prot' of component 'kv' (did you mean 'port'?)" },
	{ "[]", "1:14: the settings of component 'kv' must be a map, not a list" },
};

Test(settings, a_misfit_says_what_is_expected_where_it_was_written)
{
	for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
		const char *text = arena_printf(
			&t_arena, "config: {kv: %s}\nreleases:\n  r: {version: \"1\", components: {kv: permanent}}\n",
			misfits[i].config);
		t_expect(text, arena_printf(&t_arena, "releases.yaml:%s\n", misfits[i].mistake));
	}
}

Test(settings, an_unknown_component_gets_a_suggestion)
{
	t_component("kv_server", "");
	t_expect("config: {kv_sever: {}}\n",
		 "releases.yaml:1:10: unknown component 'kv_sever' in 'config' (did you mean 'kv_server'?)\n");
}

Test(settings, those_of_a_component_that_the_release_leaves_out_are_kept)
{
	t_component("other", "");
	t_load_ok("config: {kv: {port: 1}}\nreleases:\n  r: {version: \"1\", components: {other: permanent}}\n");
	cr_assert_eq(setting("kv.port")->integer, 1);
}

Test(settings, a_release_is_merged_over_the_top_level_and_set_over_both)
{
	const char *sets[] = { "kv.extra.c=5", "kv.port=7", "kv.extra.c=6" };
	t_options.sets = sets;
	t_options.set_count = ARRAY_LEN(sets);
	t_load_ok("config: {kv: {port: 1, workers: 2, extra: {a: 1, b: 1}}}\n"
		  "releases:\n"
		  "  r: {version: \"1\", components: [kv], config: {kv: {port: 3, extra: {b: 2}}}}\n");
	cr_assert_eq(setting("kv.port")->integer, 7);
	cr_assert_eq(setting("kv.workers")->integer, 2);
	cr_assert_eq(setting("kv.extra.a")->integer, 1);
	cr_assert_eq(setting("kv.extra.b")->integer, 2);
	cr_assert_eq(setting("kv.extra.c")->integer, 6);
}

Test(settings, each_value_remembers_where_it_came_from)
{
	char text[128];
	const char *sets[] = { "kv.name=a=b" };
	t_options.sets = sets;
	t_options.set_count = 1;
	t_load_ok("config: {kv: {port: 1}}\nreleases:\n"
		  "  r: {version: \"1\", components: [kv], config: {kv: {workers: 3}}}\n");
	cr_assert_str_eq(origin_text(&setting("kv.port")->origin, text, sizeof(text)), "releases.yaml:1:21");
	cr_assert_str_eq(origin_text(&setting("kv.workers")->origin, text, sizeof(text)), "releases.yaml:3:62");
	cr_assert_str_eq(origin_text(&setting("kv.name")->origin, text, sizeof(text)), "--set kv.name");
	cr_assert_str_eq(value_text(setting("kv.name"), NULL), "a=b");
}

Test(settings, set_is_checked_like_the_file)
{
	const char *sets[] = { "kv.port=x", "vk.port=1", "kv.name=[" };
	t_options.sets = sets;
	t_options.set_count = ARRAY_LEN(sets);
	cr_assert_eq(t_load(PROJECT("{}")), -ERROR_INVALID);
	cr_assert_eq(t_diagnostics.errors, 3);
	cr_assert_str_eq(t_diagnostics.items[1].message,
			 "'port' of component 'kv' must be a port (0 to 65535), not the string \"x\"");
	cr_assert_str_eq(t_diagnostics.items[2].message,
			 "unknown component 'vk' on the command line (did you mean 'kv'?)");
}

Test(settings, set_without_component_key_and_value_is_a_wrong_command_line)
{
	const char *const wrong[] = { "port", "port=1", "=1", "kv.=1", ".port=1", "kv..a=1", "kv" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		t_options.sets = &wrong[i];
		t_options.set_count = 1;
		cr_assert_eq(t_load(PROJECT("{}")), -ERROR_USAGE, "%s", wrong[i]);
		cr_assert_eq(t_diagnostics.errors, 0);
	}
}
