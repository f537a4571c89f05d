/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/kvrel-test-XXXXXX";
static struct launch launch;
static struct error err;

static void write_file(const char *path, const char *text)
{
	const char *whole = arena_printf(&launch.arena, "%s/%s", folder, path);
	char *slash = strrchr(whole, '/');

	*slash = '\0';
	cr_assert_eq(fs_make_dirs(whole, 0755, NULL), 0);
	*slash = '/';
	cr_assert_eq(fs_replace(whole, slice_of(text), 0644, NULL), 0);
}

static void make_bundle(void)
{
	cr_assert(mkdtemp(folder));
	launch = (struct launch){ .root = folder };
	write_file("releases/start.data", "1.2.0 0.0.2\n");
	write_file("releases/0.0.1/vm.args", "");
	write_file("releases/0.0.2/vm.args", "");
	write_file("releases/COOKIE", "secret");
}

static void remove_bundle(void)
{
	fs_remove_tree(folder, NULL);
	arena_done(&launch.arena);
}

TestSuite(release, .init = make_bundle, .fini = remove_bundle);

Test(release, is_what_start_data_says)
{
	cr_assert_eq(release_select(&launch, NULL, &err), 0);
	cr_assert_str_eq(launch.version, "0.0.2");
	cr_assert_str_eq(launch.runtime_version, "1.2.0");
}

Test(release, beside_it_is_taken_by_its_version)
{
	cr_assert_eq(release_select(&launch, "0.0.1", &err), 0);
	cr_assert_str_eq(launch.version, "0.0.1");
	cr_assert_str_eq(launch.runtime_version, "1.2.0");
}

Test(release, beside_it_may_name_its_own_runtime)
{
	write_file("releases/0.0.1/start.data", "1.0.0 0.0.1\n");
	cr_assert_eq(release_select(&launch, "0.0.1", &err), 0);
	cr_assert_str_eq(launch.runtime_version, "1.0.0");
}

Test(release, that_does_not_exist_is_refused_with_those_that_do)
{
	cr_assert_eq(release_select(&launch, "9.9", &err), -(int)ERROR_NOT_FOUND);
	cr_assert(strstr(err.message, "'9.9'"));
	cr_assert(strstr(err.message, "it has: 0.0.1, 0.0.2"));
}

Test(release, version_that_is_a_path_is_refused)
{
	cr_assert_eq(release_select(&launch, "../releases", &err), -(int)ERROR_NOT_FOUND);
	cr_assert_eq(release_select(&launch, "..", &err), -(int)ERROR_NOT_FOUND);
}

Test(release, without_start_data_is_an_error_that_names_it)
{
	cr_assert_eq(unlink(arena_printf(&launch.arena, "%s/releases/start.data", folder)), 0);
	cr_assert_eq(release_select(&launch, NULL, &err), -(int)ERROR_NOT_FOUND);
	cr_assert(strstr(err.message, "releases/start.data"));
}

Test(release, start_data_of_another_form_is_refused)
{
	static const char *const bad[] = { "", "1.0.0\n", "1.0.0 \n", "../x 0.0.1", "1.0.0 a/b", "1.0.0 0.0.1 0.0.2" };
	const char *runtime, *version;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(release_parse_start(&launch.arena, slice_of(bad[i]), &runtime, &version, &err) < 0, "'%s'",
			  bad[i]);
}

Test(release, commands_are_its_lua_files_sorted)
{
	const char **names;

	write_file("releases/0.0.2/commands/migrate.lua", "");
	write_file("releases/0.0.2/commands/backup.lua", "");
	write_file("releases/0.0.2/commands/README", "");
	write_file("releases/0.0.2/commands/No-Name.lua", "");
	cr_assert_eq(release_select(&launch, NULL, &err), 0);
	cr_assert_eq(release_commands(&launch, &names), 2);
	cr_assert_str_eq(names[0], "backup");
	cr_assert_str_eq(names[1], "migrate");
}

Test(release, without_commands_has_none)
{
	const char **names;

	cr_assert_eq(release_select(&launch, NULL, &err), 0);
	cr_assert_eq(release_commands(&launch, &names), 0);
}
