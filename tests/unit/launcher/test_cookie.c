/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/kvrel-test-XXXXXX";
static struct launch launch;
static struct error err;
static const char *cookie;

static char *at(const char *name)
{
	return arena_printf(&launch.arena, "%s/%s", folder, name);
}

static char *write_file(const char *name, const char *text, mode_t mode)
{
	cr_assert_eq(fs_replace(at(name), slice_of(text), mode, NULL), 0);
	return at(name);
}

static void start_clean(void)
{
	clearenv();
	cr_assert(mkdtemp(folder));
	launch = (struct launch){ .root = folder };
	cr_assert_eq(mkdir(at("releases"), 0755), 0);
	setenv("HOME", folder, 1);
	cookie = NULL;
}

static void end(void)
{
	fs_remove_tree(folder, NULL);
	arena_done(&launch.arena);
}

TestSuite(cookie, .init = start_clean, .fini = end);

Test(cookie, comes_from_the_first_source_that_is_given)
{
	write_file("releases/COOKIE", "bundle", 0600);
	cr_assert_eq(cookie_resolve(&launch, false, &cookie, &err), 0);
	cr_assert_str_eq(cookie, "bundle");
	setenv("RELEASE_COOKIE", "variable", 1);
	cr_assert_eq(cookie_resolve(&launch, false, &cookie, &err), 0);
	cr_assert_str_eq(cookie, "variable");
	setenv("RELEASE_COOKIE", "variable", 1);
	setenv("RELEASE_COOKIE_FILE", write_file("mine", "file\n", 0400), 1);
	cr_assert_eq(cookie_resolve(&launch, false, &cookie, &err), 0);
	cr_assert_str_eq(cookie, "file");
}

Test(cookie, leaves_the_environment_also_when_it_is_not_used)
{
	setenv("RELEASE_COOKIE", "variable", 1);
	setenv("RELEASE_COOKIE_FILE", "/nowhere/cookie", 1);
	cr_assert(cookie_resolve(&launch, false, &cookie, &err) < 0);
	cr_assert(getenv("RELEASE_COOKIE") == NULL);
}

Test(cookie, is_none_when_none_is_given_and_none_is_needed)
{
	cr_assert_eq(cookie_resolve(&launch, false, &cookie, &err), 0);
	cr_assert(cookie == NULL);
	cr_assert_not(fs_exists(at(".kvrel.cookie")));
}

Test(cookie, of_the_home_folder_is_made_once_for_its_owner_alone)
{
	const char *first;
	struct stat st;

	cr_assert_eq(cookie_resolve(&launch, true, &first, &err), 0);
	cr_assert_eq(strlen(first), 64);
	cr_assert_eq(stat(at(".kvrel.cookie"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0400);
	cr_assert_eq(cookie_resolve(&launch, true, &cookie, &err), 0);
	cr_assert_str_eq(cookie, first);
}

Test(cookie, without_a_home_folder_says_what_to_set)
{
	unsetenv("HOME");
	cr_assert(cookie_resolve(&launch, true, &cookie, &err) < 0);
	cr_assert(strstr(err.message, "RELEASE_COOKIE_FILE"));
}

Test(cookie, that_others_can_read_is_refused_with_the_chmod_to_type)
{
	write_file("releases/COOKIE", "bundle", 0644);
	cr_assert(cookie_resolve(&launch, false, &cookie, &err) < 0);
	cr_assert(strstr(err.message, "mode 0644"));
	cr_assert(strstr(err.message, at("releases/COOKIE")));
	cr_assert(strstr(err.message, "chmod 600 "));
	cr_assert(cookie == NULL);
}

Test(cookie, that_is_empty_is_refused)
{
	write_file("releases/COOKIE", "\n", 0600);
	cr_assert(cookie_resolve(&launch, false, &cookie, &err) < 0);
	cr_assert(strstr(err.message, "empty"));
}

Test(cookie, that_is_a_folder_or_too_long_is_refused)
{
	char *text = malloc(5001);

	setenv("RELEASE_COOKIE_FILE", folder, 1);
	cr_assert(cookie_resolve(&launch, false, &cookie, &err) < 0);
	memset(text, 'x', 5000);
	text[5000] = '\0';
	setenv("RELEASE_COOKIE_FILE", write_file("long", text, 0600), 1);
	cr_assert(cookie_resolve(&launch, false, &cookie, &err) < 0);
	cr_assert(strstr(err.message, "longer"));
	free(text);
}

Test(cookie, files_belong_to_root_or_the_caller)
{
	cr_assert(cookie_mode_is_safe(0, 0100600, 1000, false));
	cr_assert(cookie_mode_is_safe(1000, 0100400, 1000, false));
	cr_assert_not(cookie_mode_is_safe(1001, 0100600, 1000, false));
	cr_assert_not(cookie_mode_is_safe(0, 0100640, 1000, false));
	cr_assert_not(cookie_mode_is_safe(0, 0100604, 1000, false));
}

Test(cookie, of_systemd_may_show_the_mask_of_an_access_list)
{
	cr_assert(cookie_mode_is_safe(0, 0100440, 1000, true));
	cr_assert_not(cookie_mode_is_safe(0, 0100444, 1000, true));
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	setenv("RELEASE_COOKIE_FILE", write_file("cookie", "given", 0440), 1);
	cr_assert_eq(cookie_resolve(&launch, false, &cookie, &err), 0);
}

Test(cookie, is_handed_over_as_a_file_that_ends)
{
	char text[64];
	int fd;

	cr_assert_eq(cookie_to_fd("secret", &fd, &err), 0);
	cr_assert_eq((int)read(fd, text, sizeof(text)), 6);
	cr_assert_eq(memcmp(text, "secret", 6), 0);
	cr_assert_eq((int)read(fd, text, sizeof(text)), 0);
	close(fd);
}
