/* SPDX-License-Identifier: MIT */
/*
 * A flag is a row: its name, what its value is called, what it means and how it is read. Everything else follows from
 * the table, so that a message, the help and the parser cannot disagree.
 */
#include "node/config/flag_table.h"

#include "base/scope.h"
#include "base/text.h"
#include "node/components/components.h"
#include "node/dist/dist.h"
#include "node/release.h"

#include <sched.h>
#include <string.h>

enum {
	WORKERS_MAX = 256,
	WORKERS_DEFAULT_MAX = 16,
	CONNECTIONS_MAX = 1000000,
	DIST_HEARTBEAT_LEAST_MS = 100,
	OUTPUT_MIN_BYTES = 64 << 10,
	LOG_MIN_BYTES = 4 << 10,
	CONSOLE_MIN_BYTES = 1 << 20,
	CONSOLE_SESSIONS_MAX = 10000,
	LOG_FILES_MAX = 1000,
	SECONDS_LIMIT = 86400,
};
#define OUTPUT_LIMIT_BYTES (UINT64_C(1) << 30)
#define SIZE_LIMIT_BYTES   (UINT64_C(1) << 40)

static int parse_number(const char *value, int64_t min, int64_t max, int64_t *out, struct error *err)
{
	int64_t number;
	if (!slice_to_int64(slice_of(value), &number) || number < min || number > max)
		return error_set(err, ERROR_INVALID, "expected a number from %lld to %lld, got '%s'", (long long)min,
				 (long long)max, value);
	*out = number;
	return 0;
}

static int parse_unsigned(const char *value, unsigned min, unsigned max, unsigned *out, struct error *err)
{
	int64_t number;
	int rc = parse_number(value, min, max, &number, err);
	if (rc == 0)
		*out = (unsigned)number;
	return rc;
}

static int parse_workers(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_unsigned(value, 1, WORKERS_MAX, &flags->workers, err);
}

static int parse_max_connections(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	int rc = parse_unsigned(value, 1, CONNECTIONS_MAX, &flags->max_connections_asked, err);
	if (rc == 0)
		flags->max_connections = flags->max_connections_asked;
	return rc;
}

static int parse_duration(const char *value, int64_t *out, struct error *err)
{
	uint64_t ms;
	if (!text_to_duration_ms(slice_of(value), &ms) || ms > INT32_MAX)
		return error_set(err, ERROR_INVALID, "expected a duration like 30s, 5m or 250ms, got '%s'", value);
	*out = (int64_t)ms;
	return 0;
}

static int parse_idle_timeout(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_duration(value, &flags->idle_timeout_ms, err);
}

static int parse_write_timeout(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_duration(value, &flags->write_timeout_ms, err);
}

static int parse_size(const char *value, uint64_t min, uint64_t max, uint64_t *out, struct error *err)
{
	uint64_t size;
	if (!text_to_size(slice_of(value), &size) || size < min || size > max)
		return error_set(err, ERROR_INVALID, "expected a size from %llu bytes to %llu GiB, got '%s'",
				 (unsigned long long)min, (unsigned long long)max >> 30, value);
	*out = size;
	return 0;
}

static int parse_max_output(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_size(value, OUTPUT_MIN_BYTES, OUTPUT_LIMIT_BYTES, &flags->max_output_bytes, err);
}

static int parse_log_max_size(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_size(value, LOG_MIN_BYTES, SIZE_LIMIT_BYTES, &flags->log_max_bytes, err);
}

static int parse_log_files(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_unsigned(value, 1, LOG_FILES_MAX, &flags->log_files, err);
}

static int parse_console_memory(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_size(value, CONSOLE_MIN_BYTES, SIZE_LIMIT_BYTES, &flags->console_memory_bytes, err);
}

static int parse_console_sessions(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_unsigned(value, 1, CONSOLE_SESSIONS_MAX, &flags->console_sessions, err);
}

static int parse_max_restarts(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_unsigned(value, 0, COMPONENT_RESTARTS_MAX, &flags->max_restarts, err);
}

static int parse_max_seconds(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	int64_t number;
	int rc = parse_number(value, 1, SECONDS_LIMIT, &number, err);
	if (rc == 0)
		flags->max_restarts_ms = number * 1000;
	return rc;
}

static int parse_log_level(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	if (log_level_parse(value, &flags->log_level))
		return 0;
	return error_set(err, ERROR_INVALID, "expected debug, info, notice, warn or error, got '%s'", value);
}

static int parse_log_format(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	if (log_format_parse(value, &flags->log_format))
		return 0;
	return error_set(err, ERROR_INVALID, "expected text or json, got '%s'", value);
}

static int parse_dist_listen(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	const char *colon = strrchr(value, ':');
	int64_t port;
	if (colon == NULL || colon == value || !slice_to_int64(slice_of(colon + 1), &port) || port < 0 || port > 65535)
		return error_set(err, ERROR_INVALID, "expected ADDRESS:PORT, got '%s'", value);
	flags->dist_listen = arena_string(arena, value);
	return 0;
}

static int parse_dist_heartbeat(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_number(value, DIST_HEARTBEAT_LEAST_MS, INT32_MAX, &flags->dist_heartbeat_ms, err);
}

static int parse_dist_memory(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_size(value, DIST_MEMORY_LEAST, SIZE_LIMIT_BYTES, &flags->dist_memory_bytes, err);
}

static int parse_heart(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	(void)value;
	(void)err;
	flags->heart = true;
	return 0;
}

static int parse_shutdown_timeout(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	(void)arena;
	return parse_number(value, 1, INT32_MAX, &flags->shutdown_timeout_ms, err);
}

static int parse_env(struct arena *arena, struct flags *flags, const char *value, struct error *err)
{
	const char *equals = strchr(value, '=');
	if (equals == NULL || equals == value)
		return error_set(err, ERROR_INVALID, "expected NAME=VALUE, got '%s'", value);
	if (release_settles((struct slice){ value, (size_t)(equals - value) }))
		return error_set(err, ERROR_INVALID, "%.*s is settled before this file is read; set it in env.sh",
				 (int)(equals - value), value);
	struct flag_env *entry = ARENA_NEW(arena, struct flag_env);
	entry->name = arena_copy(arena, (struct slice){ value, (size_t)(equals - value) });
	entry->value = arena_string(arena, equals + 1);
	*flags->env_tail = entry;
	flags->env_tail = &entry->next;
	return 0;
}

static const struct flag table[] = {
	{ "--workers", "N", "worker threads for connections (default: the processors usable, at most 16)",
	  parse_workers },
	{ "--max-connections", "N", "connections of all listeners together (default 16384)", parse_max_connections },
	{ "--idle-timeout", "DURATION", "closes connections that ask nothing for so long (default 0: never)",
	  parse_idle_timeout },
	{ "--write-timeout", "DURATION",
	  "cuts off clients that read nothing of their replies for so long (default 60s)", parse_write_timeout },
	{ "--max-output", "SIZE", "unsent replies of one connection; over it nothing more is read (default 8MiB)",
	  parse_max_output },
	{ "--log-level", "LEVEL", "debug, info, notice, warn or error (default info)", parse_log_level },
	{ "--log-format", "FORMAT", "text or json (default text)", parse_log_format },
	{ "--log-max-size", "SIZE", "the daemon's log is rotated at this size (default 10MiB)", parse_log_max_size },
	{ "--log-files", "N", "so many files of it are kept, the current one included (default 5)", parse_log_files },
	{ "--dist-listen", "ADDRESS:PORT", "where distribution 'name' listens", parse_dist_listen },
	{ "--console-memory", "SIZE", "what one console or expression may use (default 256MiB)", parse_console_memory },
	{ "--console-sessions", "N", "how many consoles and expressions may run at a time (default 256)",
	  parse_console_sessions },
	{ "--dist-heartbeat", "MS", "a link to another node that is silent for so long is lost (default 15000)",
	  parse_dist_heartbeat },
	{ "--dist-memory", "SIZE", "what all links to other nodes may hold (default 512MiB)", parse_dist_memory },
	{ "--heart", NULL, "a watchdog process restarts a dead node", parse_heart },
	{ "--shutdown-timeout", "MS", "how long a stop may take (default 30000)", parse_shutdown_timeout },
	{ "--max-restarts", "N", "a component that fails is restarted so often (default 3) …", parse_max_restarts },
	{ "--max-seconds", "N", "… in so many seconds before its mode decides (default 5)", parse_max_seconds },
	{ "--env", "NAME=VALUE", "sets a variable of the environment before the configuration is read", parse_env },
};

const struct flag *flag_table(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}

static unsigned usable_processors(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return count < 1 ? 1 : count > WORKERS_DEFAULT_MAX ? WORKERS_DEFAULT_MAX : (unsigned)count;
}

void flags_init(struct flags *flags)
{
	*flags = (struct flags){
		.workers = usable_processors(),
		.max_connections = 16384,
		.log_level = LOG_LEVEL_INFO,
		.log_format = LOG_FORMAT_TEXT,
		.max_connections_asked = 16384,
		.write_timeout_ms = 60000,
		.max_output_bytes = 8 << 20,
		.log_max_bytes = 10 << 20,
		.log_files = 5,
		.console_memory_bytes = UINT64_C(256) << 20,
		.console_sessions = 256,
		.max_restarts = 3,
		.max_restarts_ms = 5000,
		.shutdown_timeout_ms = 30000,
		.dist_heartbeat_ms = 15000,
		.dist_memory_bytes = DIST_MEMORY_BYTES,
	};
	flags->env_tail = &flags->env;
}

void flags_describe(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *argument = table[i].argument != NULL ? table[i].argument : "";
		int width = 26 - (int)strlen(table[i].name) - 1;
		buf_printf(out, "  %s %-*s  %s\n", table[i].name, width, argument, table[i].doc);
	}
}
