/* SPDX-License-Identifier: MIT */
/*
 * The runtime's flags: what vm.args holds and what the command line may hold as well. One table drives parsing,
 * messages and help.
 */
#ifndef NODE_FLAGS_H
#define NODE_FLAGS_H

#include "base/log.h"
#include "node/config/report.h"

struct flag_env {
	const char *name;
	const char *value;
	struct flag_env *next;
};

struct flags {
	unsigned workers;
	unsigned max_connections;
	enum log_level log_level;
	enum log_format log_format;
	const char *dist_listen; /* NULL: not given */
	int64_t dist_heartbeat_ms;
	uint64_t dist_memory_bytes;
	bool heart;
	int64_t shutdown_timeout_ms;
	unsigned max_connections_asked; /* max_connections may be lower: what the limit of open files allows */
	int64_t idle_timeout_ms;        /* 0: none */
	int64_t write_timeout_ms;       /* 0: none */
	uint64_t max_output_bytes;
	uint64_t log_max_bytes;
	unsigned log_files;
	unsigned max_restarts;
	int64_t max_restarts_ms;
	uint64_t console_memory_bytes; /* of one console or expression */
	unsigned console_sessions;     /* consoles and expressions at one time */
	struct flag_env *env;          /* in the order given */
	struct flag_env **env_tail;
};

/* What holds when nothing is given. */
void flags_init(struct flags *flags);
/*
 * Reads a flags file: one flag a line, `#` comments, shell-like quotes. Every mistake goes to the report with `shown`
 * and its line; only a file that cannot be read is an error.
 */
int flags_read(struct arena *arena, const char *path, const char *shown, struct flags *flags, struct report *report,
	       struct error *err);
/*
 * Takes the flags at the front of a command line. Returns how many arguments it took; mistakes go to the report.
 */
int flags_take(struct arena *arena, const char *const *argv, int argc, struct flags *flags, struct report *report);
/* Puts the --env settings into the environment. */
int flags_apply_env(const struct flags *flags, struct error *err);
/* One line a flag: "--workers N    …", for help. */
void flags_describe(struct buf *out);

#endif
