/* SPDX-License-Identifier: MIT */
#include "build/check_lua.h"

#include "build/render.h"

#include "script/script.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <stdlib.h>

enum { LUA_BYTES_MAX = 16 << 20 };

struct checking {
	struct arena *arena;
	const struct spec *spec;
	struct script *script;
	struct diagnostics *diagnostics;
};

static bool is_known(const struct diagnostics *diagnostics, const struct origin *origin, const char *message)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *known = &diagnostics->items[i];
		if (known->origin.file && strcmp(known->origin.file, origin->file) == 0 &&
		    known->origin.line == origin->line && strcmp(known->message, message) == 0)
			return true;
	}
	return false;
}

/* Messages of Lua begin with the file and its line, "rel/vm.args:2: …", those of templates go on with "error: ". */
static void note(const struct checking *checking, const char *file, const char *message)
{
	struct origin origin = { .file = file };
	struct slice rest = slice_of(message), prefix = slice_of(arena_printf(checking->arena, "%s:", file));
	if (slice_starts(rest, prefix)) {
		char *end;
		message += prefix.size;
		unsigned long line = strtoul(message, &end, 10);
		if (end > message && *end == ':') {
			origin.line = (unsigned)line;
			message = end + 1;
		}
		message += strspn(message, " ");
		message += slice_starts(slice_of(message), SLICE("error: ")) ? strlen("error: ") : 0;
	}
	if (!is_known(checking->diagnostics, &origin, message))
		diagnostics_add(checking->diagnostics, &origin, false, "%s", message);
}

static void check_templates(const struct checking *checking, const struct spec_release *release)
{
	static const char *const names[] = { "vm.args", "remote.vm.args", "env.sh" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *own = render_own_template(checking->arena, release, names[i]);
		struct slice text;
		struct error why;
		if (own && render_template(checking->arena, checking->spec, release, "", names[i], &text, &why) < 0)
			note(checking, path_relative(checking->arena, checking->spec->project_dir, own), why.message);
	}
}

static void check_file(const struct checking *checking, const char *path)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *shown = path_relative(checking->arena, checking->spec->project_dir, path);
	struct error why;
	int status = fs_read(path, LUA_BYTES_MAX, &text, &why);
	if (status == 0)
		status = script_check(checking->script, buf_slice(&text), shown, &why);
	if (status < 0)
		note(checking, shown, why.message);
}

int check_lua(struct arena *arena, const struct spec *spec, const struct spec_release *const *releases, size_t count,
	      struct diagnostics *diagnostics, struct error *err)
{
	const struct script_options options = { 0 };
	struct checking checking = { .arena = arena, .spec = spec, .diagnostics = diagnostics };
	checking.script = script_new(&options, err);
	if (!checking.script)
		return -ERROR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const struct spec_release *release = releases[i];
		check_templates(&checking, release);
		if (release->runtime_config)
			check_file(&checking, release->runtime_config);
		for (size_t j = 0; j < release->command_count; j++)
			check_file(&checking, release->commands[j].path);
	}
	script_free(checking.script);
	return 0;
}
