/* SPDX-License-Identifier: MIT */
/* The table of commands and their options: the only place that names them. */
#include "cli/cli.h"

#include "base/scope.h"

#define AT(member) offsetof(struct cli_options, member)
#define HELP \
	{ \
		"help", 'h', OPTION_FLAG, NULL, "show the options", AT(help), NULL \
	}
#define JSON \
	{ \
		"json", 0, OPTION_FLAG, NULL, "print one JSON document", AT(json), NULL \
	}
#define COLOR \
	{ \
		"color", 0, OPTION_TEXT, "WHEN", "auto, always or never", AT(color), "auto always never" \
	}
#define COMMON HELP, JSON, COLOR
#define PROJECT \
	{ \
		"project", 'C', OPTION_TEXT, "DIR", \
			"the folder of releases.yaml (default: this one or the next above it)", AT(project), NULL \
	}
#define SET \
	{ \
		"set", 0, OPTION_LIST, "C.KEY=VALUE", "set component C's KEY; VALUE is YAML; may be repeated", \
			AT(sets), NULL \
	}
#define VERSION \
	{ \
		"version", 0, OPTION_TEXT, "V", "the release's version instead of that of releases.yaml", AT(version), \
			NULL \
	}
#define BUILD_DIR \
	{ \
		"build-dir", 0, OPTION_TEXT, "DIR", \
			"holds components/NAME/NAME.so (default: $KVREL_BUILD_DIR, else that of releases.yaml)", \
			AT(build_dir), NULL \
	}

#define QUIET \
	{ \
		"quiet", 'q', OPTION_FLAG, NULL, "no lines about the progress", AT(quiet), NULL \
	}

static const struct option build_options[] = {
	{ "all", 'a', OPTION_FLAG, NULL, "build every release", AT(all), NULL },
	{ "overwrite", 'o', OPTION_FLAG, NULL, "replace a release of the same version without asking", AT(overwrite),
	  NULL },
	{ "path", 'p', OPTION_TEXT, "DIR", "make the bundle in DIR instead of the release's path", AT(path), NULL },
	VERSION,
	SET,
	{ "dry-run", 'n', OPTION_FLAG, NULL, "print what would be in the bundle and write nothing", AT(dry_run), NULL },
	{ "verbose", 'v', OPTION_FLAG, NULL, "say why each file is in the bundle", AT(verbose), NULL },
	QUIET,
	{ "prove", 0, OPTION_FLAG, NULL, "build twice in hostile settings and show the first difference", AT(prove),
	  NULL },
	{ "sbom", 0, OPTION_TEXT, "FORMAT", "the bill of materials: spdx (default) or cyclonedx", AT(sbom),
	  "spdx cyclonedx" },
	{ "no-build", 0, OPTION_FLAG, NULL, "do not run the 'build' command of releases.yaml first", AT(no_build),
	  NULL },
	BUILD_DIR,
	PROJECT,
	COMMON,
};
static const struct option init_options[] = {
	{ "force", 'f', OPTION_FLAG, NULL, "replace files that exist", AT(force), NULL },
	QUIET,
	PROJECT,
	COMMON,
};
static const struct option check_options[] = { PROJECT, SET, VERSION, BUILD_DIR, COMMON };
static const struct option list_options[] = {
	{ "names", 0, OPTION_FLAG, NULL, "print the names alone, one a line", AT(names), NULL },
	PROJECT,
	COMMON,
};
static const struct option quiet_options[] = { QUIET, COMMON };
static const struct option help_options[] = { COMMON };

#define OPTIONS(table) .options = (table), .option_count = ARRAY_LEN(table)

const struct command commands[] = {
	{
		.name = "build",
		.summary = "Assemble releases into bundles",
		.arguments = "[NAME...]",
		.page = "Makes a folder for each release that holds everything it needs: components, runtime, loader "
			"and "
			"libraries. Without a NAME it builds the default release of releases.yaml, or the only one.\n\n"
			"First the 'build' command of releases.yaml runs, if there is one, and everything is checked. "
			"The bundle is put together beside its place and moved there at the end: a build that fails "
			"leaves the previous bundle as it was. Another version of a release is added beside those "
			"that the bundle holds. A release of the same version is replaced after a question on a "
			"terminal, and elsewhere only with --overwrite.",
		.examples =
			"  kvrel build\n  kvrel build foo bar --overwrite\n  kvrel build foo --version 0.0.2\n"
			"  kvrel build foo --set kv_server.port=4041 --path /srv/foo\n  kvrel build foo --dry-run -v\n",
		OPTIONS(build_options),
		.arguments_max = 1000,
		.completes = COMPLETES_RELEASES,
		.explains_keys = true,
		.run = cmd_build,
	},
	{
		.name = "check",
		.summary = "Check releases.yaml and every component.yaml without building",
		.arguments = "[NAME...]",
		.page = "Reads releases.yaml, the component.yaml files of the project and the settings given with "
			"--set, renders the project's own templates, compiles runtime.lua and the files of commands, "
			"and reports all mistakes at once with file, line and column. With NAMEs, templates and Lua "
			"of these releases only. Nothing is written, and nothing needs to be built.",
		.examples = "  kvrel check\n  kvrel check foo --set kv_server.port=4041\n  kvrel check --json\n",
		OPTIONS(check_options),
		.arguments_max = 1000,
		.completes = COMPLETES_RELEASES,
		.run = cmd_check,
	},
	{
		.name = "list",
		.summary = "List the releases of the project",
		.arguments = "",
		.page = "Prints each release with its version, its components in start order and their modes. A "
			"component "
			"in brackets came as a dependency. The default release has a star.",
		.examples = "  kvrel list\n  kvrel list --json\n",
		OPTIONS(list_options),
		.run = cmd_list,
	},
	{
		.name = "init",
		.summary = "Write commented rel/vm.args, rel/env.sh and rel/runtime.lua",
		.arguments = "",
		.page = "Creates the folder rel in the project with vm.args, remote.vm.args, env.sh and runtime.lua, "
			"which "
			"explain in comments what can be changed. Files that exist are kept unless --force is "
			"given.\n\n"
			"The tags in them are filled in by each build: <%= release.name %> becomes the release's name, "
			"<%= release.version %> its version; <% ... %> holds Lua statements, <%% is a literal <%.",
		.examples = "  kvrel init\n  kvrel init --force\n",
		OPTIONS(init_options),
		.run = cmd_init,
	},
	{
		.name = "new",
		.summary = "Begin a project with one component and one release",
		.arguments = "NAME",
		.page = "Creates the folder NAME with a component that compiles, a test, a releases.yaml and the "
			"commented "
			"files of 'kvrel init'. NAME may be a path; its last part names project, component and "
			"release. "
			"A folder that holds something is left alone.",
		.examples = "  kvrel new hello && cd hello && kvrel build\n",
		OPTIONS(quiet_options),
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_new,
	},
	{
		.name = "inspect",
		.summary = "Show what is in a bundle and where it runs",
		.arguments = "BUNDLE",
		.page = "BUNDLE is a bundle's folder or a tarball of one. Prints components, libraries and the "
			"packages "
			"they came from, sizes, the CPU and kernel it needs, and what is looked for at run time but "
			"not inside.",
		.examples = "  kvrel inspect _build/rel/foo\n  kvrel inspect _build/foo-0.0.1.tar.zst --json\n",
		OPTIONS(help_options),
		.arguments_min = 1,
		.arguments_max = 1,
		.completes = COMPLETES_BUNDLES,
		.run = cmd_inspect,
	},
	{
		.name = "verify",
		.summary = "Check every file of a bundle against its manifest",
		.arguments = "BUNDLE",
		.page = "BUNDLE is a bundle's folder or a tarball of one. Each file that was changed, is missing or "
			"was added "
			"is named, and the exit code is 4 then. The folders data and tmp of a node and its cookie are "
			"no part of the bundle.",
		.examples = "  kvrel verify _build/rel/foo\n  kvrel verify foo-0.0.1.tar.zst --quiet && deploy\n",
		OPTIONS(quiet_options),
		.arguments_min = 1,
		.arguments_max = 1,
		.completes = COMPLETES_BUNDLES,
		.run = cmd_verify,
	},
	{
		.name = "diff",
		.summary = "Show what changes from one bundle to another",
		.arguments = "OLD NEW",
		.page = "OLD and NEW are bundles' folders or tarballs. Prints what was added (+), removed (-) and "
			"changed "
			"(~): components, the packages that libraries came from, and files with their sizes.",
		.examples = "  kvrel diff foo-0.0.1.tar.zst _build/rel/foo\n",
		OPTIONS(help_options),
		.arguments_min = 2,
		.arguments_max = 2,
		.completes = COMPLETES_BUNDLES,
		.run = cmd_diff,
	},
	{
		.name = "completion",
		.summary = "Print the completion script of a shell",
		.arguments = "SHELL",
		.page = "SHELL is bash, zsh or fish. An installed kvrel brings the scripts along; where it is not "
			"installed "
			"for the whole system, load one from the shell's start file.",
		.examples = "  eval \"$(kvrel completion bash)\"\n  kvrel completion zsh > ~/.zfunc/_kvrel\n"
			    "  kvrel completion fish > ~/.config/fish/completions/kvrel.fish\n",
		OPTIONS(help_options),
		.arguments_min = 1,
		.arguments_max = 1,
		.completes = COMPLETES_SHELLS,
		.run = cmd_completion,
	},
	{
		.name = "help",
		.summary = "Explain a command",
		.arguments = "[COMMAND]",
		.page = "Without a COMMAND: the list of commands.",
		OPTIONS(help_options),
		.arguments_max = 1,
		.completes = COMPLETES_COMMANDS,
		.run = cmd_help,
	},
};
const size_t command_count = ARRAY_LEN(commands);
