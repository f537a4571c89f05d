/* SPDX-License-Identifier: MIT */
/* The templates are copied as they are: their tags are filled in by each build. */
#include "cli/load.h"
#include "cli/locate.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/term.h"

enum { TEMPLATE_BYTES_MAX = 1 << 20 };

static const char *const files[] = { "vm.args", "remote.vm.args", "env.sh", "runtime.lua" };

static int write_file(struct cli *cli, const char *templates, const char *dir, const char *name, bool *created,
		      struct error *err)
{
	const char *target = path_join(&cli->arena, dir, name);
	*created = cli->options.force || !fs_exists(target);
	if (!*created)
		return 0;
	SCOPE(buf_done) struct buf text = { 0 };
	int result = fs_read(path_join(&cli->arena, templates, name), TEMPLATE_BYTES_MAX, &text, err);
	return result ? result : fs_replace(target, buf_slice(&text), 0644, err);
}

static void say(struct cli *cli, const char *shown, bool created)
{
	if (cli->options.json || cli->options.quiet)
		return;
	if (created)
		printf("%s*%s creating %s\n", term_green(stdout), term_reset(stdout), shown);
	else
		printf("%s*%s keeping %s (exists, use --force to replace it)\n", term_yellow(stdout),
		       term_reset(stdout), shown);
}

static int write_files(struct cli *cli, const char *dir, struct value *list, struct error *err)
{
	const char *templates;
	int result = locate_templates(&cli->arena, &templates, err);
	if (result == 0)
		result = fs_make_dirs(dir, 0755, err);
	for (size_t i = 0; result == 0 && i < ARRAY_LEN(files); i++) {
		bool created;
		result = write_file(cli, templates, dir, files[i], &created, err);
		if (result != 0)
			break;
		const char *shown = cli_shown(cli, path_join(&cli->arena, dir, files[i]));
		struct value *item = value_map(&cli->arena);
		cli_set_text(cli, item, "path", shown);
		cli_set(cli, item, "created", value_bool(&cli->arena, created));
		value_list_add(&cli->arena, list, item);
		say(cli, shown, created);
	}
	return result;
}

int cmd_init(struct cli *cli)
{
	struct error err;
	const char *project =
		cli->options.project ? path_absolute(&cli->arena, cli->cwd, cli->options.project) : cli->cwd;
	struct value *list = value_list(&cli->arena);
	if (write_files(cli, path_join(&cli->arena, project, "rel"), list, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_set(cli, document, "files", list);
		cli_json(document);
	}
	return 0;
}
