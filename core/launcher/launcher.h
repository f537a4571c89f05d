/* SPDX-License-Identifier: MIT */
/*
 * bin/NAME: finds its bundle, settles the RELEASE_* variables, and either becomes the runtime (start, eval, remote) or
 * talks to the running node over its control socket (stop, rpc, …). Static, libc only, no state on disk but the
 * daemon's log and the home cookie.
 *
 * The order of a command:
 *
 *	(init_stay_behind →) root_find → release_select → (env.sh: exec a shell that execs the launcher again) →
 *environ_fill → command->run
 *
 * The shell is part of an exec chain, so the process id never changes and `exit N` in env.sh ends the command with N.
 * Functions return 0 or a negative code with `err` filled; `run` returns the exit code and reports by itself.
 */
#ifndef LAUNCHER_LAUNCHER_H
#define LAUNCHER_LAUNCHER_H

#include "base/arena.h"
#include "base/error.h"

#include <stdio.h>
#include <sys/types.h>

/* exec failures end with 127, as a shell's do; MISMATCH is verify's */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISMATCH = 4, EXIT_EXEC = 127 };

struct command;

struct launch {
	struct arena arena;
	const char *self;            /* real path of this file: ROOT/bin/NAME */
	const char *root;            /* ROOT; "" when the bundle is the root folder itself */
	const char *file_name;       /* NAME */
	const char *argv0;           /* as started; `self` when it was empty */
	const char *runtime_version; /* of the selected release */
	const char *version;         /* the selected release */
	const struct command *command;
	const char *const *args; /* after the command's name */
	size_t arg_count;
	const char *cookie; /* once somebody asked for it */
};

/* ---- command.c: the table ---------------------------------------------------------------------------------------- */

enum command_needs {
	NEEDS_NODE = 1,        /* the running node: refused when RELEASE_DISTRIBUTION is none */
	NEEDS_VM_ARGS = 2,     /* the files that kvnode will read must exist */
	NEEDS_REMOTE_ARGS = 4, /* likewise, of the console client */
	NEEDS_WRITABLE = 8,    /* says where data go when the bundle cannot hold them */
	NEEDS_COOKIE = 16,     /* always for `name`; a given one is checked for `sname` and `none` too */
	BARE = 32,             /* works without a release: no env.sh, nothing filled */
};

struct command {
	const char *name;
	const char *alias; /* mix's name for it, or NULL */
	const char *params;
	unsigned max_args; /* ANY_ARGS: the command looks at them itself */
	unsigned needs;
	int (*run)(struct launch *launch);
	const char *help;
};
#define ANY_ARGS UINT_MAX

/* The built-in command of this name or alias, or a user-defined one when the selected release has
 * commands/NAME.lua; NULL when there is none. */
const struct command *command_find(struct launch *launch, const char *name);
/* INVALID, naming the argument too many. */
int command_check_args(const struct launch *launch, struct error *err);
size_t command_count(void);
const struct command *command_at(size_t index);

/* ---- usage.c -------------------------------------------------------------------------------------------------------
 */

void usage_print(struct launch *launch, FILE *out);
/* One command's lines on stdout. Returns the exit code. */
int usage_of(struct launch *launch, const struct command *command);
/* Is it "COMMAND --help"? */
bool usage_is_asked(const struct launch *launch);
int command_help(struct launch *launch);

/* ---- report.c: what people see -------------------------------------------------------------------------------------
 */

/* "ERROR: <message>" on stderr, whole, however long. Returns EXIT_FAILED. */
int report(const char *format, ...) __attribute__((format(printf, 1, 2)));
int report_error(const struct error *err);
/* "'it'\''s'": one word for a shell; plain when no quoting is needed. */
const char *shell_quote(struct arena *arena, const char *word);
/* 0, or EXIT_FAILED after a report: a failed write to stdout is a failed command. */
int flush_stdout(void);

/* ---- init.c: the first process of a container
 * ------------------------------------------------------------------------
 */

/* Returns at once, or, to the first process of a container, in a child of it. */
void init_stay_behind(void);

/* ---- root.c: where are we -------------------------------------------------------------------------------------------
 */

/* Fills self, root, file_name. Refuses a set-user-ID start and a path that the loader would expand. */
int root_find(struct launch *launch, struct error *err);
/* When a replacement of the bundle was interrupted: takes it back, so that no command sees half of each. */
int root_settle(const struct launch *launch, struct error *err);
/* The pure part: splits ROOT/bin/NAME. INVALID when `path` has another form or ROOT holds '$'. */
int root_split(struct arena *arena, const char *path, const char **root, const char **name, struct error *err);

/* ---- release.c: which version
 * ---------------------------------------------------------------------------------------- */

/* "RUNTIME RELEASE" and a newline. */
int release_parse_start(struct arena *arena, struct slice text, const char **runtime, const char **version,
			struct error *err);
/* Fills runtime_version and version: `wanted` when not NULL or empty, else what releases/start.data says. */
int release_select(struct launch *launch, const char *wanted, struct error *err);
/* "ROOT/releases/VERSION/NAME" */
const char *release_file(struct launch *launch, const char *name);
/* Appends to the arena the names of commands/NAME.lua without their suffix, sorted. */
size_t release_commands(struct launch *launch, const char ***names);

/* ---- environ.c: the RELEASE_* variables ----------------------------------------------------------------------------
 */

/* In the order that `env` prints them. */
extern const char *const environ_names[];
size_t environ_count(void);
/* NULL when unset or empty. */
const char *environ_get(const char *name);
void environ_set(const char *name, const char *value);
/* What env.sh may look at: ROOT, NAME, VSN, COMMAND, PROG. */
void environ_fill_first(struct launch *launch);
/* Everything else, checked. */
int environ_fill(struct launch *launch, struct error *err);
/* The full node name: `given` or `name` alone, completed by the host for the mode of distribution. */
int environ_node(struct arena *arena, const char *given, const char *distribution, const char *host_name,
		 const char **out, struct error *err);
/* This machine's name, "localhost" when it has none that fits a node name. */
const char *environ_host(struct arena *arena);
/* LD_PRELOAD and LD_AUDIT become XD_…: libraries of the host must not enter the bundle's loader. */
void environ_hide_preload(void);

/* ---- envsh.c: env.sh ------------------------------------------------------------------------------------------------
 */

/* Nothing but blank lines and comments. */
bool envsh_is_idle(struct slice text);
/* Was this process's env.sh run already? Forgets the mark. *version gets the version it was run for. */
bool envsh_take_mark(struct arena *arena, const char **version);
/* The text for `sh -c`. */
const char *envsh_script(struct launch *launch, const char *path, bool has_cookie);
/* Returns 0 when there is nothing to run; does not return after it executed the shell. */
int envsh_run(struct launch *launch, struct error *err);

/* ---- cookie.c
 * -------------------------------------------------------------------------------------------------------- */

/*
 * The cookie by the contract's order; *cookie is NULL when none is given and `make_home` is false. RELEASE_COOKIE
 * leaves the environment in any case.
 */
int cookie_resolve(struct launch *launch, bool make_home, const char **cookie, struct error *err);
/* May a file of this owner and mode hold a secret of `uid`? */
bool cookie_mode_is_safe(uid_t owner, mode_t mode, uid_t uid, bool credential);
/* A descriptor that survives exec and holds the cookie. */
int cookie_to_fd(const char *cookie, int *fd, struct error *err);
int text_to_fd(const char *name, const char *text, int *fd, struct error *err);

/* ---- runtime.c: becoming kvnode
 * ---------------------------------------------------------------------------------------- */

/* The program to execute and its whole argument vector; NULL-terminated, in the arena. */
struct runtime_line {
	const char *file;
	const char **argv;
	bool bundled; /* started by the bundle's own loader */
};
void runtime_line(struct launch *launch, const char *program, const char *argv0, const char *const *args,
		  size_t arg_count, struct runtime_line *out);
/* Executes; returns only to fail, after a report, EXIT_EXEC. */
int runtime_exec(const struct runtime_line *line);
/* The text that runtime_exec's report would hold; for the daemon's parent. */
const char *runtime_exec_problem(struct arena *arena, const char *file, int errnum);

/* Adds --cookie-fd with the cookie of the variables' order, when there is one. */
int runtime_add_cookie(struct launch *launch, const char **args, size_t *count, struct error *err);
/* A child that carries the control protocol to RELEASE_NODE, which is reached by name; see channel.c. */
int channel_start(struct launch *launch, int *out_fd, pid_t *out_child, struct error *err);
enum channel_end {
	CHANNEL_SAID,    /* why it failed, to the user */
	CHANNEL_NOBODY,  /* is there; nothing was said */
	CHANNEL_HUNG_UP, /* the node, as one does that stops; nothing was said */
};
/* Waits for the child's end. */
enum channel_end channel_end(pid_t child);

int command_start(struct launch *launch);
int command_start_console(struct launch *launch);
int command_remote(struct launch *launch);
/* kvnode start with --cookie-fd and, when ready_fd >= 0, --ready-fd. */
int start_line(struct launch *launch, bool console, int ready_fd, struct runtime_line *out, struct error *err);

/* ---- script.c: the Lua text of eval and rpc
 * ------------------------------------------------------------------------------ */

struct script {
	bool json;
	const char *chunk; /* its name in messages */
	const char *text;
	const char *const *args;
	size_t arg_count;
};
/* EXPR | --file F | - , with --json before it and arguments after it. `what` is "EVAL" or "RPC". */
int script_parse(struct arena *arena, const char *const *args, size_t arg_count, const char *what, struct script *out,
		 struct error *err);
int command_eval(struct launch *launch);
int command_user(struct launch *launch);

/* ---- daemon.c
 * ------------------------------------------------------------------------------------------------------------- */

int command_daemon(struct launch *launch);
const char *daemon_log_path(struct launch *launch);
/* At most `lines` last lines of `text`. */
struct slice daemon_tail(struct slice text, size_t lines);

/* ---- logs.c
 * --------------------------------------------------------------------------------------------------------------- */

int command_logs(struct launch *launch);

/* ---- client.c: the running node
 * ---------------------------------------------------------------------------------------------- */

int command_rpc(struct launch *launch);
int command_stop(struct launch *launch);
int command_restart(struct launch *launch);
int command_ping(struct launch *launch);
int command_pid(struct launch *launch);
int command_status(struct launch *launch);

enum control_type;
/* Whether the node of RELEASE_NODE runs on this host, without a word. */
bool client_find(struct launch *launch, pid_t *pid);
/* Before a program that talks to the node takes the terminal: does it answer, and will one that restarts? A node that
 * is reached by name is left to that program. 0, or the exit code after a report. */
int client_greet(struct launch *launch);
/* Sends one request and prints the answer; the time (client.h) is for each word of it. 0, or the exit code after a
 * report. */
int client_ask(struct launch *launch, enum control_type type, struct slice payload, int timeout_ms);

/* ---- config.c ------------------------------------------------------------------------------------------------------
 */

int command_config(struct launch *launch);

/* ---- show.c
 * ------------------------------------------------------------------------------------------------------------------ */

int command_version(struct launch *launch);
int command_verify(struct launch *launch);
int command_env(struct launch *launch);

/* ---- install.c: the systemd unit ----------------------------------------------------------------------------------
 */

int command_install(struct launch *launch);
int command_uninstall(struct launch *launch);

#endif
