/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

static void print_result(struct cli *cli, const struct spec *spec)
{
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_set(cli, document, "releases", value_int(&cli->arena, (int64_t)spec->release_count));
		cli_set(cli, document, "components", value_int(&cli->arena, (int64_t)spec->component_count));
		cli_set(cli, document, "mistakes", value_list(&cli->arena));
		cli_json(document);
		return;
	}
	printf("%s is correct: %zu release%s, %zu component%s\n", SPEC_FILE, spec->release_count,
	       spec->release_count == 1 ? "" : "s", spec->component_count, spec->component_count == 1 ? "" : "s");
}

int cmd_check(struct cli *cli)
{
	struct loaded loaded;
	const struct spec_release **releases;
	size_t count;
	int code = load_find(cli, &loaded);
	if (code == 0)
		code = load_spec(cli, &loaded);
	if (code == 0 && loaded.spec->release_count == 0)
		code = load_none_declared(cli);
	if (code == 0)
		code = load_named(cli, &loaded, &releases, &count);
	if (code == 0)
		code = load_check_scripts(cli, &loaded, releases, count);
	if (code == 0)
		print_result(cli, loaded.spec);
	return code;
}
