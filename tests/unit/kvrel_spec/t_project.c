/* SPDX-License-Identifier: MIT */
#include "t_project.h"

#include "base/fs.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct arena t_arena;
struct spec *t_spec;
struct diagnostics t_diagnostics;
struct error t_err;
struct spec_options t_options;
static char dir[] = "/tmp/kvrel_spec.XXXXXX";

void t_begin(void)
{
	cr_assert_not_null(mkdtemp(dir));
	t_options = (struct spec_options){ .project_dir = dir };
}

void t_end(void)
{
	cr_expect_eq(fs_remove_tree(dir, NULL), 0);
	arena_done(&t_arena);
}

void t_file(const char *path, const char *text)
{
	const char *full = path_join(&t_arena, dir, path);
	cr_assert_eq(fs_make_dirs(path_dir(&t_arena, full), 0755, &t_err), 0, "%s", t_err.message);
	cr_assert_eq(fs_replace(full, slice_of(text), 0644, &t_err), 0, "%s", t_err.message);
}

void t_component(const char *name, const char *dependencies)
{
	t_file(arena_printf(&t_arena, "core/%s/component.yaml", name),
	       arena_printf(&t_arena, "name: %s\nversion: \"0.1.0\"\ndependencies: [%s]\n", name, dependencies));
}

int t_load(const char *releases)
{
	t_options.text = slice_of(releases);
	t_diagnostics = (struct diagnostics){ .arena = &t_arena };
	t_err = (struct error){ 0 };
	t_spec = NULL;
	return spec_load(&t_arena, &t_options, &t_diagnostics, &t_spec, &t_err);
}

static const char *mistakes(void)
{
	struct buf text = { 0 };
	char where[256];
	for (size_t i = 0; i < t_diagnostics.count; i++)
		buf_printf(&text, "%s: %s\n", origin_text(&t_diagnostics.items[i].origin, where, sizeof(where)),
			   t_diagnostics.items[i].message);
	const char *copy = arena_string(&t_arena, buf_string(&text));
	buf_done(&text);
	return copy;
}

void t_load_ok(const char *releases)
{
	int result = t_load(releases);
	cr_assert_eq(result, 0, "%s\n%s", t_err.message, mistakes());
	cr_assert_not_null(t_spec);
	cr_assert_eq(t_diagnostics.errors, 0);
	cr_assert_eq(t_err.message[0], '\0');
}

void t_expect(const char *releases, const char *expected)
{
	cr_assert_eq(t_load(releases), -ERROR_INVALID);
	cr_assert_null(t_spec);
	cr_assert_str_eq(mistakes(), expected, "came:\n%s", mistakes());
}

const char *t_members(const char *name)
{
	const struct spec_release *release = spec_release(t_spec, name);
	cr_assert_not_null(release);
	struct buf text = { 0 };
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_member *member = &release->members[i];
		buf_printf(&text, member->listed ? "%s%s=%s" : "%s(%s=%s)", i ? " " : "", member->component->name,
			   component_mode_name(member->mode));
	}
	const char *copy = arena_string(&t_arena, buf_string(&text));
	buf_done(&text);
	return copy;
}
