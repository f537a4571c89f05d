/* SPDX-License-Identifier: MIT */
/* From release to bundle: layout, replacing, side by side, and what must not happen to what is there. */
#include "fixture.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(build, .init = setup, .fini = teardown);

static void fails(enum error_code code, const char *words)
{
	project_must_fail(&project, code, words);
}

static bool has(const char *path)
{
	return bundle_has(&project, path);
}

Test(build, a_bundle_has_the_layout_of_the_contract)
{
	static const char *const paths[] = { "bin/foo",
					     "lib/alpha-0.1.0/component.yaml",
					     "lib/alpha-0.1.0/alpha.so",
					     "lib/beta-0.1.0/beta.so",
					     "runtime-1.0.0/bin/kvnode",
					     "runtime-1.0.0/lib/libkvnode.so",
					     "runtime-1.0.0/lib/libkvopened.so",
					     "runtime-1.0.0/lib/libdeep.so.1",
					     "runtime-1.0.0/lib/libc.so.6",
					     "runtime-1.0.0/lib/libgcc_s.so.1",
					     "runtime-1.0.0/lib/ld/kvnode",
					     "share/licenses/alpha/copyright",
					     "releases/start.data",
					     "releases/0.0.1/start.data",
					     "releases/0.0.1/vm.args",
					     "releases/0.0.1/remote.vm.args",
					     "releases/0.0.1/env.sh",
					     "releases/0.0.1/sys.yaml",
					     "releases/0.0.1/runtime.lua",
					     "releases/0.0.1/manifest.json" };
	project_must_build(&project);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		cr_expect(has(paths[i]), "%s is missing", paths[i]);
	cr_expect_str_eq(bundle_text(&project, "releases/start.data"), "1.0.0 0.0.1\n");
	cr_expect_str_eq(bundle_text(&project, "releases/0.0.1/vm.args"), "# flags of foo\n");
	cr_expect_str_eq(bundle_text(&project, "releases/0.0.1/start.data"), "1.0.0 0.0.1\n");
	cr_expect(!has("releases/COOKIE"));
	cr_expect(!has("runtime-1.0.0/lib/notes.txt"));
	cr_expect_str_eq(buf_string(&project.said),
			 "* assembling foo-0.0.1\n* using rel/runtime.lua to configure the release at runtime\n");
}

static int check_entry(void *context, const char *relative, const struct stat *st, struct error *err)
{
	(void)context;
	(void)err;
	mode_t mode = st->st_mode & 07777;
	if (!S_ISLNK(st->st_mode))
		cr_expect(mode == 0755 || mode == 0644, "%s has mode %o", relative, mode);
	cr_expect_eq(st->st_mtime, 1700000000, "%s", relative);
	return 0;
}

Test(build, modes_and_times_do_not_depend_on_the_umask_or_the_hour)
{
	umask(077);
	project_must_build(&project);
	cr_assert_eq(fs_walk(project.root, check_entry, NULL, NULL), 0);
	struct stat st;
	cr_assert_eq(stat(project.root, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);
	cr_expect_eq(st.st_mtime, 1700000000);
}

Test(build, two_builds_in_two_folders_are_identical)
{
	struct project other;
	project_must_build(&project);
	const char *one = tree_text(&project.arena, project.root);
	mode_t before = umask(027);
	project_setup(&other);
	project_must_build(&other);
	umask(before);
	cr_expect_str_eq(one, tree_text(&other.arena, other.root));
	project_teardown(&other);
}

static int check_no_path(void *context, const char *relative, const struct stat *st, struct error *err)
{
	struct buf text = { 0 };
	(void)context;
	(void)err;
	if (!S_ISREG(st->st_mode))
		return 0;
	cr_assert_eq(fs_read(path_join(&project.arena, project.root, relative), 64 << 20, &text, NULL), 0);
	cr_expect(!text.size || !memmem(text.data, text.size, project.dir, strlen(project.dir)),
		  "%s names the project's folder", relative);
	cr_expect(!text.size || !memmem(text.data, text.size, ELF_FILES, strlen(ELF_FILES)),
		  "%s names the folder of the compiler's output", relative);
	buf_done(&text);
	return 0;
}

Test(build, nothing_inside_names_the_folders_of_the_build)
{
	project_must_build(&project);
	cr_assert_eq(fs_walk(project.root, check_no_path, NULL, NULL), 0);
}

Test(build, the_same_version_is_replaced_only_on_request)
{
	project_must_build(&project);
	fails(ERROR_EXISTS, "--overwrite");
	project.release.name = "bar";
	fails(ERROR_EXISTS, "release foo-0.0.1 exists already");
	project.release.name = "foo";
	project.options.overwrite = true;
	project_must_build(&project);
}

static bool answer;
static bool ask(void *context, const char *question)
{
	(void)context;
	return strstr(question, "foo-0.0.1") && answer;
}

Test(build, the_answer_to_the_question_counts)
{
	project_must_build(&project);
	project.options.ask = ask;
	fails(ERROR_EXISTS, "left as it was");
	answer = true;
	project_must_build(&project);
}

Test(build, an_unchanged_release_writes_nothing)
{
	struct stat before, after;
	project_must_build(&project);
	cr_expect(!project.result.unchanged);
	cr_assert_eq(stat(project.root, &before), 0);
	project.options.overwrite = true;
	project_must_build(&project);
	cr_assert_eq(stat(project.root, &after), 0);
	cr_expect(project.result.unchanged);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_eq(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

Test(build, a_file_touched_in_the_bundle_is_put_right)
{
	project_must_build(&project);
	const char *file = path_join(&project.arena, project.root, "releases/0.0.1/vm.args");
	const char *library = path_join(&project.arena, project.root, "lib/alpha-0.1.0/alpha.so");
	cr_assert_eq(fs_replace(file, SLICE("# flags of bar\n"), 0644, NULL), 0);
	cr_assert_eq(chmod(library, 0600), 0);
	project.options.overwrite = true;
	project_must_build(&project);
	cr_expect(!project.result.unchanged);
	cr_expect_str_eq(bundle_text(&project, "releases/0.0.1/vm.args"), "# flags of foo\n");
	struct stat st;
	cr_expect(stat(library, &st) == 0 && (st.st_mode & 07777) == 0644);
}

Test(build, what_the_node_and_others_put_there_stays)
{
	project_must_build(&project);
	project_write(&project, "_build/rel/foo/data/store", "precious");
	project_write(&project, "_build/rel/foo/releases/0.0.1/mine", "too");
	struct stat before, after;
	const char *store = path_join(&project.arena, project.root, "data/store");
	cr_assert_eq(stat(store, &before), 0);
	project_write(&project, "builtin/vm.args", "# changed\n");
	project.options.overwrite = true;
	project_must_build(&project);
	cr_assert_eq(stat(store, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_str_eq(bundle_text(&project, "data/store"), "precious");
	cr_expect_str_eq(bundle_text(&project, "releases/0.0.1/mine"), "too");
	cr_expect_str_eq(bundle_text(&project, "releases/0.0.1/vm.args"), "# changed\n");
	project_must_build(&project);
	cr_expect(project.result.unchanged);
}

Test(build, a_component_that_left_the_release_leaves_the_bundle)
{
	project_must_build(&project);
	project.options.overwrite = true;
	project.release.member_count = 1;
	project_must_build(&project);
	cr_expect(!has("lib/beta-0.1.0"));
	project.release.member_count = 2;
	project_must_build(&project);
	cr_expect(has("lib/beta-0.1.0/beta.so"));
	project_write(&project, "_build/rel/foo/data/store", "precious");
	project.release.member_count = 1;
	project_must_build(&project);
	cr_expect(!has("lib/beta-0.1.0"));
	cr_expect(!has("share/licenses/beta"));
	cr_expect(has("data/store"));
}

Test(build, another_version_stands_beside_the_first)
{
	project_must_build(&project);
	const char *first = tree_text(&project.arena, path_join(&project.arena, project.root, "releases/0.0.1"));
	project.release.version = "0.0.2";
	project.components[0].version = "0.2.0";
	project_must_build(&project);
	cr_expect(has("lib/alpha-0.1.0/alpha.so") && has("lib/alpha-0.2.0/alpha.so"));
	cr_expect_str_eq(first, tree_text(&project.arena, path_join(&project.arena, project.root, "releases/0.0.1")));
	cr_expect_str_eq(bundle_text(&project, "releases/start.data"), "1.0.0 0.0.2\n");
	/* and replacing the second leaves the first one's component alone */
	project.options.overwrite = true;
	project.components[0].version = "0.3.0";
	project_must_build(&project);
	cr_expect(has("lib/alpha-0.1.0/alpha.so") && !has("lib/alpha-0.2.0") && has("lib/alpha-0.3.0"));
}

Test(build, libraries_that_only_another_version_needs_stay)
{
	const char *deep[] = { "libdeep.so.1" };
	const char *beside =
		path_join(&project.arena, path_dir(&project.arena, project.components[1].library), "libdeep.so.1");
	cr_assert_eq(fs_copy_file(ELF_FILES "/private/libdeep.so.1", beside, 0644, NULL), 0);
	project.components[1].libraries = deep;
	project.components[1].library_count = 1;
	project_must_build(&project);
	cr_assert(has("runtime-1.0.0/lib/libdeep.so.1"));
	project.release.version = "0.0.2";
	project.release.member_count = 1;
	project_must_build(&project);
	cr_expect(has("runtime-1.0.0/lib/libdeep.so.1"));
	cr_expect(has("lib/beta-0.1.0/beta.so"));
}

Test(build, a_component_must_export_what_a_node_knows_it_by)
{
	static const char *const unknown[] = { "undefined.so", "hidden.so", "mangled.so" };
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		const char *file = arena_printf(&project.arena, "%s/%s", ELF_FILES, unknown[i]);
		cr_assert_eq(fs_copy_file(file, project.components[1].library, 0755, NULL), 0);
		cr_expect_lt(project_build(&project), 0, "%s", unknown[i]);
		cr_expect(strstr(project.err.message, "component 'beta'"), "%s", project.err.message);
		cr_expect(strstr(project.err.message, "exports no function 'kvrel_component'"), "%s",
			  project.err.message);
	}
	project.members[1].mode = MODE_NONE;
	project_must_build(&project);
}

Test(build, a_component_without_sections_is_left_to_the_node)
{
	project.release.strip = false;
	cr_assert_eq(fs_copy_file(ELF_FILES "/sectionless.so", project.components[1].library, 0755, NULL), 0);
	project_must_build(&project);
}

Test(build, a_failed_build_leaves_the_bundle_and_no_rubbish)
{
	project_must_build(&project);
	const char *before = tree_text(&project.arena, project.root);
	project.options.overwrite = true;
	project_write(&project, "builtin/vm.args", "<%= nonsense %>\n");
	cr_expect_lt(project_build(&project), 0);
	cr_expect_str_eq(before, tree_text(&project.arena, project.root));
	cr_expect(!strstr(tree_text(&project.arena, project_file(&project, "_build/rel")), "staging"));
}

Test(build, what_a_killed_build_left_is_removed)
{
	project_write(&project, "_build/rel/.foo.staging-1/rubbish", "x");
	project_must_build(&project);
	cr_expect(!fs_exists(project_file(&project, "_build/rel/.foo.staging-1")));
}

Test(build, a_killed_build_leaves_a_bundle_that_is_whole)
{
	project_must_build(&project);
	project.options.overwrite = true;
	const char *texts[] = { "# one\n", "# two\n" };
	for (int round = 0; round < 40; round++) {
		project_write(&project, "builtin/vm.args", texts[round % 2]);
		pid_t child = fork();
		if (child == 0)
			_exit(project_build(&project) < 0);
		usleep(700 * (useconds_t)round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		cr_assert(has("bin/foo") && has("runtime-1.0.0/bin/kvnode") && has("releases/0.0.1/sys.yaml"));
		cr_assert_str_eq(bundle_text(&project, "releases/start.data"), "1.0.0 0.0.1\n");
	}
	project_must_build(&project);
	cr_expect(!strstr(tree_text(&project.arena, project_file(&project, "_build/rel")), "staging"));
}

Test(build, a_cookie_is_for_its_owner_only)
{
	struct stat st;
	project.release.cookie = "secret";
	project_must_build(&project);
	cr_assert_eq(stat(path_join(&project.arena, project.root, "releases/COOKIE"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_str_eq(bundle_text(&project, "releases/COOKIE"), "secret");
	cr_expect(!strstr(bundle_text(&project, "releases/0.0.1/manifest.json"), "secret"));
}

Test(build, a_dry_run_shows_the_plan_and_writes_nothing)
{
	project.options.dry_run = project.options.verbose = true;
	project_must_build(&project);
	cr_expect(strstr(buf_string(&project.said), "lib/alpha-0.1.0/alpha.so") != NULL);
	cr_expect(strstr(buf_string(&project.said), "component 'alpha' of the release") != NULL);
	cr_expect(!fs_exists(project_file(&project, "_build/rel")));
	cr_expect(!fs_exists(project_file(&project, "_build/.cache")));
}

Test(build, own_files_lose_their_symbols_unless_told_otherwise)
{
	struct stat stripped, whole;
	const char *keep[] = { "beta" };
	project.release.strip_keep = keep;
	project.release.strip_keep_count = 1;
	project_must_build(&project);
	cr_assert_eq(stat(path_join(&project.arena, project.root, "lib/alpha-0.1.0/alpha.so"), &stripped), 0);
	cr_assert_eq(stat(path_join(&project.arena, project.root, "lib/beta-0.1.0/beta.so"), &whole), 0);
	cr_expect_lt(stripped.st_size, whole.st_size);
}

Test(build, the_loader_looks_nowhere_on_the_host)
{
	struct buf text = { 0 };
	const char *loader = path_join(&project.arena, project.root, "runtime-1.0.0/lib/ld/kvnode");
	project_must_build(&project);
	cr_assert_eq(fs_read(loader, 16 << 20, &text, NULL), 0);
	cr_expect(!memmem(text.data, text.size, "/etc/ld.so.preload", 18));
	cr_expect(!memmem(text.data, text.size, "/usr/lib/", 9));
	buf_done(&text);
	project.options.overwrite = true;
	project.release.edit_loader = false;
	project_must_build(&project);
	cr_assert_eq(fs_read(loader, 16 << 20, &text, NULL), 0);
	cr_expect(memmem(text.data, text.size, "/etc/ld.so.preload", 18) != NULL);
	buf_done(&text);
}

Test(build, steps_run_with_the_release_in_their_environment)
{
	project.steps[1] = (struct spec_step){ .kind = STEP_RUN,
					       .command = "echo $RELEASE_NAME $RELEASE_VSN > said; test -x "
							  "$RELEASE_ROOT/bin/foo" };
	project.release.step_count = 2;
	project_must_build(&project);
	struct buf text = { 0 };
	cr_assert_eq(fs_read(project_file(&project, "said"), 100, &text, NULL), 0);
	cr_expect_str_eq(buf_string(&text), "foo 0.0.1\n");
	buf_done(&text);
	project.options.overwrite = true;
	project.steps[1].command = "exit 7";
	fails(ERROR_FAILED, "exit code 7");
	cr_expect_eq(project.step_status, 7);
}

Test(build, a_source_date_that_is_no_number_is_refused)
{
	setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
	fails(ERROR_INVALID, "SOURCE_DATE_EPOCH");
}

Test(build, a_proof_builds_twice_and_leaves_one_bundle)
{
	project.options.prove = true;
	project_must_build(&project);
	cr_expect(strstr(buf_string(&project.said), "both builds are identical") != NULL);
	cr_expect(!strstr(tree_text(&project.arena, project_file(&project, "_build")), ".prove"));
}

Test(build, a_proof_names_what_differs)
{
	/* a template that asks for something that no two builds have in common */
	project.options.prove = true;
	project_write(&project, "builtin/vm.args", "<%= os.getenv('TZ') or 'none' %>\n");
	fails(ERROR_INTEGRITY, "two builds differ in the content of 'releases/0.0.1/");
}

Test(build, builds_at_the_same_time_wait_for_each_other)
{
	pid_t children[4];
	project.options.overwrite = true;
	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			project_write(&project, "builtin/vm.args", i % 2 ? "# odd\n" : "# even\n");
			_exit(project_build(&project) < 0);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		int status;
		cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	cr_expect_eq(bundle_verify(&project.arena, project.root, NULL, NULL, &project.err), 0, "%s",
		     project.err.message);
	cr_expect(!strstr(tree_text(&project.arena, project_file(&project, "_build/rel")), "staging"));
}
