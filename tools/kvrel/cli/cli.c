/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/term.h"

#include <assert.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2, OPTIONS_MAX = 32, COMMANDS_MAX = 32 };

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void check_options(const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		if (!option->name || !option->help || (option->kind == OPTION_FLAG) != !option->argument)
			abort();
		for (size_t j = 0; j < i; j++)
			if (strcmp(command->options[j].name, option->name) == 0 ||
			    (option->letter && command->options[j].letter == option->letter))
				abort();
	}
}

void commands_check(void)
{
	if (command_count > COMMANDS_MAX)
		abort();
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];
		if (!command->summary || !command->page || !command->arguments || !command->run ||
		    command->option_count > OPTIONS_MAX || command_find(command->name) != command)
			abort();
		check_options(command);
	}
}

static const char *suggest_command(const char *word)
{
	const char *names[COMMANDS_MAX];
	static const char *const options[] = { "--help", "--version" };
	if (*word == '-')
		return term_suggest(word, options, 2);
	for (size_t i = 0; i < command_count; i++)
		names[i] = commands[i].name;
	return term_suggest(word, names, command_count);
}

static const struct option *find_option(const struct command *command, struct slice name)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (slice_is(name, command->options[i].name))
			return &command->options[i];
	return NULL;
}

static const struct option *find_letter(const struct command *command, char letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].letter == letter)
			return &command->options[i];
	return NULL;
}

static int unknown_option(struct cli *cli, const char *word)
{
	const char *names[OPTIONS_MAX];
	for (size_t i = 0; i < cli->command->option_count; i++)
		names[i] = arena_printf(&cli->arena, "--%s", cli->command->options[i].name);
	const char *plain = arena_printf(&cli->arena, "%.*s", (int)strcspn(word, "="), word);
	const char *nearest = term_suggest(plain, names, cli->command->option_count);
	if (nearest)
		return cli_usage(cli, "unknown option '%s' (did you mean '%s'?)", plain, nearest);
	return cli_usage(cli, "unknown option '%s'", plain);
}

/* "auto, always, never" */
static const char *shown_choices(struct cli *cli, const char *choices)
{
	struct buf text = { 0 };
	for (; *choices; choices++)
		buf_printf(&text, *choices == ' ' ? ",%c" : "%c", *choices);
	const char *shown = arena_string(&cli->arena, buf_string(&text));
	buf_done(&text);
	return shown;
}

static bool is_choice(const char *choices, const char *value)
{
	struct slice word, rest = slice_of(choices);
	for (bool more = true; more;) {
		more = slice_split(rest, ' ', &word, &rest);
		if (slice_is(word, value))
			return true;
	}
	return false;
}

static int store(struct cli *cli, const struct option *option, const char *value)
{
	char *slot = (char *)&cli->options + option->offset;
	if (option->choices && !is_choice(option->choices, value))
		return cli_usage(cli, "option '--%s' takes one of %s, not '%s'", option->name,
				 shown_choices(cli, option->choices), value);
	if (option->kind == OPTION_FLAG) {
		*(bool *)slot = true;
	} else if (option->kind == OPTION_TEXT) {
		*(const char **)slot = value;
	} else {
		size_t *count = (size_t *)(slot + sizeof(char **));
		(*(const char ***)slot)[(*count)++] = value;
	}
	return 0;
}

struct words {
	char **items;
	int count, next;
};

/* `attached` is what stands after '=' or after the letter; NULL: nothing. */
static int take_option(struct cli *cli, const struct option *option, const char *shown, const char *attached,
		       struct words *words)
{
	if (option->kind == OPTION_FLAG)
		return attached ? cli_usage(cli, "option '%s' takes no value", shown) : store(cli, option, NULL);
	if (!attached && words->next < words->count)
		attached = words->items[words->next++];
	if (!attached)
		return cli_usage(cli, "option '%s' needs a value: %s %s", shown, shown, option->argument);
	if (*attached == '\0')
		return cli_usage(cli, "option '%s' has an empty value", shown);
	return store(cli, option, attached);
}

static int take_long(struct cli *cli, const char *word, struct words *words)
{
	struct slice name, value;
	bool attached = slice_split(slice_of(word + 2), '=', &name, &value);
	const struct option *option = find_option(cli->command, name);
	if (!option)
		return unknown_option(cli, word);
	return take_option(cli, option, arena_printf(&cli->arena, "--%s", option->name), attached ? value.data : NULL,
			   words);
}

/* "-qv", "-C DIR" and "-CDIR". */
static int take_letters(struct cli *cli, const char *word, struct words *words)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct option *option = find_letter(cli->command, *letter);
		const char shown[] = { '-', *letter, '\0' };
		if (!option)
			return unknown_option(cli, word[2] ? word : shown);
		if (option->kind != OPTION_FLAG)
			return take_option(cli, option, shown, letter[1] ? letter + 1 : NULL, words);
		int code = store(cli, option, NULL);
		if (code != 0)
			return code;
	}
	return 0;
}

static int check_argument_count(struct cli *cli)
{
	const struct command *command = cli->command;
	if (cli->options.help)
		return 0;
	if (cli->argument_count < command->arguments_min)
		return cli_usage(cli, "missing argument: kvrel %s %s", command->name, command->arguments);
	if (cli->argument_count > command->arguments_max)
		return cli_usage(cli, "unexpected argument '%s'", cli->arguments[command->arguments_max]);
	return 0;
}

static int parse_command(struct cli *cli, struct words *words)
{
	bool options_end = false;
	cli->arguments = arena_array(&cli->arena, (size_t)words->count, sizeof(char *));
	cli->options.sets = arena_array(&cli->arena, (size_t)words->count, sizeof(char *));
	while (words->next < words->count) {
		const char *word = words->items[words->next++];
		int code = 0;
		if (options_end || word[0] != '-' || word[1] == '\0')
			cli->arguments[cli->argument_count++] = word;
		else if (strcmp(word, "--") == 0)
			options_end = true;
		else
			code = word[1] == '-' ? take_long(cli, word, words) : take_letters(cli, word, words);
		if (code != 0)
			return code;
	}
	return check_argument_count(cli);
}

/* A complaint about the words before --json is a document too. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
	cli->options.json = wants_json(argc, argv);
	struct words words = { argv, argc, 1 };
	const char *word = argc > 1 ? argv[words.next++] : "help";
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		word = "help";
	cli->command = command_find(word);
	if (cli->command)
		return parse_command(cli, &words);
	const char *kind = word[0] == '-' ? "option" : "command";
	const char *nearest = suggest_command(word);
	if (nearest)
		return cli_usage(cli, "unknown %s '%s' (did you mean '%s'?)", kind, word, nearest);
	return cli_usage(cli, "unknown %s '%s'", kind, word);
}
