/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct launch launch;

static void set_mark(long pid, const char *rest)
{
	setenv("KVREL_ENV_SH", arena_printf(&arena, "%ld%s", pid, rest), 1);
}

static void free_arenas(void)
{
	arena_done(&arena);
	arena_done(&launch.arena);
}

TestSuite(envsh, .fini = free_arenas);

Test(envsh, of_comments_and_blank_lines_is_idle)
{
	cr_assert(envsh_is_idle(SLICE("")));
	cr_assert(envsh_is_idle(SLICE("\xef\xbb\xbf# an editor's mark\r\n\r\n")));
	cr_assert(envsh_is_idle(SLICE("#!/bin/sh\n\n  \t# set RELEASE_NODE\n#x")));
	cr_assert_not(envsh_is_idle(SLICE("# a\nexport A=1\n")));
	cr_assert_not(envsh_is_idle(SLICE(":")));
}

Test(envsh, mark_of_this_process_counts_once)
{
	const char *version = NULL;

	set_mark(getpid(), " 0.0.1");
	cr_assert(envsh_take_mark(&arena, &version));
	cr_assert_str_eq(version, "0.0.1");
	cr_assert(getenv("KVREL_ENV_SH") == NULL);
	cr_assert_not(envsh_take_mark(&arena, &version));
}

Test(envsh, mark_of_another_process_is_ignored_and_forgotten)
{
	const char *version = NULL;

	set_mark(getppid(), " 0.0.1");
	cr_assert_not(envsh_take_mark(&arena, &version));
	cr_assert(version == NULL);
	cr_assert(getenv("KVREL_ENV_SH") == NULL);
}

Test(envsh, mark_that_is_garbage_is_ignored)
{
	static const char *const bad[] = { "", "x", " ", "-1 0.0.1" };
	const char *version = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("KVREL_ENV_SH", bad[i], 1);
		cr_assert_not(envsh_take_mark(&arena, &version), "'%s'", bad[i]);
	}
	set_mark(getpid(), "");
	cr_assert_not(envsh_take_mark(&arena, &version));
}

Test(envsh, script_quotes_the_paths)
{
	launch = (struct launch){ .self = "/it's here/bin/foo", .version = "0.0.1" };
	const char *script = envsh_script(&launch, "/it's here/env.sh", false);

	cr_assert(strstr(script, ". '/it'\\''s here/env.sh'\n"));
	cr_assert(strstr(script, "exec '/it'\\''s here/bin/foo' \"$@\""));
	cr_assert(strstr(script, "unset") == NULL);
}

Test(envsh, script_keeps_the_cookie_from_the_programs_of_env_sh)
{
	launch = (struct launch){ .self = "/b/bin/foo", .version = "0.0.1" };

	cr_assert(strstr(envsh_script(&launch, "/b/env.sh", true), "unset RELEASE_COOKIE"));
}
