/* SPDX-License-Identifier: MIT */
#include "build/build.h"
#include "cli/cli.h"

#include "base/term.h"

#include <inttypes.h>

static const char *text(const struct value *map, const char *key)
{
	return value_text(value_path(map, key), NULL);
}

static size_t count(const struct value *list)
{
	return list && list->type == VALUE_LIST ? list->list.count : 0;
}

/* Paints what came green and what went red. */
static const char *mark(const char *what)
{
	if (strcmp(what, "added") == 0)
		return "+";
	return strcmp(what, "removed") == 0 ? "-" : "~";
}

static const char *paint(const char *what)
{
	if (strcmp(what, "added") == 0)
		return term_green(stdout);
	return strcmp(what, "removed") == 0 ? term_red(stdout) : term_yellow(stdout);
}

static void print_change(const char *key, const char *before, const char *after)
{
	if (before && after && strcmp(before, after) != 0)
		printf(" %s %s -> %s", key, before, after);
	else if (before || after)
		printf(" %s", after ? after : before);
}

static void print_named(const char *title, const struct value *list)
{
	if (count(list) == 0)
		return;
	printf("\n%s%s%s\n", term_bold(stdout), title, term_reset(stdout));
	for (size_t i = 0; i < list->list.count; i++) {
		const struct value *item = list->list.items[i];
		const char *what = text(item, "what");
		printf("  %s%s%s %s", paint(what), mark(what), term_reset(stdout), text(item, "name"));
		print_change("version", text(item, "old_version"), text(item, "new_version"));
		print_change("mode", text(item, "old_mode"), text(item, "new_mode"));
		putchar('\n');
	}
}

static void print_files(struct cli *cli, const struct value *list)
{
	if (count(list) == 0)
		return;
	printf("\n%sFiles%s\n", term_bold(stdout), term_reset(stdout));
	for (size_t i = 0; i < list->list.count; i++) {
		const struct value *item = list->list.items[i];
		const struct value *before = value_get(item, "old_size"), *after = value_get(item, "new_size");
		const char *what = text(item, "what");
		printf("  %s%s%s %s", paint(what), mark(what), term_reset(stdout), text(item, "path"));
		if (before && after && before->integer != after->integer)
			printf(" %s -> %s (%+" PRId64 " bytes)", cli_size(cli, before->integer),
			       cli_size(cli, after->integer), after->integer - before->integer);
		else if (before || after)
			printf(" %s", cli_size(cli, (after ? after : before)->integer));
		putchar('\n');
	}
}

static int64_t size_of(const struct value *facts, const char *path)
{
	const struct value *size = value_path(facts, path);
	return size && size->type == VALUE_INT ? size->integer : 0;
}

static void print_title(struct cli *cli, const struct value *facts)
{
	const int64_t before = size_of(facts, "old.size"), after = size_of(facts, "new.size");
	printf("%s%s %s -> %s %s%s, %s -> %s (%+" PRId64 " bytes)\n", term_bold(stdout), text(facts, "old.release"),
	       text(facts, "old.version"), text(facts, "new.release"), text(facts, "new.version"), term_reset(stdout),
	       cli_size(cli, before), cli_size(cli, after), after - before);
}

int cmd_diff(struct cli *cli)
{
	struct value *facts;
	struct error err;
	if (bundle_diff(&cli->arena, cli->arguments[0], cli->arguments[1], &facts, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->options.json) {
		cli_json(value_merge(&cli->arena, cli_document(cli, true), facts));
		return 0;
	}
	cli_make_printable(cli, facts);
	const struct value *components = value_get(facts, "components"), *packages = value_get(facts, "packages"),
			   *files = value_get(facts, "files");
	print_title(cli, facts);
	print_named("Components", components);
	print_named("Packages", packages);
	print_files(cli, files);
	if (count(components) + count(packages) + count(files) == 0)
		printf("no difference\n");
	return 0;
}
