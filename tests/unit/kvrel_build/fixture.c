/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "build/digest.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

const char *project_file(struct project *project, const char *name)
{
	return path_join(&project->arena, project->dir, name);
}

void project_write(struct project *project, const char *name, const char *text)
{
	const char *path = project_file(project, name);
	cr_assert_eq(fs_make_dirs(path_dir(&project->arena, path), 0755, &project->err), 0, "%s", project->err.message);
	cr_assert_eq(fs_replace(path, slice_of(text), 0644, &project->err), 0, "%s", project->err.message);
}

static void say(void *context, const char *format, ...)
{
	struct project *project = context;
	va_list args;
	va_start(args, format);
	buf_vprintf(&project->said, format, args);
	buf_append_char(&project->said, '\n');
	va_end(args);
}

static void add_component(struct project *project, size_t at, const char *name)
{
	struct spec_component *component = &project->components[at];
	const char *yaml = arena_printf(&project->arena, "core/%s/component.yaml", name);
	project_write(project, yaml, arena_printf(&project->arena, "name: %s\nversion: \"0.1.0\"\n", name));
	const char *library =
		project_file(project, arena_printf(&project->arena, "_build/release/components/%s/%s.so", name, name));
	cr_assert_eq(fs_make_dirs(path_dir(&project->arena, library), 0755, NULL), 0);
	cr_assert_eq(fs_copy_file(ELF_FILES "/stand_in.so", library, 0755, NULL), 0);
	component->name = name;
	component->version = "0.1.0";
	component->dir = path_dir(&project->arena, project_file(project, yaml));
	component->file = project_file(project, yaml);
	component->library = library;
	project->members[at] = (struct spec_member){ component, MODE_PERMANENT, true };
}

void project_setup(struct project *project)
{
	char folder[] = "/tmp/kvrel-test-XXXXXX";
	*project = (struct project){ 0 };
	cr_assert(mkdtemp(folder));
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	project->dir = arena_string(&project->arena, folder);
	project->root = project_file(project, "_build/rel/foo");
	add_component(project, 0, "alpha");
	add_component(project, 1, "beta");
	project_write(project, "builtin/vm.args", "# flags of <%= release.name %>\n");
	project_write(project, "builtin/remote.vm.args", "# remote\n");
	project_write(project, "builtin/env.sh", "# env\n");
	project_write(project, "rel/runtime.lua", "config('alpha', {})\n");
	project_write(project, "LICENSE", "terms\n");
	project->steps[0] = (struct spec_step){ .kind = STEP_ASSEMBLE };
	project->release = (struct spec_release){ .name = "foo",
						  .version = "0.0.1",
						  .members = project->members,
						  .member_count = 2,
						  .include_runtime = true,
						  .edit_loader = true,
						  .strip = true,
						  .compression = 3,
						  .steps = project->steps,
						  .step_count = 1,
						  .templates = project_file(project, "rel"),
						  .runtime_config = project_file(project, "rel/runtime.lua"),
						  .runtime_config_shown = "rel/runtime.lua",
						  .path = project->root,
						  .unix_executables = true };
	project->spec = (struct spec){ .project_dir = project->dir,
				       .components = project->components,
				       .component_count = 2,
				       .releases = &project->release,
				       .release_count = 1 };
	project->tool =
		(struct tool_paths){ .templates = project_file(project, "builtin"), .runtime = ELF_FILES "/runtime" };
	project->options = (struct build_options){ .tool = &project->tool, .progress = say, .context = project };
}

void project_teardown(struct project *project)
{
	(void)fs_remove_tree(project->dir, NULL);
	buf_done(&project->said);
	arena_done(&project->arena);
}

int project_build(struct project *project)
{
	buf_clear(&project->said);
	project->err = (struct error){ 0 };
	return build_release(&project->arena, &project->spec, &project->release, &project->options, &project->result,
			     &project->step_status, &project->err);
}

void project_must_build(struct project *project)
{
	cr_assert_eq(project_build(project), 0, "%s", project->err.message);
}

void project_must_fail(struct project *project, enum error_code code, const char *words)
{
	int status = project_build(project);
	cr_assert_eq(status, -(int)code, "status %d: %s", status, project->err.message);
	cr_expect(strstr(project->err.message, words) != NULL, "'%s' lacks '%s'", project->err.message, words);
}

bool bundle_has(struct project *project, const char *path)
{
	struct stat st;
	return lstat(path_join(&project->arena, project->root, path), &st) == 0;
}

const char *bundle_text(struct project *project, const char *path)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *file = path_join(&project->arena, project->root, path);
	cr_assert_eq(fs_read(file, 1 << 20, &text, &project->err), 0, "%s", project->err.message);
	return arena_string(&project->arena, buf_string(&text));
}

struct listing {
	struct arena *arena;
	const char *root;
	struct buf text;
};

static int list(void *context, const char *relative, const struct stat *st, struct error *err)
{
	struct listing *listing = context;
	const char *path = path_join(listing->arena, listing->root, relative);
	char digest[DIGEST_HEX_BYTES] = "-";
	(void)err;
	if (S_ISREG(st->st_mode))
		cr_assert_eq(digest_file(path, digest, NULL, NULL), 0);
	buf_printf(&listing->text, "%s %o %lld %lld %s", relative, (unsigned)st->st_mode, (long long)st->st_mtime,
		   S_ISREG(st->st_mode) ? (long long)st->st_size : 0, digest);
	if (S_ISLNK(st->st_mode))
		cr_assert_eq(fs_read_link(path, &listing->text, NULL), 0);
	buf_append_char(&listing->text, '\n');
	return 0;
}

const char *tree_text(struct arena *arena, const char *root)
{
	struct listing listing = { .arena = arena, .root = root };
	cr_assert_eq(fs_walk(root, list, &listing, NULL), 0);
	const char *text = arena_string(arena, buf_string(&listing.text));
	buf_done(&listing.text);
	return text;
}
