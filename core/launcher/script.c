/* SPDX-License-Identifier: MIT */
/*
 * What eval and rpc are asked to run: EXPR, --file F or - for stdin; --json before it; arguments for the script after
 * it, verbatim, a leading -- dropped. A user-defined command is an eval of its file.
 */
#include "client.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* One argument of a command line holds 128 KiB with its end (the kernel's MAX_ARG_STRLEN). */
enum { SCRIPT_MAX = 1 << 20, BLOCK = 16 * 1024, ARGUMENT_MAX = 128 * 1024 - 2 };

/* Not /dev/stdin: an empty root may have no /proc behind it. */
static int read_stdin(struct buf *out, struct error *err)
{
	ssize_t got;

	buf_init(out, SCRIPT_MAX);
	do {
		char *to = buf_reserve(out, BLOCK);

		if (!to)
			return error_set(err, ERROR_LIMIT, "cannot read stdin: longer than %d bytes", SCRIPT_MAX);
		got = read(STDIN_FILENO, to, BLOCK);
		if (got > 0)
			out->size += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0 ? error_system(err, errno, "cannot read stdin") : 0;
}

/* `path` NULL: stdin. */
static int read_script(struct arena *arena, const char *path, struct script *out, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int r = path ? fs_read(path, SCRIPT_MAX, &text, err) : read_stdin(&text, err);

	if (r < 0)
		return r;
	out->chunk = path ? path : "stdin";
	if (text.size && memchr(text.data, '\0', text.size))
		return error_set(err, ERROR_INVALID, "%s: a NUL byte is no Lua text", out->chunk);
	out->text = arena_copy(arena, slice_skip_bom(buf_slice(&text)));
	/* a file may begin with a #! line; the line stays, so that line numbers do. On stdin `#arg` is an expression */
	if (out->text[0] == '#' && (path || out->text[1] == '!'))
		out->text = arena_printf(arena, "--%s", out->text);
	return 0;
}

static int missing(const char *what, struct error *err)
{
	return error_set(err, ERROR_INVALID, "%s expects an expression as argument", what);
}

/* Options in front; *index is the first word that is none. */
static int parse_options(struct script *out, const char **file, const char *const *args, size_t count, size_t *index,
			 const char *what, struct error *err)
{
	size_t i = 0;

	for (; i < count; i++) {
		if (strcmp(args[i], "--json") == 0) {
			out->json = true;
		} else if (strcmp(args[i], "--file") == 0) {
			if (++i == count)
				return error_set(err, ERROR_INVALID, "%s --file expects the path of a file", what);
			*file = args[i];
		} else if (strcmp(args[i], "--") == 0) {
			i++;
			break;
		} else if (strncmp(args[i], "--", 2) == 0 && args[i][2] != ' ' && !strpbrk(args[i], "\n[")) {
			return error_set(err, ERROR_INVALID, "%s does not know the option '%s'", what, args[i]);
		} else {
			break;
		}
	}
	*index = i;
	return 0;
}

int script_parse(struct arena *arena, const char *const *args, size_t arg_count, const char *what, struct script *out,
		 struct error *err)
{
	struct script script = { 0 };
	const char *file = NULL;
	size_t i = 0;
	int r = parse_options(&script, &file, args, arg_count, &i, what, err);

	if (r < 0)
		return r;
	if (!file) {
		if (i == arg_count || !*args[i])
			return missing(what, err);
		script.text = args[i++];
		script.chunk = strcmp(what, "RPC") == 0 ? "rpc" : "eval";
		if (strcmp(script.text, "-") == 0)
			r = read_script(arena, NULL, &script, err);
		if (i < arg_count && strcmp(args[i], "--") == 0)
			i++;
	} else {
		r = read_script(arena, strcmp(file, "-") == 0 ? NULL : file, &script, err);
	}
	if (r < 0)
		return r;
	script.args = args + i;
	script.arg_count = arg_count - i;
	*out = script;
	return 0;
}

static int run_script(struct launch *launch, const struct script *script)
{
	size_t room = script->arg_count + 8, count = 0;
	const char **args = arena_array(&launch->arena, room, sizeof(*args));
	struct runtime_line line;
	struct error err;
	int fd;

	args[count++] = "eval";
	if (script->json)
		args[count++] = "--json";
	args[count++] = "--chunk";
	args[count++] = script->chunk;
	if (strlen(script->text) > ARGUMENT_MAX) {
		if (text_to_fd("script", script->text, &fd, &err) < 0)
			return report_error(&err);
		args[count++] = "--text-fd";
		args[count++] = arena_printf(&launch->arena, "%d", fd);
		args[count++] = "--"; /* of the arguments: the first may look like an option */
	} else {
		/* a text that begins with '-' must not look like an option */
		args[count++] =
			script->text[0] == '-' ? arena_printf(&launch->arena, " %s", script->text) : script->text;
	}
	args = memcpy(arena_array(&launch->arena, room + script->arg_count, sizeof(*args)), args,
		      count * sizeof(*args));
	memcpy(args + count, script->args, script->arg_count * sizeof(*args));
	runtime_line(launch, "kvnode", "kvnode", args, count + script->arg_count, &line);
	return runtime_exec(&line);
}

int command_eval(struct launch *launch)
{
	struct script script;
	struct error err;

	unsetenv("RELEASE_COOKIE");
	if (script_parse(&launch->arena, launch->args, launch->arg_count, "EVAL", &script, &err) < 0)
		return report_error(&err);
	return run_script(launch, &script);
}

int command_rpc(struct launch *launch)
{
	SCOPE(buf_done) struct buf payload = { 0 };
	struct script script;
	struct error err;

	if (script_parse(&launch->arena, launch->args, launch->arg_count, "RPC", &script, &err) < 0)
		return report_error(&err);
	buf_init(&payload, CONTROL_FRAME_MAX - 1);
	buf_append_string(&payload, script.json ? "json stdin" : "stdin");
	buf_append_char(&payload, '\0');
	buf_append_string(&payload, script.chunk);
	buf_append_char(&payload, '\0');
	buf_append_string(&payload, script.text);
	for (size_t i = 0; i < script.arg_count; i++) {
		buf_append_char(&payload, '\0');
		buf_append_string(&payload, script.args[i]);
	}
	if (payload.failed)
		return report("RPC takes at most %d bytes of text and arguments: load the rest with dofile()",
			      CONTROL_FRAME_MAX - 1);
	session_catch_interrupt();
	return client_ask(launch, CONTROL_RPC, buf_slice(&payload), FOR_EVER);
}

int command_user(struct launch *launch)
{
	struct script script = { .args = launch->args, .arg_count = launch->arg_count };
	const char *path = release_file(launch, arena_printf(&launch->arena, "commands/%s.lua", launch->command->name));
	struct error err;

	unsetenv("RELEASE_COOKIE");
	if (read_script(&launch->arena, path, &script, &err) < 0)
		return report_error(&err);
	return run_script(launch, &script);
}
