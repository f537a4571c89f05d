/* SPDX-License-Identifier: MIT */
/* Checking a bundle or its archive: what was changed is named. Hostile archives are in test_hostile.c. */
#include "fixture.h"

#include "bundle/content.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static struct project project;
static struct buf reports;

static void setup(void)
{
	project_setup(&project);
	project.steps[1] = (struct spec_step){ .kind = STEP_TAR };
	project.release.step_count = 2;
}

static void teardown(void)
{
	buf_done(&reports);
	project_teardown(&project);
}
TestSuite(verify, .init = setup, .fini = teardown);

static void collect(void *context, const char *path, const char *what)
{
	(void)context;
	buf_printf(&reports, "%s %s\n", path, what);
}

static int verify(const char *path)
{
	buf_clear(&reports);
	project.err = (struct error){ 0 };
	return bundle_verify(&project.arena, path, collect, NULL, &project.err);
}

static void reports_are(const char *expected)
{
	cr_expect_eq(verify(project.root), *expected ? -(int)ERROR_INTEGRITY : 0, "%s", project.err.message);
	cr_expect_str_eq(buf_string(&reports), expected);
}

static const char *inside(const char *path)
{
	return path_join(&project.arena, project.root, path);
}

static void refused(const char *path, const char *words)
{
	struct value *tree;
	int status = verify(path);
	cr_assert_eq(status, -(int)ERROR_INVALID, "status %d: %s", status, project.err.message);
	cr_expect(strstr(project.err.message, words) != NULL, "'%s' lacks '%s'", project.err.message, words);
	cr_expect_eq(bundle_inspect(&project.arena, path, &tree, &project.err), -(int)ERROR_INVALID);
}

Test(verify, a_new_bundle_and_its_archive_are_as_they_were_built)
{
	project_must_build(&project);
	reports_are("");
	cr_assert_eq(project.result.artifact_count, 2);
	cr_expect_eq(verify(project.result.artifacts[0]), 0, "%s", project.err.message);
}

Test(verify, what_was_changed_is_named)
{
	project_must_build(&project);
	cr_assert_eq(fs_replace(inside("releases/0.0.1/vm.args"), SLICE("# flags of bar\n"), 0644, NULL), 0);
	reports_are("releases/0.0.1/vm.args was changed: its SHA-256 is another one\n");
}

Test(verify, what_is_missing_and_what_was_added_is_named)
{
	project_must_build(&project);
	cr_assert_eq(unlink(inside("lib/alpha-0.1.0/alpha.so")), 0);
	project_write(&project, "_build/rel/foo/lib/evil/a.so", "x");
	project_write(&project, "_build/rel/foo/lib/evil/b.so", "x");
	reports_are("lib/alpha-0.1.0/alpha.so is missing\nlib/evil was added\n");
}

Test(verify, links_kinds_and_modes_count)
{
	project_must_build(&project);
	const char *link = inside("runtime-1.0.0/lib/ld/kvnode");
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(symlink("/lib64/ld-linux-x86-64.so.2", link), 0);
	cr_assert_eq(chmod(inside("bin/foo"), 04755), 0);
	cr_assert_eq(chmod(inside("lib/alpha-0.1.0/alpha.so"), 0600), 0); /* stricter is fine */
	cr_assert_eq(unlink(inside("releases/0.0.1/env.sh")), 0);
	cr_assert_eq(mkdir(inside("releases/0.0.1/env.sh"), 0755), 0);
	cr_expect_eq(verify(project.root), -(int)ERROR_INTEGRITY);
	cr_expect(strstr(buf_string(&reports), "bin/foo has mode 4755, not 0755\n") != NULL);
	cr_expect(strstr(buf_string(&reports), "releases/0.0.1/env.sh is a folder, not a file\n") != NULL);
	cr_expect(strstr(buf_string(&reports), "lib/ld/kvnode leads to '/lib64/") != NULL);
	cr_expect(!strstr(buf_string(&reports), "alpha.so"));
}

Test(verify, a_pipe_is_not_taken_for_an_empty_file)
{
	const char *folders[] = { project_file(&project, "one") };
	project_write(&project, "one/empty", "");
	project.release.overlays = folders;
	project.release.overlay_count = 1;
	project_must_build(&project);
	cr_assert_eq(unlink(inside("empty")), 0);
	cr_assert_eq(mkfifo(inside("empty"), 0644), 0);
	reports_are("empty is no regular file\n");
}

Test(verify, the_nodes_folders_and_an_operators_cookie_are_no_part_of_the_bundle)
{
	project_must_build(&project);
	project_write(&project, "_build/rel/foo/data/kv/store", "x");
	project_write(&project, "_build/rel/foo/tmp/log", "x");
	project_write(&project, "_build/rel/foo/releases/COOKIE", "x");
	reports_are("");
}

Test(verify, two_versions_side_by_side_are_both_checked)
{
	project_must_build(&project);
	project.release.version = "0.0.2";
	project_write(&project, "builtin/vm.args", "# second\n");
	project_must_build(&project);
	reports_are("");
	cr_assert_eq(unlink(inside("releases/0.0.1/vm.args")), 0);
	reports_are("releases/0.0.1/vm.args is missing\n");
}

Test(verify, what_is_no_bundle_is_refused)
{
	project_write(&project, "empty/x", "x");
	refused(project_file(&project, "empty"), "is no bundle");
	refused(project_file(&project, "empty/x"), "is damaged or no archive");
	cr_expect_eq(verify(project_file(&project, "nothing")), -(int)ERROR_NOT_FOUND);
}

Test(verify, a_manifest_that_leads_out_of_the_bundle_is_not_followed)
{
	project_must_build(&project);
	struct slice text =
		SLICE("{\"format\":1,\"release\":{\"name\":\"foo\",\"version\":\"0.0.1\"},\"runtime\":\"1.0.0\","
		      "\"files\":[{\"path\":\"../x\",\"type\":\"folder\",\"mode\":\"0755\"}]}");
	cr_assert_eq(fs_replace(inside("releases/0.0.1/manifest.json"), text, 0644, NULL), 0);
	reports_are("releases/0.0.1/manifest.json was changed: 'releases/0.0.1/manifest.json', file 1: a path is "
		    "missing or "
		    "leads out of the bundle\n");
}

/* A manifest of the given entries; what is said of it. */
static void manifest_is_refused(const char *files, const char *words)
{
	const char *text = arena_printf(&project.arena,
					"{\"format\":1,\"release\":{\"name\":\"foo\",\"version\":\"0.0.1\"},"
					"\"runtime\":\"1.0.0\",\"files\":[%s]}",
					files);
	cr_assert_eq(fs_replace(inside("releases/0.0.1/manifest.json"), slice_of(text), 0644, NULL), 0);
	cr_expect_eq(verify(project.root), -(int)ERROR_INTEGRITY);
	cr_expect(strstr(buf_string(&reports), words) != NULL, "'%s' lacks '%s'", buf_string(&reports), words);
}
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(verify, a_manifest_that_kvrel_would_not_write_is_refused)
{
	project_must_build(&project);
	manifest_is_refused("{\"path\":\"a\",\"type\":\"folder\",\"mode\":\"4755\"}", "a mode is missing or none");
	manifest_is_refused("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"size\":1}", "a digest is missing");
	manifest_is_refused("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"sha256\":\"" DIGEST
			    "\",\"size\":9223372036854775807}",
			    "a size is missing or makes no sense");
	manifest_is_refused("{\"path\":\"a\",\"type\":\"folder\",\"mode\":\"0755\"},"
			    "{\"path\":\"a\",\"type\":\"folder\",\"mode\":\"0755\"}",
			    "lists 'a' twice");
}

Test(verify, an_interrupted_replacement_is_named_with_what_mends_it)
{
	project_must_build(&project);
	project_write(&project, "_build/rel/foo/.kvrel-replacing", "x");
	reports_are(".kvrel-replacing says that a build was interrupted while it replaced this bundle; any command of "
		    "the launcher, or building again, takes it back\n");
}

Test(verify, what_says_which_version_starts_counts_too)
{
	project_must_build(&project);
	cr_assert_eq(fs_replace(inside("releases/start.data"), SLICE("2.0.0 0.0.1\n"), 0644, NULL), 0);
	reports_are("releases/start.data was changed: it names another runtime than the manifest\n");
	cr_assert_eq(fs_replace(inside("releases/start.data"), SLICE("nonsense\n"), 0644, NULL), 0);
	reports_are("releases/start.data was changed: it names no version of this bundle\n");
	cr_assert_eq(unlink(inside("releases/start.data")), 0);
	reports_are("releases/start.data is missing\n");
}

Test(verify, a_missing_or_damaged_manifest_is_named)
{
	project_must_build(&project);
	cr_assert_eq(unlink(inside("releases/0.0.1/manifest.json")), 0);
	reports_are("releases/0.0.1/manifest.json is missing\n");
	project_write(&project, "_build/rel/foo/releases/0.0.1/manifest.json", "{\"format\": 1");
	cr_expect_eq(verify(project.root), -(int)ERROR_INTEGRITY);
	cr_expect(strstr(buf_string(&reports), "releases/0.0.1/manifest.json was changed: ") == buf_string(&reports));
}

Test(verify, a_cut_archive_is_refused)
{
	project_must_build(&project);
	const char *archive = project.result.artifacts[0];
	struct stat st;
	cr_assert_eq(stat(archive, &st), 0);
	for (int part = 1; part < 8; part++) {
		cr_assert_eq(truncate(archive, st.st_size * (8 - part) / 8), 0);
		refused(archive, "is damaged");
	}
}

/* Behind what tar takes for the end stands a checksum, or another archive. */
Test(verify, the_very_end_of_an_archive_counts)
{
	static const int levels[] = { 0, 3 };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		project.release.compression = levels[i];
		project.options.overwrite = true;
		project_must_build(&project);
		const char *archive = project.result.artifacts[0];
		SCOPE(buf_done) struct buf text = { 0 };
		cr_assert_eq(fs_read(archive, 64 << 20, &text, NULL), 0);
		cr_expect_eq(verify(archive), 0, "%s", project.err.message);
		struct slice cut = { text.data, text.size - 1 };
		cr_assert_eq(fs_replace(archive, cut, 0644, NULL), 0);
		refused(archive, "is damaged");
		struct slice once = { arena_copy(&project.arena, buf_slice(&text)), text.size };
		buf_append_slice(&text, once);
		cr_assert_eq(fs_replace(archive, buf_slice(&text), 0644, NULL), 0);
		refused(archive, "is in it twice");
	}
}

Test(verify, a_flipped_bit_is_noticed)
{
	project_must_build(&project);
	const char *archive = project.result.artifacts[0];
	struct stat st;
	cr_assert_eq(stat(archive, &st), 0);
	SCOPE_FD int fd = open(archive, O_RDWR | O_CLOEXEC);
	for (int i = 1; i < 12; i++) {
		unsigned char byte;
		off_t at = st.st_size / 12 * i;
		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1u << (i % 8);
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		cr_expect_lt(verify(archive), 0, "bit at %lld", (long long)at);
		byte ^= 1u << (i % 8);
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	cr_expect_eq(verify(archive), 0);
}

Test(verify, a_file_that_changes_between_assembling_and_packing_is_noticed)
{
	project.steps[1] = (struct spec_step){ .kind = STEP_RUN, .command = "echo x >> \"$RELEASE_ROOT/bin/foo\"" };
	project.steps[2] = (struct spec_step){ .kind = STEP_TAR };
	project.release.step_count = 3;
	cr_assert_eq(project_build(&project), -(int)ERROR_INTEGRITY, "%s", project.err.message);
	cr_expect(strstr(project.err.message, "overlays") != NULL);
	cr_expect(!fs_exists(project_file(&project, "_build/foo-0.0.1.tar.zst")));
}

Test(verify, archives_of_two_places_are_identical)
{
	struct project other;
	char one[DIGEST_HEX_BYTES], two[DIGEST_HEX_BYTES];
	project_must_build(&project);
	mode_t before = umask(077);
	project_setup(&other);
	other.steps[1] = (struct spec_step){ .kind = STEP_TAR };
	other.release.step_count = 2;
	project_must_build(&other);
	umask(before);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(digest_file(project.result.artifacts[i], one, NULL, NULL), 0);
		cr_assert_eq(digest_file(other.result.artifacts[i], two, NULL, NULL), 0);
		cr_expect_str_eq(one, two, "%s", project.result.artifacts[i]);
	}
	project_teardown(&other);
}

Test(verify, inspect_says_what_a_machine_must_have)
{
	struct value *folder, *archive;
	project_must_build(&project);
	cr_assert_eq(bundle_inspect(&project.arena, project.root, &folder, &project.err), 0, "%s", project.err.message);
	cr_expect_eq(value_path(folder, "components")->list.count, 2);
	cr_expect(strncmp(value_text(value_path(folder, "portability.libc"), ""), "glibc 2.", 8) == 0);
	cr_expect(value_text(value_path(folder, "portability.oldest_kernel"), NULL) != NULL);
	cr_assert_eq(bundle_inspect(&project.arena, project.result.artifacts[0], &archive, &project.err), 0);
	cr_expect(value_equal(folder, archive));
}

Test(verify, diff_names_what_changed)
{
	struct value *diff;
	project_must_build(&project);
	struct project other;
	project_setup(&other);
	other.release.version = "0.0.2";
	other.components[0].version = "0.2.0";
	other.release.member_count = 1;
	project_must_build(&other);
	cr_assert_eq(bundle_diff(&project.arena, project.root, other.root, &diff, &project.err), 0, "%s",
		     project.err.message);
	const struct value *components = value_get(diff, "components");
	cr_assert_eq(components->list.count, 2);
	cr_expect_str_eq(value_text(value_get(components->list.items[0], "what"), ""), "changed");
	cr_expect_str_eq(value_text(value_get(components->list.items[1], "what"), ""), "removed");
	cr_expect(value_get(diff, "files")->list.count > 4);
	project_teardown(&other);
}

Test(verify, gzip_serves_hosts_without_zstd)
{
	project.release.compression = 0;
	project_must_build(&project);
	cr_assert_eq(project.result.artifact_count, 2);
	cr_expect(strstr(project.result.artifacts[0], "foo-0.0.1.tar.gz") != NULL);
	cr_expect_eq(verify(project.result.artifacts[0]), 0, "%s", project.err.message);
}
