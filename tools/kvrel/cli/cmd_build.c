/* SPDX-License-Identifier: MIT */
/*
 * kvrel build: check, run the project's own `build:` command so that no bundle is made of stale libraries, read again
 * (the command may have made or changed component.yaml files and libraries), then hand each release to build_release().
 */
#include "build/build.h"
#include "build/plan.h"
#include "cli/load.h"
#include "cli/locate.h"
#include "cli/progress.h"

#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"
#include "base/term.h"

#include <stdlib.h>

/*
 * The project's `build:` command. Its output is no result of ours, so it goes to stderr; with --quiet only when it
 * failed.
 */
static int run_build_command(struct cli *cli, const struct spec *spec)
{
	if (!spec->build_command || cli->options.no_build || cli->options.dry_run)
		return 0;
	SCOPE(buf_done) struct buf said = { 0 };
	const char *argv[] = { "/bin/sh", "-c", spec->build_command, NULL };
	struct proc_options options = { .argv = argv, .cwd = spec->project_dir, .stdout_to_stderr = true };
	struct error err;
	int status;
	if (cli->options.quiet)
		options.out = &said;
	if (proc_run(&options, &status, &err) != 0) {
		error_wrap(&err, "cannot run the build command '%s'", spec->build_command);
		return cli_fail(cli, &err);
	}
	if (status == 0)
		return 0;
	fputs(buf_string(&said), stderr);
	error_set(&err, ERROR_FAILED,
		  "the build command '%s' ended with exit code %d; --no-build takes the libraries as they are",
		  spec->build_command, status);
	return cli_fail(cli, &err);
}

static int none_named(struct cli *cli, const struct spec *spec)
{
	struct buf names = { 0 };
	for (size_t i = 0; i < spec->release_count; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", spec->releases[i].name);
	int code = cli_usage(cli,
			     "no release is named, but there are several: %s; name one or more, give --all, or set "
			     "'default_release' in %s",
			     buf_string(&names), SPEC_FILE);
	buf_done(&names);
	return code;
}

static int select_unnamed(struct cli *cli, const struct spec *spec, const struct spec_release ***out, size_t *count)
{
	const struct spec_release **releases = arena_array(&cli->arena, spec->release_count, sizeof(*releases));
	if (spec->release_count == 0)
		return load_none_declared(cli);
	*out = releases;
	*count = cli->options.all ? spec->release_count : 1;
	if (!cli->options.all && !spec->default_release && spec->release_count > 1)
		return none_named(cli, spec);
	if (!cli->options.all && spec->default_release)
		releases[0] = spec_release(spec, spec->default_release);
	else
		for (size_t i = 0; i < *count; i++)
			releases[i] = &spec->releases[i];
	return 0;
}

static int select_releases(struct cli *cli, const struct loaded *loaded, const struct spec_release ***out,
			   size_t *count)
{
	if (cli->options.all && cli->argument_count)
		return cli_usage(cli, "--all and the name '%s' exclude each other", cli->arguments[0]);
	int code = cli->argument_count && loaded->spec->release_count ? load_named(cli, loaded, out, count)
								      : select_unnamed(cli, loaded->spec, out, count);
	if (code == 0 && cli->options.path && *count > 1)
		return cli_usage(cli, "--path is for one release, but %zu are to be built", *count);
	return code;
}

/* Reads twice where there is a command to run: what it makes is part of the project. */
static int load(struct cli *cli, struct loaded *loaded, const struct spec_release ***releases, size_t *count)
{
	int code = load_find(cli, loaded);
	if (code == 0)
		code = load_spec(cli, loaded);
	if (code == 0)
		code = select_releases(cli, loaded, releases, count);
	if (code == 0)
		code = run_build_command(cli, loaded->spec);
	if (code != 0)
		return code;
	if (loaded->spec->build_command && !cli->options.no_build) {
		loaded->diagnostics = (struct diagnostics){ 0 };
		code = load_spec(cli, loaded);
		if (code == 0)
			code = select_releases(cli, loaded, releases, count);
	}
	return code ? code : load_require_libraries(cli, loaded, *releases, *count);
}

/* Lines that begin with a star are news, which --quiet and --json do without; warnings belong to the conversation. */
static void __attribute__((format(printf, 2, 3))) say(void *context, const char *format, ...)
{
	struct cli *cli = context;
	char text[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strncmp(text, "* packing ", 10) == 0) {
		progress_say(text + 2); /* there is a line when it is packed */
		return;
	}
	bool news = strncmp(text, "* ", 2) == 0, warning = strncmp(text, "warning: ", 9) == 0;
	if (strncmp(text, "* running ", 10) == 0)
		progress_end(); /* the command writes to the terminal itself */
	else if (strncmp(text, "* assembling ", 13) == 0 || strncmp(text, "* building ", 11) == 0)
		progress_say(text + 2);
	progress_pause();
	if (warning)
		fprintf(stderr, "%swarning:%s %s\n", term_yellow(stderr), term_reset(stderr), text + 9);
	else if (cli->options.json || (news && cli->options.quiet))
		return;
	else if (news)
		printf("%s*%s %s\n", strncmp(text, "* skipping", 10) == 0 ? term_yellow(stdout) : term_green(stdout),
		       term_reset(stdout), text + 2);
	else
		printf("%s\n", text);
	fflush(stdout);
}

static bool ask(void *context, const char *question)
{
	(void)context;
	progress_end();
	fflush(stdout);
	return term_ask(question);
}

static const char *launcher_path(struct cli *cli, const struct spec_release *release)
{
	const char *launcher = arena_printf(&cli->arena, "bin/%s", release->name);
	return cli_word(cli, cli_shown(cli, path_join(&cli->arena, release->path, launcher)));
}

static void print_next_steps(struct cli *cli, const struct spec_release *release)
{
	const char *program = launcher_path(cli, release);
	printf("\nRelease created at %s\n\n", cli_printable(cli, cli_shown(cli, release->path)));
	if (!release->unix_executables)
		return;
	printf("    # To start your system\n    %s start\n\n", program);
	printf("Once the release is running:\n\n");
	printf("    # To connect to it remotely\n    %s remote\n\n", program);
	printf("    # To stop it gracefully (you may also send SIGINT/SIGTERM)\n    %s stop\n\n", program);
	printf("To list all commands:\n\n    %s\n\n", program);
}

static struct value *steps_list(struct cli *cli, const struct spec_release *release)
{
	struct value *list = value_list(&cli->arena);
	for (size_t i = 0; i < release->step_count; i++) {
		const char *name = step_kind_name(release->steps[i].kind);
		struct value *step = value_string(&cli->arena, slice_of(name));
		if (release->steps[i].kind == STEP_RUN) {
			step = value_map(&cli->arena);
			cli_set_text(cli, step, name, release->steps[i].command);
		}
		value_list_add(&cli->arena, list, step);
	}
	return list;
}

static struct value *result_document(struct cli *cli, const struct spec_release *release,
				     const struct build_result *result)
{
	struct value *map = value_map(&cli->arena), *artifacts = value_list(&cli->arena);
	cli_set_text(cli, map, "name", release->name);
	cli_set_text(cli, map, "version", release->version);
	cli_set_text(cli, map, "path", release->path);
	cli_set(cli, map, "unchanged", value_bool(&cli->arena, result->unchanged));
	cli_set(cli, map, "files", value_int(&cli->arena, (int64_t)result->files));
	cli_set(cli, map, "bytes", value_int(&cli->arena, (int64_t)result->bytes));
	for (size_t i = 0; i < result->artifact_count; i++)
		value_list_add(&cli->arena, artifacts, value_string(&cli->arena, slice_of(result->artifacts[i])));
	cli_set(cli, map, "artifacts", artifacts);
	if (result->plan) {
		cli_set(cli, map, "steps", steps_list(cli, release));
		cli_set(cli, map, "plan", plan_tree(&cli->arena, result->plan));
	}
	return map;
}

static int build_one(struct cli *cli, const struct spec *spec, const struct spec_release *release,
		     const struct build_options *options, struct value *documents)
{
	struct build_result result = { 0 };
	struct error err;
	int step_status = 0;
	int status = build_release(&cli->arena, spec, release, options, &result, &step_status, &err);
	progress_end();
	if (status != 0) {
		int code = cli_fail(cli, &err);
		return step_status ? step_status : code;
	}
	value_list_add(&cli->arena, documents, result_document(cli, release, &result));
	if (!options->dry_run && !cli->options.json && !cli->options.quiet && !release->quiet)
		print_next_steps(cli, release);
	return 0;
}

static int build_all(struct cli *cli, const struct spec *spec, const struct spec_release **releases, size_t count)
{
	struct tool_paths tool;
	struct error err;
	if (locate_tool(&cli->arena, &tool, &err) != 0)
		return cli_fail(cli, &err);
	struct build_shared shared = { 0 };
	const struct build_options options = {
		.tool = &tool,
		.shared = &shared,
		.overwrite = cli->options.overwrite,
		.dry_run = cli->options.dry_run,
		.verbose = cli->options.verbose,
		.prove = cli->options.prove,
		.sbom_format = cli->options.sbom,
		.progress = say,
		.ask = term_can_ask() ? ask : NULL,
		.context = cli,
	};
	struct value *documents = value_list(&cli->arena);
	for (size_t i = 0; i < count; i++) {
		int code = build_one(cli, spec, releases[i], &options, documents);
		if (code != 0)
			return code;
	}
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_set(cli, document, "releases", documents);
		cli_json(document);
	}
	return 0;
}

int cmd_build(struct cli *cli)
{
	struct loaded loaded;
	const struct spec_release **releases = NULL;
	size_t count = 0;
	int code = load(cli, &loaded, &releases, &count);
	return code ? code : build_all(cli, loaded.spec, releases, count);
}
