/* SPDX-License-Identifier: MIT */
/* The command line of kvnode: the launcher writes it, people may. */
#include "node/main.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/term.h"
#include "node/commands.h"
#include "node/process/isolation.h"
#include "node/process/title.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int print_version(const struct command_options *options)
{
	(void)options;
	static const char text[] = "kvnode " KVREL_VERSION "\n";
	return fs_write_all(STDOUT_FILENO, text, sizeof(text) - 1, NULL) == 0 ? 0 : 1;
}

static int print_help(const struct command_options *options);

static const struct command {
	const char *name;
	const char *arguments;
	const char *doc;
	int (*run)(const struct command_options *options);
} commands[] = {
	{ "start", "[--console] [FLAGS]", "run the node in the foreground", command_start },
	{ "eval", "[--json] [--chunk NAME] TEXT [ARGS]", "run Lua in a fresh node that starts nothing", command_eval },
	{ "config", "[--json] [check | diff | get C.KEY | describe]", "what the next boot's configuration would be",
	  command_config },
	{ "remote", "", "a console on the running node", command_remote },
	{ "channel", "", "carry commands between stdin, a socket, and a node on another host", command_channel },
	{ "--version", "", "print the version of the runtime", print_version },
	{ "--help", "", "print this", print_help },
};

static int print_help(const struct command_options *options)
{
	(void)options;
	SCOPE(buf_done) struct buf text = { 0 };
	buf_append_string(&text, "usage: kvnode COMMAND [OPTIONS] [ARGUMENTS]\n\n"
				 "The runtime of a release; bin/NAME of a bundle starts it.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_printf(&text, "  %-10s %-36s %s\n", commands[i].name, commands[i].arguments, commands[i].doc);
	buf_append_string(&text, "\nflags, as in vm.args:\n");
	flags_describe(&text);
	return fs_write_all(STDOUT_FILENO, text.data, text.size, NULL) == 0 ? 0 : 1;
}

void command_report(const struct report *report, const struct error *err)
{
	if (report != NULL && report->text.size > 0)
		(void)fs_write_all(STDERR_FILENO, report->text.data, report->text.size, NULL);
	else
		fprintf(stderr, "kvnode: error: %s\n", err->message);
}

static int usage_error(const struct error *err)
{
	fprintf(stderr, "kvnode: error: %s\nTry 'kvnode --help'.\n", err->message);
	return error_exit_code(ERROR_USAGE);
}

static int parse_fd(const char *option, const char *value, int *fd, struct error *err)
{
	int64_t number;
	if (value == NULL || !slice_to_int64(slice_of(value), &number) || number < 0 || number > 1 << 20)
		return error_set(err, ERROR_USAGE, "option '%s' needs the number of a file descriptor", option);
	*fd = (int)number;
	(void)fcntl(*fd, F_SETFD, FD_CLOEXEC); /* no program that the configuration runs is to have it */
	return 0;
}

/* Takes one option at argv[0]. Returns how many words it took, 0 when it is none of ours, negative on a mistake. */
static int take_option(const char *const *argv, struct command_options *options, struct error *err)
{
	if (strcmp(argv[0], "--ready-fd") == 0)
		return parse_fd(argv[0], argv[1], &options->ready_fd, err) == 0 ? 2 : -1;
	if (strcmp(argv[0], "--cookie-fd") == 0)
		return parse_fd(argv[0], argv[1], &options->cookie_fd, err) == 0 ? 2 : -1;
	if (strcmp(argv[0], "--text-fd") == 0)
		return parse_fd(argv[0], argv[1], &options->text_fd, err) == 0 ? 2 : -1;
	if (strcmp(argv[0], "--chunk") == 0) {
		if (argv[1] == NULL) {
			error_set(err, ERROR_USAGE, "option '--chunk' needs a name");
			return -1;
		}
		options->chunk = argv[1];
		return 2;
	}
	if (strcmp(argv[0], "--console") == 0)
		options->console = true;
	else if (strcmp(argv[0], "--json") == 0)
		options->json = true;
	else
		return 0;
	return 1;
}

static int run_command(const struct command *command, const char *const *argv)
{
	struct command_options options = { .ready_fd = -1, .cookie_fd = -1, .text_fd = -1 };
	struct error err;
	while (argv[0] != NULL) {
		if (options.text_fd >= 0 && strcmp(argv[0], "--") == 0) {
			argv++;
			break;
		}
		int taken = take_option(argv, &options, &err);
		if (taken < 0)
			return usage_error(&err);
		if (taken == 0)
			break;
		argv += taken;
	}
	options.argv = argv;
	while (argv[options.argc] != NULL)
		options.argc++;
	return command->run(&options);
}

int node_main(int argc, char **argv)
{
	struct error err;
	const char *names[ARRAY_LEN(commands)];
	fs_hold_standard_streams();
	title_set(argc, argv);
	if (isolation_begin(&err) != 0) {
		fprintf(stderr, "kvnode: error: %s\n", err.message);
		return 1;
	}
	if (argc < 2) {
		error_set(&err, ERROR_USAGE, "a command is missing");
		return usage_error(&err);
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i].name;
		if (strcmp(argv[1], names[i]) == 0)
			return run_command(&commands[i], (const char *const *)argv + 2);
	}
	const char *near = term_suggest(argv[1], names, ARRAY_LEN(names));
	if (near != NULL)
		error_set(&err, ERROR_USAGE, "unknown command '%s' (did you mean '%s'?)", argv[1], near);
	else
		error_set(&err, ERROR_USAGE, "unknown command '%s'", argv[1]);
	return usage_error(&err);
}
