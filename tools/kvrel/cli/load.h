/* SPDX-License-Identifier: MIT */
/* What the commands that work on a project share: where it is, its checked releases, and which of them are meant. */
#ifndef KVREL_LOAD_H
#define KVREL_LOAD_H

#include "cli/cli.h"
#include "spec/spec.h"

struct loaded {
	struct spec_options options;
	struct diagnostics diagnostics;
	struct spec *spec;
};

/* The project's folder; the current one where there is no releases.yaml yet. */
const char *load_project_or_cwd(struct cli *cli);
/* Finds releases.yaml and fills `options` from the command line. Returns 0 or the exit code after a complaint. */
int load_find(struct cli *cli, struct loaded *out);
/* Reads and checks everything. Returns 0 or the exit code after all mistakes are reported. */
int load_spec(struct cli *cli, struct loaded *loaded);
/* The releases that the arguments name, all when there are none. Returns 0 or the exit code after a complaint. */
int load_named(struct cli *cli, const struct loaded *loaded, const struct spec_release ***out, size_t *count);
/* Complains that there are no releases, and shows how one is declared. Returns the exit code. */
int load_none_declared(struct cli *cli);
/* Reports the mistakes in what these releases say in Lua. Returns 0 or the exit code. */
int load_check_scripts(struct cli *cli, struct loaded *loaded, const struct spec_release **releases, size_t count);
/* Reports, with those mistakes, the components of these releases that are not built. Returns 0 or the exit code. */
int load_require_libraries(struct cli *cli, struct loaded *loaded, const struct spec_release **releases, size_t count);

#endif
