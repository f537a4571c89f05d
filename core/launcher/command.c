/* SPDX-License-Identifier: MIT */
/* The table of commands: what each needs, runs and says of itself. Usage, dispatch and arity errors follow from it. */
#include "launcher.h"

#include "base/fs.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

static const struct command commands[] = {
	{ "start", NULL, "", 0, NEEDS_VM_ARGS | NEEDS_WRITABLE, command_start,
	  "Runs the node in the foreground until it is stopped (SIGTERM, SIGINT or 'stop')" },
	{ "start_console", "start_iex", "", 0, NEEDS_VM_ARGS | NEEDS_WRITABLE, command_start_console,
	  "As start, with the console on this terminal" },
	{ "daemon", NULL, "", 0, NEEDS_VM_ARGS | NEEDS_WRITABLE, command_daemon,
	  "Starts the node in the background; returns when it is ready, or says why it is not" },
	{ "daemon_console", "daemon_iex", "", 0, NEEDS_VM_ARGS | NEEDS_WRITABLE, command_daemon,
	  "As daemon; its console is reached by 'remote'" },
	{ "eval", NULL, "EXPR [ARGS]", ANY_ARGS, NEEDS_VM_ARGS, command_eval,
	  "Runs Lua in a new node that has the configuration but starts nothing (or --file FILE, or -; --json)" },
	{ "rpc", NULL, "EXPR [ARGS]", ANY_ARGS, NEEDS_NODE, command_rpc,
	  "Runs Lua in the running node and prints what it returns (or --file FILE, or -; --json)" },
	{ "remote", NULL, "", 0, NEEDS_NODE | NEEDS_REMOTE_ARGS, command_remote,
	  "Opens a console on the running node" },
	{ "stop", NULL, "", 0, NEEDS_NODE, command_stop, "Stops the running node; returns when its process is gone" },
	{ "restart", NULL, "", 0, NEEDS_NODE, command_restart,
	  "Restarts the running node with a fresh configuration; returns when it is ready again" },
	{ "pid", NULL, "", 0, NEEDS_NODE, command_pid, "Prints the process id of the running node" },
	{ "ping", NULL, "", 0, NEEDS_NODE, command_ping, "Prints 'pong' when the running node answers" },
	{ "status", NULL, "[--json]", ANY_ARGS, NEEDS_NODE, command_status,
	  "Shows the state of the running node and its components" },
	{ "config", NULL, "[ARGS]", ANY_ARGS, NEEDS_VM_ARGS, command_config,
	  "Shows the settings and where each comes from (get KEY, check, diff, describe; --next, --json)" },
	{ "version", "--version", "", 0, 0, command_version, "Prints the name and version of the release" },
	{ "env", NULL, "", 0, 0, command_env, "Prints the RELEASE_* variables and the command line of 'start'" },
	{ "verify", NULL, "[--json]", ANY_ARGS, BARE, command_verify,
	  "Checks every file of the bundle against its manifest; exit code 4 when one differs" },
	{ "logs", NULL, "[-f] [-n N]", ANY_ARGS, 0, command_logs, "Prints the log of the daemon; -f follows it" },
	{ "install", NULL, "[OPTIONS]", ANY_ARGS, 0, command_install,
	  "Writes a hardened systemd unit (--user, --run-as USER; --print shows it only)" },
	{ "uninstall", NULL, "[--user]", ANY_ARGS, 0, command_uninstall, "Removes the unit that install wrote" },
	{ "help", NULL, "[COMMAND]", 1, BARE, command_help, "Prints this list, or what a command does" },
};

static bool is_called(const struct command *command, const char *name)
{
	return strcmp(command->name, name) == 0 || (command->alias && strcmp(command->alias, name) == 0);
}

static const struct command *find_user_command(struct launch *launch, const char *name)
{
	struct command *command;

	if (!text_is_name(slice_of(name)) ||
	    !fs_exists(release_file(launch, arena_printf(&launch->arena, "commands/%s.lua", name))))
		return NULL;
	command = ARENA_NEW(&launch->arena, struct command);
	*command = (struct command){ .name = name,
				     .params = "[ARGS]",
				     .max_args = ANY_ARGS,
				     .needs = NEEDS_VM_ARGS,
				     .run = command_user,
				     .help = "Defined by this release" };
	return command;
}

const struct command *command_find(struct launch *launch, const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	for (size_t i = 0; i < command_count(); i++)
		if (is_called(&commands[i], name))
			return &commands[i];
	return launch->version ? find_user_command(launch, name) : NULL;
}

int command_check_args(const struct launch *launch, struct error *err)
{
	const struct command *command = launch->command;

	if (command->max_args == ANY_ARGS || launch->arg_count <= command->max_args)
		return 0;
	return error_set(err, ERROR_USAGE, "'%s' takes no %sarguments, got: %s", command->name,
			 command->max_args ? "more " : "", launch->args[command->max_args]);
}

size_t command_count(void)
{
	return sizeof(commands) / sizeof(commands[0]);
}

const struct command *command_at(size_t index)
{
	return &commands[index];
}
