/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "build/check_lua.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/term.h"

#include <stdio.h>
#include <stdlib.h>

static bool has_spec(struct cli *cli, const char *dir)
{
	return fs_exists(path_join(&cli->arena, dir, SPEC_FILE));
}

/* The current folder or the nearest above it; NULL: none. */
static const char *find_upwards(struct cli *cli)
{
	for (const char *dir = cli->cwd;; dir = path_dir(&cli->arena, dir)) {
		if (has_spec(cli, dir))
			return dir;
		if (strcmp(dir, "/") == 0)
			return NULL;
	}
}

static int find_project(struct cli *cli, const char **out)
{
	struct error err;
	if (!cli->options.project) {
		*out = find_upwards(cli);
		if (*out)
			return 0;
		error_set(&err, ERROR_INVALID,
			  "no %s in this folder or above it; go to your project, name its folder with --project, or "
			  "begin "
			  "one with 'kvrel new NAME'",
			  SPEC_FILE);
		return cli_fail(cli, &err);
	}
	*out = path_absolute(&cli->arena, cli->cwd, cli->options.project);
	if (has_spec(cli, *out))
		return 0;
	error_set(&err, ERROR_INVALID, "no %s in '%s'", SPEC_FILE, cli->options.project);
	return cli_fail(cli, &err);
}

static const char *absolute(struct cli *cli, const char *path)
{
	return path ? path_absolute(&cli->arena, cli->cwd, path) : NULL;
}

const char *load_project_or_cwd(struct cli *cli)
{
	if (cli->options.project)
		return absolute(cli, cli->options.project);
	const char *project = find_upwards(cli);
	return project ? project : cli->cwd;
}

int load_find(struct cli *cli, struct loaded *out)
{
	const char *project;
	int code = find_project(cli, &project);
	if (code != 0)
		return code;
	if (strcmp(project, cli->cwd) != 0)
		cli->shown_project = cli_shown(cli, project);
	const char *build_dir = cli->options.build_dir ? cli->options.build_dir : getenv("KVREL_BUILD_DIR");
	*out = (struct loaded){
		.options = {
			.project_dir = project,
			.build_dir = build_dir && *build_dir ? absolute(cli, build_dir) : NULL,
			.version = cli->options.version,
			.path = absolute(cli, cli->options.path),
			.sets = cli->options.sets,
			.set_count = cli->options.set_count,
		},
		.diagnostics = { .arena = &cli->arena },
	};
	return 0;
}

int load_spec(struct cli *cli, struct loaded *loaded)
{
	struct error err;
	if (spec_load(&cli->arena, &loaded->options, &loaded->diagnostics, &loaded->spec, &err) == 0)
		return 0;
	return loaded->diagnostics.errors ? cli_mistakes(cli, &loaded->diagnostics) : cli_fail(cli, &err);
}

int load_none_declared(struct cli *cli)
{
	struct error err;
	error_set(&err, ERROR_INVALID, "%s declares no releases; a release names the components it is made of",
		  SPEC_FILE);
	int code = cli_fail(cli, &err);
	fprintf(stderr, "\nFor example:\n\n"
			"    releases:\n"
			"      foo:\n"
			"        version: \"0.0.1\"\n"
			"        components: {kv_server: permanent, kv: permanent}\n"
			"      bar:\n"
			"        version: \"0.0.1\"\n"
			"        components: {kv: permanent}\n\n");
	return code;
}

static int unknown_release(struct cli *cli, const struct spec *spec, const char *name)
{
	const char **names = arena_array(&cli->arena, spec->release_count, sizeof(char *));
	struct buf list = { 0 };
	for (size_t i = 0; i < spec->release_count; i++) {
		names[i] = spec->releases[i].name;
		buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	const char *nearest = term_suggest(name, names, spec->release_count);
	const char *known = arena_string(&cli->arena, buf_string(&list));
	buf_done(&list);
	struct error err;
	error_set(&err, ERROR_INVALID, "unknown release '%s'%s; %s%s", name,
		  nearest ? arena_printf(&cli->arena, " (did you mean '%s'?)", nearest) : "",
		  spec->release_count ? "the releases are: " : SPEC_FILE " declares none", known);
	return cli_fail(cli, &err);
}

int load_named(struct cli *cli, const struct loaded *loaded, const struct spec_release ***out, size_t *count)
{
	size_t most = cli->argument_count ? cli->argument_count : loaded->spec->release_count, found = 0;
	const struct spec_release **releases = arena_array(&cli->arena, most, sizeof(*releases));
	for (size_t i = 0; !cli->argument_count && i < most; i++)
		releases[found++] = &loaded->spec->releases[i];
	for (size_t i = 0; i < cli->argument_count; i++) {
		const struct spec_release *release = spec_release(loaded->spec, cli->arguments[i]);
		if (!release)
			return unknown_release(cli, loaded->spec, cli->arguments[i]);
		for (size_t j = 0; j < found; j++)
			if (releases[j] == release)
				return cli_usage(cli, "release '%s' is named twice", release->name);
		releases[found++] = release;
	}
	*out = releases;
	*count = found;
	return 0;
}

int load_check_scripts(struct cli *cli, struct loaded *loaded, const struct spec_release **releases, size_t count)
{
	struct error err;
	if (check_lua(&cli->arena, loaded->spec, releases, count, &loaded->diagnostics, &err) < 0)
		return cli_fail(cli, &err);
	diagnostics_sort(&loaded->diagnostics);
	return loaded->diagnostics.errors ? cli_mistakes(cli, &loaded->diagnostics) : 0;
}

int load_require_libraries(struct cli *cli, struct loaded *loaded, const struct spec_release **releases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		spec_require_libraries(loaded->spec, releases[i], &loaded->diagnostics);
	return load_check_scripts(cli, loaded, releases, count);
}
