/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/term.h"

static bool is_default(const struct spec *spec, const struct spec_release *release)
{
	if (spec->default_release)
		return strcmp(spec->default_release, release->name) == 0;
	return spec->release_count == 1;
}

static void print_release(const struct cli *cli, const struct spec *spec, const struct spec_release *release)
{
	if (cli->options.names) {
		printf("%s\n", release->name);
		return;
	}
	printf("%s%s %s%s%s\n", term_bold(stdout), release->name, release->version, term_reset(stdout),
	       is_default(spec, release) ? " *" : "");
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_member *member = &release->members[i];
		printf("  %s%s %s%s %s\n", member->listed ? "" : "(", member->component->name,
		       member->component->version, member->listed ? "" : ")", component_mode_name(member->mode));
	}
}

static struct value *release_document(struct cli *cli, const struct spec *spec, const struct spec_release *release)
{
	struct value *map = value_map(&cli->arena), *components = value_list(&cli->arena);
	cli_set_text(cli, map, "name", release->name);
	cli_set_text(cli, map, "version", release->version);
	cli_set(cli, map, "default", value_bool(&cli->arena, is_default(spec, release)));
	cli_set_text(cli, map, "path", release->path);
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_member *member = &release->members[i];
		struct value *item = value_map(&cli->arena);
		cli_set_text(cli, item, "name", member->component->name);
		cli_set_text(cli, item, "version", member->component->version);
		cli_set_text(cli, item, "mode", component_mode_name(member->mode));
		cli_set(cli, item, "listed", value_bool(&cli->arena, member->listed));
		cli_set(cli, item, "built", value_bool(&cli->arena, member->component->library != NULL));
		value_list_add(&cli->arena, components, item);
	}
	cli_set(cli, map, "components", components);
	return map;
}

static void print_document(struct cli *cli, const struct spec *spec)
{
	struct value *document = cli_document(cli, true), *list = value_list(&cli->arena);
	for (size_t i = 0; i < spec->release_count; i++)
		value_list_add(&cli->arena, list, release_document(cli, spec, &spec->releases[i]));
	cli_set(cli, document, "releases", list);
	cli_json(document);
}

int cmd_list(struct cli *cli)
{
	struct loaded loaded;
	int code = load_find(cli, &loaded);
	if (code == 0)
		code = load_spec(cli, &loaded);
	if (code != 0)
		return code;
	if (cli->options.json) {
		print_document(cli, loaded.spec);
		return 0;
	}
	for (size_t i = 0; i < loaded.spec->release_count; i++)
		print_release(cli, loaded.spec, &loaded.spec->releases[i]);
	if (loaded.spec->release_count == 0)
		fprintf(stderr, "%s declares no releases\n", SPEC_FILE);
	return 0;
}
