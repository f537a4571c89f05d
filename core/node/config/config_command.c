/* SPDX-License-Identifier: MIT */
/*
 * `kvnode config`: the configuration that the next boot would have, without booting; nothing is opened, started or
 * stopped.
 *
 *	config [--json]             every value and where it came from
 *	config [--json] get C.KEY   one value
 *	config [--json] check       says only whether it is valid
 *	config [--json] diff        what differs from the node of this name that runs
 *	config [--json] describe [C[.KEY]]   what the components say of their settings
 */
#include "base/control.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/config/config_reference.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- diff: the running node compares ---- */

static int connect_node(const struct release *release, int *fd, struct error *err)
{
	char dir[4096];
	int rc = control_dir(dir, sizeof(dir), release->tmp, false, err);
	if (rc == 0)
		rc = control_connect(dir, release->node, fd, err);
	if (rc == -ERROR_NOT_FOUND)
		return error_set(err, ERROR_FAILED, "%s is not running", release->node);
	return rc;
}

static int send_settings(int fd, const struct config *config, bool json, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf payload = { 0 };
	buf_append(&payload, "diff", sizeof("diff"));
	buf_append_string(&payload, json ? "json" : "text");
	buf_append_char(&payload, '\0');
	json_write(&payload, config_disclose(config, &arena), 0);
	int rc = payload.failed ? error_set(err, ERROR_NO_MEMORY, "no memory for the configuration")
		 : payload.size >= CONTROL_FRAME_MAX
			 ? error_set(err, ERROR_UNSUPPORTED,
				     "comparing more than %d bytes of settings is not supported yet", CONTROL_FRAME_MAX)
			 : control_send(fd, CONTROL_CONFIG, buf_slice(&payload), err);
	if (payload.data != NULL)
		explicit_bzero(payload.data, payload.capacity);
	return rc;
}

static int take_answer(int fd, struct buf *out, struct error *err)
{
	SCOPE(buf_done) struct buf frame = { 0 };
	char *memory = buf_reserve(&frame, CONTROL_FRAME_MAX);
	if (memory == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for the answer");
	for (;;) {
		char type;
		struct slice payload;
		int rc = control_receive(fd, memory, CONTROL_FRAME_MAX, &type, &payload, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return error_set(err, ERROR_FAILED, "the node closed the connection");
		if (type == CONTROL_OUT)
			buf_append_slice(out, payload);
		if (type == CONTROL_DONE && payload.size > 0 && payload.data[0] != 0)
			return error_set(err, ERROR_FAILED, "%.*s", (int)payload.size - 1, payload.data + 1);
		if (type == CONTROL_DONE)
			return 0;
	}
}

static int compare(const struct node *node, bool json, struct buf *out, struct error *err)
{
	SCOPE_FD int fd = -1;
	int rc = connect_node(&node->release, &fd, err);
	if (rc == 0)
		rc = send_settings(fd, &node->config, json, err);
	return rc == 0 ? take_answer(fd, out, err) : rc;
}

/* ---- check ---- */

static void add_lines(struct arena *arena, struct value *document, const char *key, const struct buf *text)
{
	struct value *list = value_list(arena);
	struct slice rest = buf_slice(text);
	struct slice line;
	while (report_next_line(&rest, &line))
		value_list_add(arena, list, value_string(arena, line));
	value_map_add(arena, document, slice_of(key), list);
}

static void write_verdict(const struct report *report, bool json, struct buf *out)
{
	if (!json) {
		buf_append_string(out, "the configuration is valid\n");
		return;
	}
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *document = value_map(&arena);
	value_map_add(&arena, document, SLICE("valid"), value_bool(&arena, report->errors == 0));
	add_lines(&arena, document, "mistakes", &report->text);
	add_lines(&arena, document, "warnings", &report->warnings);
	json_write(out, document, 2);
	buf_append_char(out, '\n');
}

static int check_flags(struct node *node, struct report *report, struct error *err)
{
	int rc = node_check_flags(node, err);
	if (rc != 0)
		report_line(report, arena_printf(&node->arena, "error: %s", err->message));
	return rc;
}

/* ---- the command ---- */

static bool is_word(const struct command_options *options, const char *word)
{
	return options->argc > 0 && strcmp(options->argv[0], word) == 0;
}

static int check_usage(const struct command_options *options, struct error *err)
{
	bool sound =
		options->argc == 0 || (options->argc == 1 && (is_word(options, "check") || is_word(options, "diff"))) ||
		(options->argc == 2 && is_word(options, "get")) || (options->argc <= 2 && is_word(options, "describe"));
	return sound ? 0
		     : error_set(err, ERROR_USAGE,
				 "expected config [--json] [check | diff | get COMPONENT.KEY | describe [NAME]]");
}

static int answer(const struct node *node, const struct command_options *options, const struct report *report,
		  struct buf *out, struct error *err)
{
	if (is_word(options, "check"))
		write_verdict(report, options->json, out);
	else if (is_word(options, "diff"))
		return compare(node, options->json, out, err);
	else if (is_word(options, "get"))
		return config_show_one(&node->config, options->argv[1], options->json, out, err);
	else {
		if (!options->json)
			buf_printf(out, "# %s, as it would boot next\n", node->release.node);
		config_show(&node->config, options->json, out);
	}
	return 0;
}

/* Needs no configuration that holds. */
static int describe(const struct command_options *options, struct buf *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct release release;
	struct sys sys;
	int rc = release_read(&arena, &release, err);
	if (rc == 0)
		rc = sys_load(&arena, &release, &sys, err);
	const char *name = options->argc > 1 ? options->argv[1] : NULL;
	return rc == 0 ? config_reference(&sys, name, options->json, out, err) : rc;
}

static int run(struct node *node, const struct command_options *options, struct report *report, struct error *err)
{
	SCOPE(buf_done) struct buf out = { 0 };
	const struct node_options node_options = { .cookie_fd = options->cookie_fd, .ready_fd = -1 };
	int rc = check_usage(options, err);
	bool reference = is_word(options, "describe");
	if (rc == 0)
		rc = reference ? describe(options, &out, err) : node_prepare(node, &node_options, report, err);
	if (rc == 0 && is_word(options, "check"))
		rc = check_flags(node, report, err);
	if (rc == 0 && !reference)
		rc = answer(node, options, report, &out, err);
	else if (options->json && is_word(options, "check") && report->errors > 0)
		write_verdict(report, true, &out);
	if (out.failed)
		return error_set(err, ERROR_NO_MEMORY, "no memory for the configuration");
	struct error why;
	if (out.size > 0 && fs_write_all(STDOUT_FILENO, out.data, out.size, &why) != 0)
		return error_set(err, why.code, "cannot write to stdout: %s", why.message);
	return rc;
}

int command_config(const struct command_options *options)
{
	static struct node node = { .lock_fd = -1 };
	SCOPE(report_done) struct report report = { 0 };
	struct error err;
	int rc = run(&node, options, &report, &err);
	if (report.warnings.size > 0)
		(void)fs_write_all(STDERR_FILENO, report.warnings.data, report.warnings.size, NULL);
	if (rc != 0)
		command_report(&report, &err);
	node_done(&node);
	return rc == 0 ? 0 : error_exit_code(err.code);
}
