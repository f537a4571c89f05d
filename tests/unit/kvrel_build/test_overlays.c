/* SPDX-License-Identifier: MIT */
/* What a project lays over its bundle, and what it cannot. */
#include "fixture.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(overlays, .init = setup, .fini = teardown);

static void fails(enum error_code code, const char *words)
{
	project_must_fail(&project, code, words);
}

static void lay_over(const char **folders, size_t count)
{
	project.release.overlays = folders;
	project.release.overlay_count = count;
}

Test(overlays, later_overlays_win_and_keep_links_and_modes)
{
	const char *folders[] = { project_file(&project, "one"), project_file(&project, "two") };
	project_write(&project, "one/etc/x", "1");
	project_write(&project, "one/etc/y", "1");
	project_write(&project, "two/etc/x", "2");
	cr_assert_eq(symlink("../etc/x", project_file(&project, "two/link")), 0);
	cr_assert_eq(unlink(project_file(&project, "two/link")), 0);
	cr_assert_eq(symlink("etc/x", project_file(&project, "two/link")), 0);
	cr_assert_eq(chmod(project_file(&project, "one/etc/y"), 0700), 0);
	lay_over(folders, 2);
	project_must_build(&project);
	struct stat st;
	cr_expect_str_eq(bundle_text(&project, "etc/x"), "2");
	cr_expect_str_eq(bundle_text(&project, "link"), "2");
	cr_assert_eq(stat(path_join(&project.arena, project.root, "etc/y"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);
}

Test(overlays, overlays_that_lead_out_of_the_bundle_are_refused)
{
	const char *folders[] = { project_file(&project, "one") };
	project_write(&project, "one/a", "1");
	lay_over(folders, 1);
	cr_assert_eq(symlink("../../etc/passwd", project_file(&project, "one/link")), 0);
	fails(ERROR_INVALID, "leads out of the bundle");
	cr_assert_eq(unlink(project_file(&project, "one/link")), 0);
	cr_assert_eq(symlink("/etc/passwd", project_file(&project, "one/link")), 0);
	fails(ERROR_INVALID, "leads out of the bundle");
	cr_assert_eq(unlink(project_file(&project, "one/link")), 0);
	project_write(&project, "one/data/x", "1");
	fails(ERROR_INVALID, "overlay 'one': 'data' is where the running node keeps its files");
	cr_expect(!fs_exists(project.root));
}

Test(overlays, a_library_that_lacks_another_is_warned_of)
{
	const char *folders[] = { project_file(&project, "one") };
	const char *warning =
		"warning: overlay 'one': 'lib/own/libthree.so' needs 'libplain.so', which is not in the "
		"bundle; name it under 'libraries' in the component.yaml of the component that opens it\n";
	lay_over(folders, 1);
	cr_assert_eq(fs_make_dirs(project_file(&project, "one/lib/own"), 0755, NULL), 0);
	cr_assert_eq(fs_copy_file(ELF_FILES "/private/libthree.so.1", project_file(&project, "one/lib/own/libthree.so"),
				  0644, NULL),
		     0);
	cr_assert_eq(fs_copy_file(ELF_FILES "/alias", project_file(&project, "one/lib/own/program"), 0755, NULL), 0);
	project.options.overwrite = true;
	project_must_build(&project);
	cr_expect(strstr(buf_string(&project.said), warning), "%s", buf_string(&project.said));
	cr_expect(!strstr(buf_string(&project.said), "program"));
	buf_clear(&project.said);
	project_write(&project, "one/lib/elsewhere/libplain.so", "x");
	project_must_build(&project);
	cr_expect(!strstr(buf_string(&project.said), "warning"), "%s", buf_string(&project.said));
}

Test(overlays, names_that_a_manifest_cannot_hold_are_refused)
{
	const char *folders[] = { project_file(&project, "one") };
	lay_over(folders, 1);
	project_write(&project, "one/caf\xe9", "x");
	fails(ERROR_INVALID, "overlay 'one': the name 'caf?' is no UTF-8; rename it");
	cr_assert_eq(unlink(project_file(&project, "one/caf\xe9")), 0);
	cr_assert_eq(symlink("caf\xe9", project_file(&project, "one/link")), 0);
	fails(ERROR_INVALID, "the name 'caf?' is no UTF-8");
	cr_assert_eq(unlink(project_file(&project, "one/link")), 0);
	project_write(&project, "one/a\nb\x01 caf\xc3\xa9 \"'\\%s", "x");
	project_must_build(&project);
	cr_expect_eq(bundle_verify(&project.arena, project.root, NULL, NULL, &project.err), 0);
}

Test(overlays, overlays_do_not_speak_for_kvrel)
{
	static const char *const paths[] = { "releases/start.data", "releases/0.0.1/manifest.json",
					     "releases/9/manifest.json", "releases/0.0.1/sbom.spdx.json",
					     ".kvrel-replacing" };
	const char *folders[] = { project_file(&project, "one") };
	lay_over(folders, 1);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *path = path_join(&project.arena, "one", paths[i]);
		project_write(&project, path, "{}");
		fails(ERROR_INVALID, "is written by kvrel itself");
		cr_assert_eq(unlink(project_file(&project, path)), 0);
	}
}

Test(overlays, a_cookie_of_an_overlay_is_a_secret_too)
{
	const char *folders[] = { project_file(&project, "one") };
	struct stat st;
	project_write(&project, "one/releases/COOKIE", "sesame");
	lay_over(folders, 1);
	project_must_build(&project);
	cr_assert_eq(stat(path_join(&project.arena, project.root, "releases/COOKIE"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	/* SHA-256 of "sesame": of a short secret a digest tells too much */
	cr_expect(!strstr(bundle_text(&project, "releases/0.0.1/manifest.json"),
			  "d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272"));
	cr_expect(!strstr(bundle_text(&project, "releases/0.0.1/sbom.spdx.json"), "COOKIE"));
}

Test(overlays, a_pipe_is_no_file_to_wait_for)
{
	const char *templates = project_file(&project, "mine");
	cr_assert_eq(mkdir(templates, 0755), 0);
	cr_assert_eq(mkfifo(project_file(&project, "mine/vm.args"), 0644), 0);
	project.release.templates = templates;
	fails(ERROR_INVALID, "vm.args: error: it is no file");
	cr_assert_eq(unlink(project_file(&project, "mine/vm.args")), 0);
	cr_assert_eq(mkfifo(project_file(&project, "pipe"), 0644), 0);
	project.release.runtime_config = project_file(&project, "pipe");
	fails(ERROR_INVALID, "is no regular file");
}
