/* SPDX-License-Identifier: MIT */
/*
 * The command line as data. One table of commands, one table of options a command: parsing, -h, `kvrel help COMMAND`,
 * completion and the near-miss suggestions all come from them, so none can be forgotten.
 *
 * stdout is the result, stderr the conversation. With --json stdout is one document, also of a failure.
 */
#ifndef KVREL_CLI_H
#define KVREL_CLI_H

#include "spec/spec.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/value.h"

#include <stdio.h>

struct cli_options {
	bool help, json;
	bool all, overwrite, quiet, dry_run, verbose, no_build, prove, force, names;
	const char *color, *project, *build_dir, *path, *version, *sbom;
	const char **sets;
	size_t set_count;
};

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST };
struct option {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	enum option_kind kind;
	const char *argument; /* "DIR"; NULL for a flag */
	const char *help;     /* one line, lower case, no full stop */
	size_t offset;        /* into struct cli_options; a LIST also takes the counter behind it */
	const char *choices;  /* "auto always never"; NULL: anything */
};

enum completes { COMPLETES_NOTHING, COMPLETES_RELEASES, COMPLETES_BUNDLES, COMPLETES_COMMANDS, COMPLETES_SHELLS };

struct cli;
struct command {
	const char *name;
	const char *summary;   /* one line of the overview */
	const char *arguments; /* "[NAME...]"; "" for none */
	const char *page;      /* paragraphs of `kvrel help COMMAND` */
	const char *examples;  /* lines of commands */
	const struct option *options;
	size_t option_count;
	size_t arguments_min, arguments_max;
	enum completes completes;
	bool explains_keys;          /* the page ends with the keys of releases.yaml */
	int (*run)(struct cli *cli); /* returns the exit code */
};

struct cli {
	struct arena arena;
	const struct command *command;
	struct cli_options options;
	const char **arguments;
	size_t argument_count;
	const char *cwd;
	const char *shown_project; /* how the project folder reads from the current one; NULL: it is the current one */
};

extern const struct command commands[];
extern const size_t command_count;
const struct command *command_find(const char *name);
/* Programming mistakes in the tables (two options of one name, a missing text) abort at once. */
void commands_check(void);

/* Fills command, options and arguments. Returns 0 or the exit code after a complaint. */
int cli_parse(struct cli *cli, int argc, char **argv);

/* Reports `err` on stderr, and as a document on stdout with --json. Returns its exit code. */
int cli_fail(struct cli *cli, const struct error *err);
/* Only says it on stderr: the document is written already. */
int cli_say_error(struct cli *cli, const struct error *err);
/* A wrong command line: the complaint and one line that says where help is. Returns 2. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "releases.yaml:12:7: error: …" a line; as a document with --json. Returns 3. */
int cli_mistakes(struct cli *cli, const struct diagnostics *diagnostics);
/* One document on stdout, with its newline. */
void cli_json(const struct value *document);
/* A map {ok: …} to add to. */
struct value *cli_document(struct cli *cli, bool ok);
/* Shortcuts for documents; text may be NULL, which becomes null. */
void cli_set_text(struct cli *cli, struct value *map, const char *key, const char *text);
void cli_set(struct cli *cli, struct value *map, const char *key, struct value *value);
/* Text out of a bundle or a file, fit for a terminal; documents need none of it. */
const char *cli_printable(struct cli *cli, const char *text);
/* The same of every string in it. */
void cli_make_printable(struct cli *cli, struct value *tree);
/* "12.3 MiB" */
const char *cli_size(struct cli *cli, int64_t bytes);
/* As one word of a shell: in quotes where it needs them. */
const char *cli_word(struct cli *cli, const char *text);
/* How an absolute path reads from the current folder. */
const char *cli_shown(struct cli *cli, const char *path);

void help_overview(FILE *out);
void help_short(FILE *out, const struct command *command);
void help_page(FILE *out, const struct command *command);
/* All of it as a document; `only` NULL: of all commands. Returns 0. */
int help_document(struct cli *cli, const struct command *only);

int cmd_build(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_init(struct cli *cli);
int cmd_new(struct cli *cli);
int cmd_inspect(struct cli *cli);
int cmd_verify(struct cli *cli);
int cmd_diff(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_completion(struct cli *cli);

#endif
