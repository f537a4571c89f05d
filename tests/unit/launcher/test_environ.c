/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/kvrel-test-XXXXXX";
static struct command command = { .name = "version" };
static struct launch launch;
static struct error err;

static void start_clean(void)
{
	clearenv();
	cr_assert(mkdtemp(folder));
	launch = (struct launch){ .root = folder,
				  .file_name = "foo",
				  .argv0 = "bin/foo",
				  .version = "0.0.1",
				  .runtime_version = "1.0.0",
				  .command = &command };
}

static void end(void)
{
	rmdir(folder);
	arena_done(&launch.arena);
}

static void fill(void)
{
	environ_fill_first(&launch);
	cr_assert_eq(environ_fill(&launch, &err), 0, "%s", err.message);
}

static char *at(const char *format)
{
	return arena_printf(&launch.arena, "%s/%s", folder, format);
}

TestSuite(environ, .init = start_clean, .fini = end);

Test(environ, has_mix_defaults)
{
	fill();
	cr_assert_str_eq(getenv("RELEASE_ROOT"), folder);
	cr_assert_str_eq(getenv("RELEASE_NAME"), "foo");
	cr_assert_str_eq(getenv("RELEASE_VSN"), "0.0.1");
	cr_assert_str_eq(getenv("RELEASE_COMMAND"), "version");
	cr_assert_str_eq(getenv("RELEASE_PROG"), "foo");
	cr_assert_str_eq(getenv("RELEASE_MODE"), "embedded");
	cr_assert_str_eq(getenv("RELEASE_DISTRIBUTION"), "sname");
	cr_assert_str_eq(getenv("RELEASE_TMP"), at("tmp"));
	cr_assert_str_eq(getenv("RELEASE_DATA"), at("data"));
	cr_assert_str_eq(getenv("RELEASE_VM_ARGS"), at("releases/0.0.1/vm.args"));
	cr_assert_str_eq(getenv("RELEASE_REMOTE_VM_ARGS"), at("releases/0.0.1/remote.vm.args"));
	cr_assert_str_eq(getenv("RELEASE_SYS_CONFIG"), at("releases/0.0.1/sys"));
	cr_assert(getenv("RELEASE_COOKIE") == NULL);
}

Test(environ, of_the_caller_wins_except_for_what_is_computed)
{
	setenv("RELEASE_NAME", "other", 1);
	setenv("RELEASE_MODE", "interactive", 1);
	setenv("RELEASE_ROOT", "/nowhere", 1);
	setenv("RELEASE_COMMAND", "nothing", 1);
	fill();
	cr_assert_str_eq(getenv("RELEASE_NAME"), "other");
	cr_assert_str_eq(getenv("RELEASE_MODE"), "interactive");
	cr_assert_str_eq(getenv("RELEASE_ROOT"), folder);
	cr_assert_str_eq(getenv("RELEASE_COMMAND"), "version");
	cr_assert_eq(strncmp(getenv("RELEASE_NODE"), "other@", 6), 0);
}

Test(environ, empty_counts_as_unset)
{
	setenv("RELEASE_MODE", "", 1);
	setenv("RELEASE_TMP", "", 1);
	fill();
	cr_assert_str_eq(getenv("RELEASE_MODE"), "embedded");
	cr_assert_str_eq(getenv("RELEASE_TMP"), at("tmp"));
}

Test(environ, paths_become_absolute)
{
	cr_assert_eq(chdir("/"), 0);
	setenv("RELEASE_TMP", "some/tmp", 1);
	fill();
	cr_assert_str_eq(getenv("RELEASE_TMP"), "/some/tmp");
}

Test(environ, an_unknown_distribution_is_an_error_that_lists_the_three)
{
	setenv("RELEASE_DISTRIBUTION", "shortnames", 1);
	environ_fill_first(&launch);
	cr_assert(environ_fill(&launch, &err) < 0);
	cr_assert_str_eq(err.message, "expected RELEASE_DISTRIBUTION to be sname, name or none, got: shortnames");
}

Test(environ, an_unknown_mode_is_an_error)
{
	setenv("RELEASE_MODE", "fast", 1);
	environ_fill_first(&launch);
	cr_assert(environ_fill(&launch, &err) < 0);
	cr_assert(strstr(err.message, "embedded or interactive, got: fast"));
}

Test(environ, a_missing_file_is_named_with_its_variable)
{
	command.needs = NEEDS_VM_ARGS;
	setenv("RELEASE_VM_ARGS", "/nowhere/vm.args", 1);
	environ_fill_first(&launch);
	cr_assert(environ_fill(&launch, &err) < 0);
	cr_assert(strstr(err.message, "RELEASE_VM_ARGS"));
	cr_assert(strstr(err.message, "'/nowhere/vm.args'"));
}

Test(environ, nodes_get_the_host_that_their_distribution_asks_for)
{
	const char *node;

	cr_assert_eq(environ_node(&launch.arena, "foo", "sname", "box.example.org", &node, &err), 0);
	cr_assert_str_eq(node, "foo@box");
	cr_assert_eq(environ_node(&launch.arena, "foo", "name", "box.example.org", &node, &err), 0);
	cr_assert_str_eq(node, "foo@box.example.org");
	cr_assert_eq(environ_node(&launch.arena, "foo@127.0.0.1", "name", "box", &node, &err), 0);
	cr_assert_str_eq(node, "foo@127.0.0.1");
}

Test(environ, a_node_name_with_a_blank_is_refused_whole)
{
	const char *node = NULL;

	cr_assert(environ_node(&launch.arena, "foo --evil", "sname", "box", &node, &err) < 0);
	cr_assert(strstr(err.message, "got: foo --evil"));
	cr_assert(node == NULL);
}

Test(environ, preloads_are_hidden_from_the_bundled_loader)
{
	setenv("LD_PRELOAD", "/lib/x.so", 1);
	environ_hide_preload();
	environ_hide_preload();
	cr_assert(getenv("LD_PRELOAD") == NULL);
	cr_assert_str_eq(getenv("XD_LD_PRELOAD"), "/lib/x.so");
	cr_assert(getenv("XD_LD_AUDIT") == NULL);
}

/* The exit code of a start by user 65534, who cannot write the bundle. */
static int start_as_nobody(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
			_exit(100);
		command.needs = NEEDS_WRITABLE;
		environ_fill_first(&launch);
		int r = environ_fill(&launch, &err);
		if (r == 0)
			_exit(strcmp(getenv("RELEASE_TMP"), "/tmp/kvreltest-65534") == 0 ? 0 : 101);
		_exit(strstr(err.message, "'/tmp/kvreltest-65534' for RELEASE_TMP") ? 1 : 102);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(environ, trusts_no_folder_in_tmp_that_somebody_else_made)
{
	static const char place[] = "/tmp/kvreltest-65534";

	if (geteuid() != 0)
		cr_skip_test("needs root, to be two users");
	setenv("RELEASE_NAME", "kvreltest", 1);
	rmdir(place);
	cr_expect_eq(start_as_nobody(), 0, "made by ourselves");
	cr_expect_eq(start_as_nobody(), 0, "there already");
	cr_assert_eq(rmdir(place), 0);
	cr_assert_eq(mkdir(place, 0777), 0);
	cr_expect_eq(start_as_nobody(), 1, "somebody else's");
	cr_assert_eq(chown(place, 65534, 65534), 0);
	cr_assert_eq(chmod(place, 0777), 0);
	cr_expect_eq(start_as_nobody(), 1, "open to others");
	cr_assert_eq(rmdir(place), 0);
	cr_assert_eq(symlink("/tmp", place), 0);
	cr_expect_eq(start_as_nobody(), 1, "a link");
	cr_assert_eq(unlink(place), 0);
}
