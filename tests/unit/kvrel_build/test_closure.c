/* SPDX-License-Identifier: MIT */
/* The search for libraries, on files that make-elf-files built for it. */
#include "closure/closure.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct closure found;
static struct error err;

static void teardown(void)
{
	arena_done(&arena);
}
TestSuite(closure, .fini = teardown);

static const char *file(const char *name)
{
	return arena_printf(&arena, "%s/%s", ELF_FILES, name);
}

static int find_with(const char *name, const char **libraries, size_t count, const struct closure_options *options)
{
	const struct closure_root root = {
		.path = file(name), .shown = "component 'x'", .libraries = libraries, .library_count = count
	};
	return closure_find(&arena, &root, 1, options, &found, &err);
}

static int find(const char *name)
{
	return find_with(name, NULL, 0, NULL);
}

static const char *path_of(const char *name)
{
	for (size_t i = 0; i < found.library_count; i++)
		if (strcmp(found.libraries[i].name, name) == 0)
			return found.libraries[i].path;
	return NULL;
}

static bool ends(const char *text, const char *suffix)
{
	return text && slice_ends(slice_of(text), slice_of(suffix));
}

static void fails_with(int status, enum error_code code, const char *const *words, size_t count)
{
	cr_assert_eq(status, -(int)code, "status %d: %s", status, err.message);
	for (size_t i = 0; i < count; i++)
		cr_expect(strstr(err.message, words[i]), "'%s' lacks '%s'", err.message, words[i]);
}
#define FAILS(status, code, ...) \
	fails_with(status, code, (const char *const[]){ __VA_ARGS__ }, \
		   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

Test(closure, rpath_of_a_program_serves_the_libraries_it_loads)
{
	cr_assert_eq(find("by_rpath"), 0, "%s", err.message);
	cr_expect(ends(path_of("libmid.so.1"), "private/libmid.so.1"));
	cr_expect(ends(path_of("libdeep.so.1"), "private/libdeep.so.1"));
}

static int find_components(const char *first, const char *second)
{
	const struct closure_root roots[] = {
		{ .path = file("plain_program"), .shown = "the runtime" },
		{ .path = file(first), .shown = "component 'a'", .component = true },
		{ .path = file(second), .shown = "component 'b'", .component = true },
	};
	return closure_find(&arena, roots, ARRAY_LEN(roots), NULL, &found, &err);
}

Test(closure, a_component_is_a_shared_library)
{
	FAILS(find_components("plain_program", "first.so"), ERROR_INVALID, "component 'a'", "is a program");
	FAILS(find_components("first.so", "object.o"), ERROR_INVALID, "component 'b'", "is an object file",
	      "link it with -shared");
}

Test(closure, a_search_path_may_not_climb_out_of_the_bundle)
{
	FAILS(find("climbs"), ERROR_INVALID, "component 'x'", "RUNPATH entry '$ORIGIN/../../../elsewhere'",
	      "leads out of the bundle");
	cr_expect_eq(find("climbs_not"), 0, "%s", err.message);
}

Test(closure, a_component_may_use_the_library_of_one_that_is_opened_before_it)
{
	cr_expect_eq(find_components("first.so", "uses_first.so"), 0, "%s", err.message);
	cr_expect_null(path_of("first.so"));
	FAILS(find_components("uses_first.so", "first.so"), ERROR_INVALID, "component 'a' needs 'first.so'",
	      "opened later", "add it to the dependencies of component 'a'");
	FAILS(find_components("nameless.so", "uses_nameless.so"), ERROR_INVALID, "component 'b' needs 'nameless.so'",
	      "no soname", "-Wl,-soname,nameless.so");
}

Test(closure, runpath_serves_only_the_object_that_says_it)
{
	FAILS(find("by_runpath"), ERROR_INVALID, "'libmid.so.1' needs 'libdeep.so.1'", "was not found", "ld.so.cache");
}

Test(closure, what_the_loader_would_not_find_is_taken_from_beside_the_root)
{
	cr_assert_eq(find("lonely"), 0, "%s", err.message);
	cr_expect(ends(path_of("libnear.so.1"), "/libnear.so.1"));
}

Test(closure, the_c_library_comes_whole_with_loader_and_libgcc)
{
	static const char *const set[] = { "libc.so.6",  "libm.so.6",      "libpthread.so.0", "libdl.so.2",
					   "librt.so.1", "libresolv.so.2", "libgcc_s.so.1" };
	cr_assert_eq(find("plain_program"), 0, "%s", err.message);
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		cr_expect(path_of(set[i]), "%s", set[i]);
	cr_assert(found.loader);
	cr_expect(path_of(found.loader));
}

Test(closure, each_library_is_listed_once_and_in_order)
{
	cr_assert_eq(find("by_rpath"), 0, "%s", err.message);
	for (size_t i = 1; i < found.library_count; i++)
		cr_expect(strcmp(found.libraries[i - 1].name, found.libraries[i].name) < 0);
}

Test(closure, absolute_search_paths_are_refused)
{
	FAILS(find("absolute"), ERROR_INVALID, "component 'x'", "RUNPATH", "/opt/elsewhere", "$ORIGIN");
	FAILS(find("absolute_rpath"), ERROR_INVALID, "component 'x'", "RPATH", "/opt/elsewhere");
}

Test(closure, one_name_for_two_files_is_a_conflict_that_names_both_requesters)
{
	FAILS(find("conflict"), ERROR_INVALID, "libdeep.so.1", "private/libdeep.so.1", "other/libdeep.so.1",
	      "'libone.so.1'", "'libtwo.so.1'");
}

Test(closure, a_second_name_of_a_file_becomes_an_alias)
{
	cr_assert_eq(find("alias"), 0, "%s", err.message);
	cr_assert_eq(found.alias_count, 1);
	cr_expect_str_eq(found.aliases[0].name, "libplain2.so");
	cr_expect_str_eq(found.aliases[0].target, "libplain.so");
	cr_expect(path_of("libplain.so"));
	cr_expect(!path_of("libplain2.so"));
}

Test(closure, files_for_another_machine_are_passed_over)
{
	cr_assert_eq(find("past_wrong"), 0, "%s", err.message);
	cr_expect(ends(path_of("libdeep.so.1"), "private/libdeep.so.1"));
	FAILS(find("only_wrong"), ERROR_INVALID, "needs 'libdeep.so.1'", "wrong/libdeep.so.1", "aarch64");
}

Test(closure, a_root_for_another_machine_is_an_error)
{
	const struct closure_root roots[] = { { .path = file("plain_program"), .shown = "the runtime" },
					      { .path = file("wrong/libdeep.so.1"), .shown = "component 'x'" } };
	FAILS(closure_find(&arena, roots, 2, NULL, &found, &err), ERROR_INVALID, "component 'x'", "aarch64");
}

Test(closure, audit_modules_are_refused)
{
	FAILS(find("audit"), ERROR_INVALID, "audit");
}

Test(closure, a_recommended_dlopen_takes_the_first_name_that_exists)
{
	cr_assert_eq(find("recommends.so"), 0, "%s", err.message);
	cr_expect(path_of("libdeep.so.1"));
	cr_expect_eq(found.absent_count, 0);
}

Test(closure, a_recommended_dlopen_that_nobody_has_is_reported)
{
	cr_assert_eq(find("misses.so"), 0, "%s", err.message);
	cr_assert_eq(found.absent_count, 1);
	cr_expect(strstr(found.absent[0], "libgone.so.9"));
}

Test(closure, a_required_dlopen_that_nobody_has_is_an_error)
{
	FAILS(find("requires.so"), ERROR_INVALID, "component 'x' needs 'libgone.so.9'");
}

Test(closure, a_suggested_dlopen_is_left_out)
{
	cr_assert_eq(find("suggests.so"), 0, "%s", err.message);
	cr_expect_eq(found.absent_count, 0);
}

Test(closure, libraries_named_by_a_component_are_found_and_followed)
{
	const char *names[] = { "libmid.so.1" };
	int status = find_with("component.so", names, 1, NULL);
	FAILS(status, ERROR_INVALID, "'libmid.so.1' needs 'libdeep.so.1'"); /* no RPATH leads there */
	const char *deep[] = { "libdeep.so.1" };
	cr_assert_eq(find_with("component.so", deep, 1, NULL), 0, "%s", err.message);
	cr_expect(path_of("libdeep.so.1"));
	const char *gone[] = { "libgone.so.9" };
	FAILS(find_with("component.so", gone, 1, NULL), ERROR_INVALID, "component 'x' needs 'libgone.so.9'");
}

Test(closure, default_folders_are_searched_without_a_cache)
{
	const char *const folders[] = { file("empty"), file("private"), NULL };
	const struct closure_options options = { .cache = file("no-cache"),
						 .directories = folders,
						 .without_glibc_set = true };
	const char *names[] = { "libdeep.so.1" }, *gone[] = { "libgone.so.9" };
	cr_assert_eq(find_with("private/libplain.so", names, 1, &options), 0, "%s", err.message);
	cr_expect(ends(path_of("libdeep.so.1"), "private/libdeep.so.1"));
	FAILS(find_with("private/libplain.so", gone, 1, &options), ERROR_INVALID, "needs 'libgone.so.9'", "empty, ",
	      "private)");
}

Test(closure, what_is_no_elf_file_is_an_error)
{
	FAILS(find("script"), ERROR_INVALID, "component 'x'", "is no ELF file");
	FAILS(find("no-such-file"), ERROR_NOT_FOUND, "no-such-file");
	cr_expect_lt(find("truncated"), 0);
}

Test(closure, no_prefix_of_a_file_is_more_than_an_error)
{
	struct elf_info *elf;
	char *copy = arena_printf(&arena, "%s/cut.%d", ELF_FILES, (int)getpid());
	FILE *in = fopen(file("recommends.so"), "rb");
	static char bytes[1 << 16];
	size_t size = fread(bytes, 1, sizeof(bytes), in);
	fclose(in);
	for (size_t length = 0; length < size; length += 61) {
		FILE *out = fopen(copy, "wb");
		cr_assert(out && fwrite(bytes, 1, length, out) == length && fclose(out) == 0);
		(void)elf_inspect(&arena, copy, &elf, &err);
	}
	for (size_t at = 0; at < 4096 && at < size; at++) {
		bytes[at] ^= 0x81;
		FILE *out = fopen(copy, "wb");
		cr_assert(out && fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
		(void)elf_inspect(&arena, copy, &elf, &err);
		bytes[at] ^= 0x81;
	}
	unlink(copy);
}
