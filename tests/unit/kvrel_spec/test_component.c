/* SPDX-License-Identifier: MIT */
/* component.yaml: where it is found, what it may say, where its library is. */
#include "t_project.h"

#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>

TestSuite(component, .init = t_begin, .fini = t_end);

static const struct spec_component *component(const char *name)
{
	for (size_t i = 0; i < t_spec->component_count; i++)
		if (strcmp(t_spec->components[i].name, name) == 0)
			return &t_spec->components[i];
	cr_assert_fail("no component %s", name);
	return NULL;
}

Test(component, a_folder_is_searched_itself_and_one_level_down)
{
	t_component("kv", "");
	t_file("single/component.yaml", "name: single\nversion: \"2\"\n");
	t_file("core/kv/deeper/component.yaml", "name: deeper\nversion: \"1\"\n");
	t_file("core/.hidden/component.yaml", "name: hidden\nversion: \"1\"\n");
	t_load_ok("components: [core, single]\n");
	cr_assert_eq(t_spec->component_count, 2);
	cr_assert_str_eq(t_spec->components[0].name, "kv");
	cr_assert_str_eq(t_spec->components[1].name, "single");
}

Test(component, without_the_default_folder_there_are_none)
{
	t_load_ok("releases: {}\n");
	cr_assert_eq(t_spec->component_count, 0);
}

Test(component, a_folder_that_is_listed_must_exist)
{
	t_expect("components: [nowhere]\n", "releases.yaml:1:14: cannot search the folder 'nowhere' for components: No "
					    "such file or directory\n");
}

Test(component, all_keys_are_read)
{
	t_file("core/kv/component.yaml",
	       "name: kv\nversion: \"0.1.0\"\ndescription: keys and values\nlibrary: lib/x.so\n"
	       "dependencies: []\nlibraries: [libz.so.1]\nlicense: MIT\nconfig: {a: {type: map}}\n");
	t_load_ok("{}\n");
	const struct spec_component *kv = component("kv");
	cr_assert_str_eq(kv->version, "0.1.0");
	cr_assert_str_eq(kv->description, "keys and values");
	cr_assert_str_eq(kv->license, "MIT");
	cr_assert_eq(kv->library_count, 1);
	cr_assert_str_eq(kv->libraries[0], "libz.so.1");
	cr_assert_not_null(value_get(kv->schema, "a"));
	cr_assert_str_eq(kv->library_sought, "core/kv/lib/x.so nor _build/release/components/kv/lib/x.so");
}

Test(component, the_library_beside_it_wins_over_the_build_folder)
{
	t_component("kv", "");
	t_file("_build/release/components/kv/kv.so", "built");
	t_load_ok("{}\n");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, component("kv")->library),
			 "_build/release/components/kv/kv.so");
	t_file("core/kv/kv.so", "beside");
	t_load_ok("{}\n");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, component("kv")->library), "core/kv/kv.so");
}

Test(component, the_build_folder_is_a_key_and_an_option)
{
	t_component("kv", "");
	t_file("out/components/kv/kv.so", "by key");
	t_file("other/components/kv/kv.so", "by option");
	t_load_ok("build_dir: out\n");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, component("kv")->library),
			 "out/components/kv/kv.so");
	t_options.build_dir = path_join(&t_arena, t_options.project_dir, "other");
	t_load_ok("build_dir: out\n");
	cr_assert_str_eq(path_relative(&t_arena, t_options.project_dir, component("kv")->library),
			 "other/components/kv/kv.so");
}

Test(component, only_a_release_that_is_built_needs_libraries)
{
	t_component("kv", "");
	t_component("kv_server", "kv");
	t_load_ok("build: make\nreleases:\n  r: {version: \"1\", components: {kv_server: permanent}}\n");
	spec_require_libraries(t_spec, spec_release(t_spec, "r"), &t_diagnostics);
	cr_assert_eq(t_diagnostics.errors, 2);
	cr_assert_str_eq(
		t_diagnostics.items[1].message,
		"component 'kv_server' of release 'r' is not built, there is neither core/kv_server/kv_server.so nor "
		"_build/release/components/kv_server/kv_server.so; build it first (make)");
}

static const struct {
	const char *text, *mistakes;
} broken[] = {
	{ "name: kv\n", "core/kv/component.yaml:1:1: component 'kv' lacks the key 'version'\n" },
	{ "version: \"1\"\n", "core/kv/component.yaml:1:1: component 'kv' lacks the key 'name'\n" },
	{ "name: kv\nverison: \"1\"\n",
	  "core/kv/component.yaml:2:1: unknown key 'verison' in component 'kv' (did you mean 'version'?)\n" },
	{ "name: Kv\nversion: \"1\"\n",
	  "core/kv/component.yaml:1:7: 'name' in component 'Kv' must be a name (a-z, 0-9 and "
	  "'_', beginning with a letter), not the string \"Kv\"\n" },
	{ "name: kv\nversion: 1.10\n",
	  "core/kv/component.yaml:2:10: version 1.10 of component 'kv' must be quoted, YAML "
	  "reads it as a number: version: \"1.10\"\n" },
	{ "name: kv\nversion: \"../x\"\n", "core/kv/component.yaml:2:10: invalid version \"../x\" of component 'kv': "
					   "at most 128 letters, digits and '.', '+', '~', '-' "
					   "are allowed, beginning with a letter or digit\n" },
	{ "name: kv\nversion: \"1\"\nlibrary: ../../etc/passwd\n",
	  "core/kv/component.yaml:3:10: 'library' in component 'kv' must be a path inside the component's folder, not "
	  "the "
	  "string \"../../etc/passwd\"\n" },
	{ "name: kv\nversion: \"1\"\nlibraries: [a, /lib/b.so]\n",
	  "core/kv/component.yaml:3:16: 'libraries' in component 'kv' must be names of libraries such as libz.so.1, "
	  "not the "
	  "string \"/lib/b.so\"\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {Port: {type: port}}\n",
	  "core/kv/component.yaml:3:10: a setting's name is made of a-z, 0-9 and '_', beginning with a letter, not "
	  "'Port'\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: prt}}\n",
	  "core/kv/component.yaml:3:20: unknown type 'prt' in setting "
	  "'p' of component 'kv' (did you mean 'port'?)\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {default: 1}}\n",
	  "core/kv/component.yaml:3:13: setting 'p' of component 'kv' lacks the key 'type'\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: port, default: x}}\n",
	  "core/kv/component.yaml:3:35: 'p' of component 'kv' must be a port (0 to 65535), not the string \"x\"\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: integer, min: 3, max: 2}}\n",
	  "core/kv/component.yaml:3:34: 'min' is greater than 'max' in setting 'p' of component 'kv'\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: string, min: 3}}\n",
	  "core/kv/component.yaml:3:33: 'min' in setting 'p' of component 'kv' is for integers, sizes and durations, "
	  "not for a "
	  "string\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: enum}}\n",
	  "core/kv/component.yaml:3:13: an enum needs 'values' in setting 'p' of component 'kv'\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: enum, values: [a, 1]}}\n",
	  "core/kv/component.yaml:3:38: 'values' in setting 'p' of component 'kv' must be strings, not the number "
	  "1\n" },
	{ "name: kv\nversion: \"1\"\nconfig: {p: {type: port, required: true, default: 1}}\n",
	  "core/kv/component.yaml:3:51: a required setting cannot have a default, in setting 'p' of component 'kv'\n" },
	{ "[]\n", "core/kv/component.yaml:1:1: component 'kv' must be a map of keys and values, not a list\n" },
};

Test(component, a_mistake_is_shown_in_its_own_file)
{
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		t_file("core/kv/component.yaml", broken[i].text);
		t_expect("{}\n", broken[i].mistakes);
	}
}

Test(component, one_that_cannot_be_read_is_not_unknown_as_well)
{
	t_file("core/kv/component.yaml", "name: kv\nversion: [\n");
	cr_assert_eq(t_load("releases:\n  r: {version: \"1\", components: {kv: permanent}, config: {kv: {x: 1}}}\n"),
		     -ERROR_INVALID);
	cr_assert_eq(t_diagnostics.errors, 1);
	cr_assert_str_eq(t_diagnostics.items[0].origin.file, "core/kv/component.yaml");
}

Test(component, two_of_one_name_are_a_mistake_that_names_both_files)
{
	t_file("core/a/component.yaml", "name: kv\nversion: \"1\"\n");
	t_file("core/b/component.yaml", "name: kv\nversion: \"1\"\n");
	t_expect("{}\n",
		 "core/b/component.yaml:1:7: component 'kv' is declared twice, also in core/a/component.yaml\n");
}
