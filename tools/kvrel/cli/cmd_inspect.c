/* SPDX-License-Identifier: MIT */
#include "build/build.h"
#include "cli/cli.h"

#include "base/term.h"

static const char *text(const struct value *map, const char *key)
{
	return value_text(value_path(map, key), "-");
}

static int64_t number(const struct value *map, const char *key)
{
	const struct value *value = value_path(map, key);
	return value && value->type == VALUE_INT ? value->integer : 0;
}

static size_t count(const struct value *list)
{
	return list && list->type == VALUE_LIST ? list->list.count : 0;
}

static void heading(const char *title)
{
	printf("\n%s%s%s\n", term_bold(stdout), title, term_reset(stdout));
}

static void print_title(const struct value *facts)
{
	printf("%s%s %s%s, runtime %s\n", term_bold(stdout), text(facts, "release"), text(facts, "version"),
	       term_reset(stdout), text(facts, "runtime"));
	const struct value *versions = value_get(facts, "versions");
	if (count(versions) < 2)
		return;
	printf("versions in it:");
	for (size_t i = 0; i < versions->list.count; i++)
		printf(" %s", value_text(versions->list.items[i], "-"));
	putchar('\n');
}

static void print_components(struct cli *cli, const struct value *list)
{
	heading("Components");
	for (size_t i = 0; i < count(list); i++) {
		const struct value *item = list->list.items[i];
		const char *name = arena_printf(&cli->arena, "%s %s", text(item, "name"), text(item, "version"));
		printf("  %-30s %10s  %-10s %s\n", name, cli_size(cli, number(item, "size")), text(item, "mode"),
		       text(item, "license"));
	}
}

static void print_libraries(struct cli *cli, const struct value *list)
{
	if (count(list) == 0)
		return;
	heading("Libraries");
	for (size_t i = 0; i < count(list); i++) {
		const struct value *item = list->list.items[i];
		printf("  %-30s %10s  %s %s\n", text(item, "name"), cli_size(cli, number(item, "size")),
		       text(item, "package"), text(item, "version"));
	}
}

static void print_patched(const struct value *list)
{
	if (count(list) == 0)
		return;
	heading("Changed from the package");
	for (size_t i = 0; i < count(list); i++)
		printf("  %s: %s\n", text(list->list.items[i], "path"), text(list->list.items[i], "change"));
}

static void print_sizes(struct cli *cli, const struct value *sizes)
{
	static const char *const parts[] = { "launcher", "runtime", "components", "releases", "licenses", "total" };
	heading("Sizes");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		printf("  %-30s %10s\n", parts[i], cli_size(cli, number(sizes, parts[i])));
	printf("  %-30s %10lld\n", "files", (long long)number(sizes, "files"));
}

static void print_portability(const struct value *facts)
{
	heading("Where it runs");
	printf("  CPU            %s\n", text(facts, "cpu"));
	printf("  oldest kernel  %s\n", text(facts, "oldest_kernel"));
	printf("  libc           %s\n", text(facts, "libc"));
	if (value_get(facts, "warning"))
		printf("  %swarning:%s %s\n", term_yellow(stdout), term_reset(stdout), text(facts, "warning"));
	const struct value *list = value_get(facts, "not_inside");
	if (count(list) == 0)
		return;
	heading("Not inside");
	for (size_t i = 0; i < count(list); i++)
		printf("  %-24s %s\n", text(list->list.items[i], "what"), text(list->list.items[i], "effect"));
}

int cmd_inspect(struct cli *cli)
{
	struct value *facts;
	struct error err;
	if (bundle_inspect(&cli->arena, cli->arguments[0], &facts, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_json(value_merge(&cli->arena, document, facts));
		return 0;
	}
	cli_make_printable(cli, facts);
	print_title(facts);
	print_components(cli, value_get(facts, "components"));
	print_libraries(cli, value_get(facts, "libraries"));
	print_patched(value_get(facts, "patched"));
	print_sizes(cli, value_get(facts, "sizes"));
	print_portability(value_get(facts, "portability"));
	return 0;
}
