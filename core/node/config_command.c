/* SPDX-License-Identifier: MIT */
/*
 * `kvnode config`: the configuration that the next boot would have, without booting; nothing is opened, started or
 * stopped.
 *
 *	config [--json]             every value and where it came from
 *	config [--json] get C.KEY   one value
 *	config check                says only whether it is valid
 */
#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/schema.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_value(struct buf *out, const struct setting *setting)
{
	if (setting->value == NULL)
		buf_append_string(out, "null");
	else if (schema_is_secret(setting->schema))
		json_write_string(out, SLICE(CONFIG_MASK));
	else
		json_write(out, setting->value, 0);
}

static void write_line(struct buf *out, const char *component, const struct setting *setting)
{
	char position[512];
	size_t before = out->size;
	buf_printf(out, "%s.%s = ", component, setting->key);
	write_value(out, setting);
	const struct origin *origin = setting->value != NULL ? &setting->value->origin : &setting->schema->origin;
	int gap = 48 - (int)(out->size - before);
	buf_printf(out, "%*s  # %s%s\n", gap > 0 ? gap : 0, "",
		   origin->file != NULL ? origin_text(origin, position, sizeof(position)) : "unknown",
		   setting->is_default ? " (default)" : "");
}

static void write_all(struct buf *out, const struct config *config, bool json)
{
	if (json) {
		SCOPE(arena_done) struct arena arena = { 0 };
		json_write(out, config_describe(config, &arena), 2);
		buf_append_char(out, '\n');
		return;
	}
	for (size_t i = 0; i < config->count; i++) {
		const struct config_component *component = &config->components[i];
		for (size_t j = 0; j < component->count; j++)
			write_line(out, component->name, &component->settings[j]);
	}
}

static int write_one(struct buf *out, const struct config *config, const char *path, bool json, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct slice component;
	struct slice key;
	slice_split(slice_of(path), '.', &component, &key);
	const struct setting *setting = config_setting(config, arena_copy(&arena, component), arena_copy(&arena, key));
	if (setting == NULL)
		return error_set(err, ERROR_NOT_FOUND, "there is no setting '%s'; expected COMPONENT.KEY", path);
	bool plain = !json && setting->value != NULL && setting->value->type == VALUE_STRING &&
		     !schema_is_secret(setting->schema);
	if (plain)
		buf_append_slice(out, setting->value->string);
	else
		write_value(out, setting);
	buf_append_char(out, '\n');
	return 0;
}

static int answer(const struct config *config, const struct command_options *options, struct buf *out,
		  struct error *err)
{
	const char *what = options->argc > 0 ? options->argv[0] : "";
	if (options->argc == 0)
		write_all(out, config, options->json);
	else if (strcmp(what, "check") == 0 && options->argc == 1)
		buf_append_string(out, options->json ? "true\n" : "the configuration is valid\n");
	else if (strcmp(what, "get") == 0 && options->argc == 2)
		return write_one(out, config, options->argv[1], options->json, err);
	else if (strcmp(what, "diff") == 0)
		return error_set(err, ERROR_UNSUPPORTED, "'config diff' is not supported yet");
	else
		return error_set(err, ERROR_USAGE, "expected config [--json] [check | get COMPONENT.KEY]");
	return out->failed ? error_set(err, ERROR_NO_MEMORY, "no memory for the configuration") : 0;
}

int command_config(const struct command_options *options)
{
	static struct node node;
	SCOPE(report_done) struct report report = { 0 };
	SCOPE(buf_done) struct buf out = { 0 };
	const struct node_options node_options = { .cookie_fd = options->cookie_fd, .ready_fd = -1 };
	struct error err;
	int rc = node_prepare(&node, &node_options, &report, &err);
	if (rc == 0)
		rc = answer(&node.config, options, &out, &err);
	if (rc == 0)
		rc = fs_write_all(STDOUT_FILENO, out.data, out.size, &err);
	if (rc != 0)
		command_report(&report, &err);
	node_done(&node);
	return rc == 0 ? 0 : error_exit_code(err.code);
}
