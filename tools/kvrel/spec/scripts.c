/* SPDX-License-Identifier: MIT */
#include "spec/scripts.h"

#include "base/scope.h"
#include "base/text.h"

/* Names that bin/NAME keeps for itself. */
static const char *const launcher_commands[] = {
	"start",  "start_console", "start_iex", "daemon",    "daemon_console", "daemon_iex", "eval",    "rpc",
	"remote", "stop",          "restart",   "pid",       "ping",           "status",     "version", "config",
	"env",    "logs",          "install",   "uninstall", "verify",         "help",
};

static const char *const hook_names[] = { "pre_start", "post_start", "pre_stop", "post_stop" };

static bool command_name_is_free(const struct reader *reader, const struct member *member)
{
	const char *name = reader_printable(reader, member->key);
	if (!text_is_name(member->key)) {
		reader_mistake(reader, &member->origin,
			       "invalid command name '%s' %s: at most 64 of a-z, 0-9 and '_' are allowed, beginning "
			       "with a letter",
			       name, reader->where);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(launcher_commands); i++) {
		if (!slice_is(member->key, launcher_commands[i]))
			continue;
		reader_mistake(reader, &member->origin, "command '%s' %s: the launcher has a command of this name",
			       name, reader->where);
		return false;
	}
	return true;
}

static bool is_hook(const struct reader *reader, const struct member *member)
{
	for (size_t i = 0; i < ARRAY_LEN(hook_names); i++)
		if (slice_is(member->key, hook_names[i]))
			return true;
	const char *name = reader_printable(reader, member->key);
	const char *hint = reader_suggest(reader, name, hook_names, ARRAY_LEN(hook_names));
	if (*hint == '\0')
		hint = arena_printf(reader->arena, "; hooks are %s",
				    reader_join(reader, hook_names, ARRAY_LEN(hook_names)));
	reader_mistake(reader, &member->origin, "unknown hook '%s' %s%s", name, reader->where, hint);
	return false;
}

static size_t read_files(const struct reader *reader, const char *key, const struct value *files,
			 bool (*accepts)(const struct reader *reader, const struct member *member),
			 struct spec_named_file **out)
{
	size_t count = 0;
	if (!files)
		return 0;
	*out = arena_array(reader->arena, files->map.count, sizeof(**out));
	for (size_t i = 0; i < files->map.count; i++) {
		const struct member *member = &files->map.members[i];
		bool accepted = accepts(reader, member);
		if (member->value->type == VALUE_NULL)
			continue;
		const char *path = reader_existing(reader, key, member->value, false);
		if (accepted && path)
			(*out)[count++] = (struct spec_named_file){ .name = arena_copy(reader->arena, member->key),
								    .path = path,
								    .origin = member->origin };
	}
	return count;
}

void commands_read(const struct reader *reader, const struct value *commands, struct spec_release *out)
{
	out->command_count = read_files(reader, "commands", commands, command_name_is_free, &out->commands);
}

void hooks_read(const struct reader *reader, const struct value *hooks, struct spec_release *out)
{
	out->hook_count = read_files(reader, "hooks", hooks, is_hook, &out->hooks);
}
