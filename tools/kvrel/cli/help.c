/* SPDX-License-Identifier: MIT */
/* What -h and `kvrel help` print, from the tables. */
#include "cli/cli.h"
#include "cli/reference.h"
#include "spec/fields.h"

#include "base/term.h"

#include <assert.h>

enum { COLUMN = 26, WIDTH = 88 };

static void heading(FILE *out, const char *text)
{
	fprintf(out, "\n%s%s%s\n", term_bold(out), text, term_reset(out));
}

/* Breaks `text` at blanks; the first line goes on at column `used`. */
static void wrap(FILE *out, const char *text, int indent, int used)
{
	int column = used;
	while (*text) {
		int size = (int)strcspn(text, " ");
		if (column > indent && column + 1 + size > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", size, text);
		column += size;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* A term at the left, its meaning from COLUMN on. */
static void entry(FILE *out, const char *term, const char *meaning)
{
	int used = fprintf(out, "  %s", term);
	if (used >= COLUMN - 1) {
		fputc('\n', out);
		used = 0;
	}
	fprintf(out, "%*s", COLUMN - used, "");
	wrap(out, meaning, COLUMN, COLUMN);
}

static void print_options(FILE *out, const struct command *command)
{
	if (command->option_count == 0)
		return;
	heading(out, "Options");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		char term[64];
		snprintf(term, sizeof(term), "%c%c%s --%s%s%s", option->letter ? '-' : ' ',
			 option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
			 option->argument ? " " : "", option->argument ? option->argument : "");
		entry(out, term, option->help);
	}
}

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "%sUsage:%s kvrel %s%s%s%s\n", term_bold(out), term_reset(out), command->name,
		command->option_count ? " [OPTIONS]" : "", *command->arguments ? " " : "", command->arguments);
}

void help_overview(FILE *out)
{
	fprintf(out, "kvrel makes self-contained releases of native services.\n\n");
	fprintf(out, "%sUsage:%s kvrel COMMAND [OPTIONS] [ARGUMENTS]\n", term_bold(out), term_reset(out));
	heading(out, "Commands");
	for (size_t i = 0; i < command_count; i++)
		entry(out, commands[i].name, commands[i].summary);
	heading(out, "Try");
	fprintf(out, "  kvrel help build          a command in full, with the keys of releases.yaml\n"
		     "  kvrel build -h            its options\n"
		     "  kvrel --version\n");
}

void help_short(FILE *out, const struct command *command)
{
	print_usage(out, command);
	fprintf(out, "\n%s.\n", command->summary);
	print_options(out, command);
	fprintf(out, "\n'kvrel help %s' says more.\n", command->name);
}

static void print_keys(FILE *out, const struct reference_table *table)
{
	size_t count;
	const struct field *fields = table->fields(&count);
	heading(out, table->title);
	for (size_t i = 0; i < count; i++) {
		char meaning[512];
		snprintf(meaning, sizeof(meaning), "%s%s: %s", fields[i].not_yet ? "(not supported yet) " : "",
			 fields[i].type, fields[i].doc);
		entry(out, fields[i].key, meaning);
	}
}

static void print_paragraphs(FILE *out, const char *page)
{
	while (*page) {
		char paragraph[1024];
		const char *end = strstr(page, "\n\n");
		int size = end ? (int)(end - page) : (int)strlen(page);
		snprintf(paragraph, sizeof(paragraph), "%.*s", size, page);
		fputc('\n', out);
		wrap(out, paragraph, 0, 0);
		page += end ? size + 2 : size;
	}
}

void help_page(FILE *out, const struct command *command)
{
	fprintf(out, "%skvrel %s%s: %s\n\n", term_bold(out), command->name, term_reset(out), command->summary);
	print_usage(out, command);
	print_paragraphs(out, command->page);
	print_options(out, command);
	if (command->explains_keys)
		for (size_t i = 0; i < reference_count; i++)
			print_keys(out, &reference[i]);
	if (command->examples) {
		heading(out, "Examples");
		fputs(command->examples, out);
	}
	heading(out, "Exit codes");
	fprintf(out, "  0 done, 1 failed, 2 wrong command line, 3 invalid input, 4 content does not match its digest,\n"
		     "  75 try again later\n");
}
