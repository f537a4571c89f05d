/* SPDX-License-Identifier: MIT */
/* A project that compiles, is tested and runs in its own release, to be changed into something useful. */
#include "cli/cli.h"
#include "cli/locate.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/term.h"
#include "base/text.h"
#include "script/template.h"

#include <dirent.h>
#include <errno.h>

enum { TEMPLATE_BYTES_MAX = 1 << 20 };

/* NAME in a target stands for the project's name. A file that is not rendered has tags for a later reader. */
static const struct {
	const char *template, *target;
	bool rendered;
} files[] = {
	{ "new/CMakeLists.txt", "CMakeLists.txt", true },
	{ "new/CMakePresets.json", "CMakePresets.json", false },
	{ "new/releases.yaml", "releases.yaml", true },
	{ "new/README.md", "README.md", true },
	{ "new/gitignore", ".gitignore", false },
	{ "new/component.yaml", "core/NAME/component.yaml", true },
	{ "new/component.c", "core/NAME/NAME.c", true },
	{ "new/greeting.h", "core/NAME/greeting.h", false },
	{ "new/greeting.c", "core/NAME/greeting.c", false },
	{ "new/test_greeting.c", "tests/test_greeting.c", false },
	{ "vm.args", "rel/vm.args", false },
	{ "remote.vm.args", "rel/remote.vm.args", false },
	{ "env.sh", "rel/env.sh", false },
	{ "runtime.lua", "rel/runtime.lua", false },
};

/* CMake keeps these names of targets for itself. */
static const char *const reserved[] = { "all",           "clean",   "codegen",      "edit_cache",
					"help",          "install", "package",      "package_source",
					"rebuild_cache", "test",    "test_greeting" };

static int check_name(const char *name, struct error *err)
{
	if (!text_is_name(slice_of(name)))
		return error_set(
			err, ERROR_USAGE,
			"invalid name '%s': at most 64 of a-z, 0-9 and '_' are allowed, beginning with a letter", name);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return error_set(err, ERROR_USAGE, "the name '%s' is one that CMake keeps for itself", name);
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* An empty folder is as good as none: people make one, and clone one. */
static int check_folder(const char *path, const char *shown, struct error *err)
{
	SCOPE(close_dir) DIR *dir = opendir(path);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return error_system(err, errno, "cannot use the folder '%s'", shown);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, ".git") != 0)
			return error_set(
				err, ERROR_EXISTS,
				"the folder '%s' exists and is not empty; choose another name or empty it first",
				shown);
	return 0;
}

/* "core/NAME/NAME.c" → "core/hello/hello.c" */
static const char *target_of(struct arena *arena, const char *pattern, const char *name)
{
	struct buf path = { 0 };
	for (const char *rest = pattern; *rest;) {
		bool here = strncmp(rest, "NAME", 4) == 0;
		if (here)
			buf_append_string(&path, name);
		else
			buf_append_char(&path, *rest);
		rest += here ? 4 : 1;
	}
	const char *target = arena_string(arena, buf_string(&path));
	buf_done(&path);
	return target;
}

struct job {
	struct cli *cli;
	const char *name, *dir, *templates;
	struct value *assigns, *written;
};

static int write_file(const struct job *job, size_t i, const char *target, struct error *err)
{
	struct arena *arena = &job->cli->arena;
	SCOPE(buf_done) struct buf text = { 0 };
	SCOPE(buf_done) struct buf rendered = { 0 };
	const char *path = path_join(arena, job->dir, target);
	int result = fs_read(path_join(arena, job->templates, files[i].template), TEMPLATE_BYTES_MAX, &text, err);
	if (result == 0 && files[i].rendered)
		result = template_render(buf_slice(&text), files[i].template, job->assigns, &rendered, err);
	if (result == 0)
		result = fs_make_dirs(path_dir(arena, path), 0755, err);
	if (result == 0)
		result = fs_replace(path, files[i].rendered ? buf_slice(&rendered) : buf_slice(&text), 0644, err);
	return result;
}

static int write_files(const struct job *job, struct error *err)
{
	struct cli *cli = job->cli;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *target = target_of(&cli->arena, files[i].target, job->name);
		int result = write_file(job, i, target, err);
		if (result != 0)
			return result;
		const char *shown = cli_shown(cli, path_join(&cli->arena, job->dir, target));
		value_list_add(&cli->arena, job->written, value_string(&cli->arena, slice_of(shown)));
		if (!cli->options.quiet && !cli->options.json)
			printf("%s*%s creating %s\n", term_green(stdout), term_reset(stdout), shown);
	}
	return 0;
}

static struct value *make_assigns(struct cli *cli, const char *name)
{
	struct value *assigns = value_map(&cli->arena), *project = value_map(&cli->arena);
	cli_set_text(cli, project, "name", name);
	cli_set(cli, assigns, "project", project);
	return assigns;
}

static void print_next_steps(struct cli *cli, const char *dir, const char *name)
{
	const char *shown = cli_shown(cli, dir);
	printf("\nProject created at %s\n\n", cli_printable(cli, shown));
	printf("    cd %s\n    kvrel build\n    _build/rel/%s/bin/%s start\n\n", cli_word(cli, shown), name, name);
	printf("README.md there says what each file is.\n");
}

int cmd_new(struct cli *cli)
{
	struct error err;
	const char *dir = path_absolute(&cli->arena, cli->cwd, cli->arguments[0]);
	struct job job = {
		.cli = cli,
		.dir = dir,
		.name = path_base(dir),
		.written = value_list(&cli->arena),
	};
	job.assigns = make_assigns(cli, job.name);
	int result = check_name(job.name, &err);
	if (result == 0)
		result = check_folder(dir, cli->arguments[0], &err);
	if (result == 0)
		result = locate_templates(&cli->arena, &job.templates, &err);
	if (result == 0)
		result = write_files(&job, &err);
	if (result != 0)
		return cli_fail(cli, &err);
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_set_text(cli, document, "path", dir);
		cli_set(cli, document, "files", job.written);
		cli_json(document);
	} else if (!cli->options.quiet) {
		print_next_steps(cli, dir, job.name);
	}
	return 0;
}
