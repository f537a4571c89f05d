/* SPDX-License-Identifier: MIT */
/*
 * `config`: a node that runs, here or on another host, is asked for what it has; otherwise, and for what the next boot
 * of a node of this host would have, kvnode reads the configuration without starting anything.
 *
 * The next boot of a running node is its restart, and that keeps the node's environment. So the variables that the node
 * was started with stand behind the caller's own: `config check` in a shell without PORT says what `restart` would do,
 * and `PORT=5000 bin/NAME config diff` what another port would change.
 */
#include "client.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/fs.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

enum { ENVIRONMENT_MAX_BYTES = 8 << 20 };

struct wanted {
	const char *what; /* show, get, check, diff, describe */
	const char *key;  /* get, describe */
	bool json, next;
};

static int usage(const char *problem, const char *word)
{
	return report("%s%s: expected config [--json] [--next] [get COMPONENT.KEY | check | diff | describe [NAME]]",
		      problem, word);
}

/* 0, or the exit code after a report. */
static int parse(const struct launch *launch, struct wanted *out)
{
	const char *words[2] = { "show", NULL };
	size_t count = 0;
	bool get, describe;

	for (size_t i = 0; i < launch->arg_count; i++) {
		const char *arg = launch->args[i];

		if (strcmp(arg, "--json") == 0)
			out->json = true;
		else if (strcmp(arg, "--next") == 0)
			out->next = true;
		else if (arg[0] == '-')
			return usage("unknown option ", arg);
		else if (count == 2)
			return usage("unexpected argument ", arg);
		else
			words[count++] = arg;
	}
	get = strcmp(words[0], "get") == 0;
	describe = strcmp(words[0], "describe") == 0;
	if (count > 0 && !get && !describe && strcmp(words[0], "check") != 0 && strcmp(words[0], "diff") != 0)
		return usage("unknown argument ", words[0]);
	if (get && count < 2)
		return usage("'config get' needs the name of a setting", "");
	if (!get && !describe && count == 2)
		return usage("unexpected argument ", words[1]);
	out->what = words[0];
	out->key = words[1];
	return 0;
}

static bool belongs_to_process(struct slice name)
{
	static const char *const own[] = { "_", "PWD", "OLDPWD", "SHLVL", "NOTIFY_SOCKET", "INVOCATION_ID" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (slice_is(name, own[i]))
			return true;
	return slice_starts(name, SLICE("RELEASE_")) || slice_starts(name, SLICE("KVREL_"));
}

/* A node whose environment cannot be read is one that we could not restart either. */
static void take_environment_of(struct launch *launch, pid_t pid)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct slice rest;

	if (fs_read(arena_printf(&launch->arena, "/proc/%d/environ", (int)pid), ENVIRONMENT_MAX_BYTES, &text, NULL) < 0)
		return;
	rest = buf_slice(&text);
	while (rest.size > 0) {
		struct slice entry, name, value;

		slice_split(rest, '\0', &entry, &rest);
		if (slice_split(entry, '=', &name, &value) && name.size > 0 && !belongs_to_process(name))
			setenv(arena_copy(&launch->arena, name), arena_copy(&launch->arena, value), 0);
	}
}

static int ask_running(struct launch *launch, const struct wanted *wanted)
{
	SCOPE(buf_done) struct buf payload = { 0 };

	buf_append_string(&payload, wanted->what);
	buf_append_char(&payload, '\0');
	buf_append_string(&payload, wanted->json ? "json" : "text");
	buf_append_char(&payload, '\0');
	buf_append_string(&payload, wanted->key ? wanted->key : "");
	return payload.failed ? report("out of memory")
			      : client_ask(launch, CONTROL_CONFIG, buf_slice(&payload), ANSWER_MS);
}

static int read_next(struct launch *launch, const struct wanted *wanted)
{
	const char *args[5] = { "config" };
	size_t count = 1;
	struct runtime_line line;

	if (wanted->json)
		args[count++] = "--json";
	if (strcmp(wanted->what, "show") != 0)
		args[count++] = wanted->what;
	if (wanted->key)
		args[count++] = wanted->key;
	unsetenv("RELEASE_COOKIE");
	runtime_line(launch, "kvnode", "kvnode", args, count, &line);
	return runtime_exec(&line);
}

static bool is_by_name(void)
{
	return strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0;
}

/* Found by name alone, so that it is asked over TLS: 1, 0 when nobody is there, -1 after the channel said what is
 * wrong.
 */
static int look_elsewhere(struct launch *launch)
{
	struct session session = { .launch = launch, .fd = -1 };
	struct error err;
	enum channel_end end;
	bool answers;

	if (!is_by_name())
		return 0;
	if (channel_start(launch, &session.fd, &session.child, &err) < 0) {
		report_error(&err);
		return -1;
	}
	answers = session_greet(&session, ANSWER_MS, &err) == 0;
	end = session_channel_end(&session);
	return answers ? 1 : end == CHANNEL_SAID ? -1 : 0;
}

int command_config(struct launch *launch)
{
	struct wanted wanted = { 0 };
	int code = parse(launch, &wanted);
	bool next = wanted.next || (!code && strcmp(wanted.what, "get") != 0 && strcmp(wanted.what, "show") != 0);
	bool running;
	int elsewhere;
	pid_t pid;

	if (code)
		return code;
	running = strcmp(environ_get("RELEASE_DISTRIBUTION"), "none") != 0 && client_find(launch, &pid);
	elsewhere = next || running ? 0 : look_elsewhere(launch);
	if (elsewhere < 0)
		return EXIT_FAILED;
	if (!next && (running || elsewhere))
		return ask_running(launch, &wanted);
	if (!running && strcmp(wanted.what, "diff") == 0)
		return report("%s is not running%s", environ_get("RELEASE_NODE"),
			      is_by_name() ? " on this host, whose files 'config diff' reads" : "");
	if (running)
		take_environment_of(launch, pid);
	return read_next(launch, &wanted);
}
