/* SPDX-License-Identifier: MIT */
#include "base/exchange.h"
#include "launcher/launcher.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root, *name;
static struct error err;

static int split(const char *path)
{
	static struct arena arena;

	root = name = NULL;
	err = (struct error){ 0 };
	return root_split(&arena, path, &root, &name, &err);
}

Test(root, is_two_folders_above_the_launcher)
{
	cr_assert_eq(split("/opt/foo/bin/foo"), 0);
	cr_assert_str_eq(root, "/opt/foo");
	cr_assert_str_eq(name, "foo");
}

Test(root, may_be_the_root_folder_itself)
{
	cr_assert_eq(split("/bin/foo"), 0);
	cr_assert_str_eq(root, "");
}

Test(root, may_hold_anything_that_the_loader_does_not_expand)
{
	cr_assert_eq(split("/a b/ü:;\n-x/bin/foo"), 0);
	cr_assert_str_eq(root, "/a b/ü:;\n-x");
}

Test(root, with_a_dollar_is_refused_and_named)
{
	cr_assert_eq(split("/a/$LIB/bin/foo"), -(int)ERROR_INVALID);
	cr_assert(strstr(err.message, "'/a/$LIB'"));
	cr_assert(root == NULL);
}

Test(root, needs_the_folder_bin)
{
	cr_assert_eq(split("/opt/foo/sbin/foo"), -(int)ERROR_INVALID);
	cr_assert_eq(split("bin/foo"), -(int)ERROR_INVALID);
	cr_assert_eq(split("/opt/foo/bin/"), -(int)ERROR_INVALID);
}

Test(root, of_this_test_program_is_found_by_the_kernel)
{
	struct launch launch = { 0 };

	/* it does not lie in a folder 'bin', so it is found and then refused by its own path */
	cr_assert(root_find(&launch, &err) < 0);
	cr_assert(launch.self && launch.self[0] == '/');
	cr_assert(strstr(launch.self, "unit_launcher_root"));
	arena_done(&launch.arena);
}

/* Of a bundle that is the root folder itself, as in a container: it must not be looked for where the caller stands. */
Test(root, of_a_bundle_at_the_top_is_not_the_callers_folder)
{
	struct launch launch = { .root = "" };
	char folder[] = "/tmp/kvrel-unit-XXXXXX";

	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	cr_assert_eq(mkdir(EXCHANGE_LIST, 0700), 0);
	cr_expect_eq(root_settle(&launch, &err), 0, "%s", err.message);
	cr_expect_eq(rmdir(EXCHANGE_LIST), 0);
	cr_expect_eq(chdir("/"), 0);
	cr_expect_eq(rmdir(folder), 0);
}
