/* SPDX-License-Identifier: MIT */
/* The table of commands and their options: the only place that names them. */
#include "cli.h"

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

static const struct option check_options[] = { PROJECT, SET, VERSION, BUILD_DIR, COMMON };
static const struct option list_options[] = { PROJECT, COMMON };
static const struct option help_options[] = { HELP, COLOR };

#define OPTIONS(table) .options = (table), .option_count = ARRAY_LEN(table)

const struct command commands[] = {
	{
		.name = "check",
		.summary = "Check releases.yaml and every component.yaml without building",
		.arguments = "[NAME...]",
		.page = "Reads releases.yaml, the component.yaml files of the project and the settings given with "
			"--set, "
			"and reports all mistakes at once with file, line and column. Nothing is written and no "
			"library "
			"is needed. With NAMEs it also says whether the components of these releases are built.",
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
