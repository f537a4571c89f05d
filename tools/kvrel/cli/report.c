/* SPDX-License-Identifier: MIT */
/* What kvrel says when it cannot do it, and its documents. */
#include "cli/cli.h"

#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/term.h"
#include "base/text.h"

#include <ctype.h>

enum { EXIT_USAGE = 2, EXIT_INVALID = 3 };

void cli_json(const struct value *document)
{
	struct buf text = { 0 };
	json_write(&text, document, 2);
	puts(buf_string(&text));
	buf_done(&text);
}

struct value *cli_document(struct cli *cli, bool ok)
{
	struct value *map = value_map(&cli->arena);
	cli_set(cli, map, "ok", value_bool(&cli->arena, ok));
	return map;
}

void cli_set(struct cli *cli, struct value *map, const char *key, struct value *value)
{
	value_map_add(&cli->arena, map, slice_of(key), value);
}

void cli_set_text(struct cli *cli, struct value *map, const char *key, const char *text)
{
	cli_set(cli, map, key, text ? value_string(&cli->arena, slice_of(text)) : value_null(&cli->arena));
}

const char *cli_shown(struct cli *cli, const char *path)
{
	return path_relative(&cli->arena, cli->cwd, path);
}

const char *cli_word(struct cli *cli, const char *text)
{
	SCOPE(buf_done) struct buf word = { 0 };
	bool plain = *text && *text != '-' && *text != '~';
	buf_append_char(&word, '\'');
	for (const char *at = text; *at; at++) {
		plain = plain &&
			(isalnum((unsigned char)*at) || (unsigned char)*at >= 0x80 || strchr("_./+:@%-~,=", *at));
		if (*at == '\'')
			buf_append_string(&word, "'\\''");
		else
			buf_append_char(&word, *at);
	}
	buf_append_char(&word, '\'');
	return plain ? text : arena_string(&cli->arena, buf_string(&word));
}

const char *cli_printable(struct cli *cli, const char *text)
{
	return text_printable(&cli->arena, slice_of(text), "");
}

void cli_make_printable(struct cli *cli, struct value *tree)
{
	if (tree->type == VALUE_STRING)
		tree->string = slice_of(text_printable(&cli->arena, tree->string, ""));
	for (size_t i = 0; tree->type == VALUE_LIST && i < tree->list.count; i++)
		cli_make_printable(cli, tree->list.items[i]);
	for (size_t i = 0; tree->type == VALUE_MAP && i < tree->map.count; i++)
		cli_make_printable(cli, tree->map.members[i].value);
}

static const char *who(struct cli *cli)
{
	return cli->command ? arena_printf(&cli->arena, "kvrel %s", cli->command->name) : "kvrel";
}

/* Messages quote names of files and bundles, which may hold anything. */
static void say_error(struct cli *cli, const char *message)
{
	fflush(stdout);
	fprintf(stderr, "%s%s:%s %s\n", term_red(stderr), who(cli), term_reset(stderr),
		text_printable(&cli->arena, slice_of(message), "\n\t"));
}

static void report_document(struct cli *cli, const struct error *err)
{
	if (!cli->options.json)
		return;
	struct value *document = cli_document(cli, false), *error = value_map(&cli->arena);
	cli_set_text(cli, error, "code", error_code_name(err->code));
	cli_set_text(cli, error, "message", err->message);
	cli_set(cli, document, "error", error);
	cli_json(document);
}

int cli_fail(struct cli *cli, const struct error *err)
{
	if (err->code == ERROR_USAGE)
		return cli_usage(cli, "%s", err->message);
	say_error(cli, err->message);
	report_document(cli, err);
	return error_exit_code(err->code);
}

int cli_say_error(struct cli *cli, const struct error *err)
{
	say_error(cli, err->message);
	return error_exit_code(err->code);
}

const char *cli_size(struct cli *cli, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double shown = (double)bytes;
	size_t unit = 0;
	for (; shown >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		shown /= 1024;
	return arena_printf(&cli->arena, unit ? "%.1f %s" : "%.0f %s", shown, units[unit]);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
	struct error err;
	va_list args;
	va_start(args, format);
	error_vset(&err, ERROR_USAGE, format, args);
	va_end(args);
	say_error(cli, err.message);
	if (cli->command)
		fprintf(stderr, "Try 'kvrel help %s'.\n", cli->command->name);
	else
		fprintf(stderr, "Try 'kvrel help'.\n");
	report_document(cli, &err);
	return EXIT_USAGE;
}

/* Origins are relative to the project; people click on paths relative to where they are. */
static const char *shown_origin(struct cli *cli, const struct origin *origin)
{
	struct origin shown = *origin;
	char text[1024];
	if (cli->shown_project && origin->file && strncmp(origin->file, "--", 2) != 0)
		shown.file = path_clean(&cli->arena, path_join(&cli->arena, cli->shown_project, origin->file));
	return cli_printable(cli, origin_text(&shown, text, sizeof(text)));
}

static void say_mistake(struct cli *cli, const struct diagnostic *diagnostic)
{
	const char *color = diagnostic->warning ? term_yellow(stderr) : term_red(stderr);
	fprintf(stderr, "%s%s: %s%s:%s %s\n", term_bold(stderr), shown_origin(cli, &diagnostic->origin), color,
		diagnostic->warning ? "warning" : "error", term_reset(stderr), cli_printable(cli, diagnostic->message));
}

static struct value *mistake_document(struct cli *cli, const struct diagnostic *diagnostic)
{
	struct value *map = value_map(&cli->arena);
	cli_set_text(cli, map, "file", diagnostic->origin.file);
	cli_set(cli, map, "line", value_int(&cli->arena, diagnostic->origin.line));
	cli_set(cli, map, "column", value_int(&cli->arena, diagnostic->origin.column));
	cli_set_text(cli, map, "severity", diagnostic->warning ? "warning" : "error");
	cli_set_text(cli, map, "message", diagnostic->message);
	return map;
}

int cli_mistakes(struct cli *cli, const struct diagnostics *diagnostics)
{
	struct value *list = value_list(&cli->arena);
	for (size_t i = 0; i < diagnostics->count; i++) {
		say_mistake(cli, &diagnostics->items[i]);
		if (cli->options.json)
			value_list_add(&cli->arena, list, mistake_document(cli, &diagnostics->items[i]));
	}
	if (diagnostics->errors > diagnostics->count)
		fprintf(stderr, "... and %zu more mistakes\n", diagnostics->errors - diagnostics->count);
	if (cli->options.json) {
		struct value *document = cli_document(cli, false);
		cli_set(cli, document, "mistakes", list);
		cli_json(document);
	}
	return EXIT_INVALID;
}
