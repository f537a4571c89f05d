/* SPDX-License-Identifier: MIT */
/*
 * A release is read in two passes: the table takes each key on its own, then what needs the project (names of
 * components, files that must exist, defaults that depend on the name) is settled. Paths in releases.yaml are relative
 * to its folder, those of options to the current one.
 */
#include "spec/release.h"

#include "cli/reference.h"
#include "spec/members.h"
#include "spec/providers.h"
#include "spec/scripts.h"
#include "spec/settings.h"
#include "spec/steps.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#include <assert.h>

#define TEMPLATES_DIR "rel"
#define OVERLAYS_DIR  "rel/overlays"
#define RUNTIME_FILE  "rel/runtime.lua"

/* Not yet: flip `.not_yet` when the rest of kvrel and the node honour the key. */
struct release_file {
	const struct value *version, *components, *config, *strip, *overlays, *steps, *runtime_config, *executables_for,
		*commands, *hooks, *cookie, *config_providers, *runtime, *templates, *compression;
	const char *path;
	bool include_runtime, quiet;
};

static const struct field keys[] = {
	FIELD(struct release_file, version, read_value, .type = "a quoted version, or {from_component: NAME}",
	      .doc = "its version; --version on the command line wins"),
	FIELD(struct release_file, components, read_value, .required = true, .type = "a map of components and modes",
	      .doc = "what it is made of: permanent, transient, temporary, load or none; dependencies come by "
		     "themselves"),
	FIELD(struct release_file, config, read_map, .type = "a map of components and their settings",
	      .doc = "merged over the top-level settings"),
	FIELD(struct release_file, cookie, read_value, .type = "a string without blanks",
	      .doc = "the cluster's secret, put into the bundle; without it every host makes its own"),
	FIELD(struct release_file, include_runtime, read_flag, .type = "true or false",
	      .doc = "false leaves the runtime and its libraries out (default true)"),
	FIELD(struct release_file, runtime, read_map, .type = "a map",
	      .doc = "{edit_loader: false} leaves the bundled loader as the distribution made it"),
	FIELD(struct release_file, strip, read_value, .type = "true, false or a list of components to keep",
	      .doc = "leaves out symbols and debug information (default true)"),
	FIELD(struct release_file, overlays, read_value, .type = "a list of folders",
	      .doc = "copied over the bundle, later ones win; rel/overlays is always the first"),
	FIELD(struct release_file, steps, read_list, .type = "a list of steps",
	      .doc = "assemble, tar, oci, sbom, self_extract and {run: \"command\"} in the order to do them (default "
		     "[assemble])"),
	FIELD(struct release_file, compression, read_value, .type = "a level from 1 to 19, or gzip",
	      .doc = "of the step tar: a level of zstd (default 16), or gzip for hosts without zstd"),
	FIELD(struct release_file, templates, read_value, .type = "a folder",
	      .doc = "the project's vm.args, remote.vm.args and env.sh (default rel)"),
	FIELD(struct release_file, runtime_config, read_value, .type = "a Lua file or false",
	      .doc = "evaluated at each boot (default rel/runtime.lua where it exists)"),
	FIELD(struct release_file, config_providers, read_list, .type = "a list of providers",
	      .doc = "further sources of settings at boot, in order: {yaml: FILE}, {dir: FOLDER}, {env: PREFIX}, "
		     "{credentials: true}, {exec: [PROGRAM, ARG]}, {lua: FILE}; see README.md"),
	FIELD(struct release_file, executables_for, read_list, .type = "a list of systems",
	      .doc = "[unix] (default) or [] for a bundle without a launcher"),
	FIELD(struct release_file, path, read_file_path, .type = "a folder",
	      .doc = "where the bundle is made (default _build/rel/NAME)"),
	FIELD(struct release_file, quiet, read_flag, .type = "true or false", .doc = "no lines about the progress"),
	FIELD(struct release_file, commands, read_map, .type = "a map of names and Lua files",
	      .doc = "further commands of the launcher"),
	FIELD(struct release_file, hooks, read_map,
	      .type = "a map of pre_start, post_start, pre_stop, post_stop and scripts",
	      .doc = "programs or scripts that the launcher runs around start and stop"),
};

const struct field *release_fields(size_t *count)
{
	*count = ARRAY_LEN(keys);
	return keys;
}

static void wrong_type(const struct reader *reader, const char *key, const struct value *value)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].key, key) == 0)
			reader_wrong_type(reader, &keys[i], value);
}

struct version_source {
	const struct value *from_component;
};
static const struct field version_fields[] = {
	FIELD(struct version_source, from_component, read_name, .required = true, .type = "the name of a component",
	      .doc = "the release has its version"),
};

static const char *component_version(const struct release_context *context, const struct reader *reader,
				     const struct value *source, const char *label)
{
	struct version_source from = { 0 };
	fields_read(reader, source, label, version_fields, ARRAY_LEN(version_fields), &from);
	if (!from.from_component)
		return NULL;
	const struct part *part = project_part(context->project, from.from_component->string);
	if (!part)
		project_unknown(reader, context->project, &from.from_component->origin, from.from_component->string);
	return part ? part->component.version : NULL;
}

/* `meant`: a misspelt key was taken for it. */
static void settle_version(const struct release_context *context, const struct reader *reader,
			   const struct value *version, bool meant, struct spec_release *out)
{
	const char *label = arena_printf(reader->arena, "release '%s'", out->name);
	if (version && version->type == VALUE_MAP) {
		struct reader inner = *reader;
		inner.where = arena_printf(reader->arena, "in the version of release '%s'", out->name);
		out->version = component_version(context, &inner, version,
						 arena_printf(reader->arena, "the version of release '%s'", out->name));
	} else if (version) {
		out->version = reader_version(reader, version, label);
	} else if (!context->options->version && !meant) {
		reader_mistake(reader, &out->origin, "release '%s' lacks the key 'version'", out->name);
	}
	if (context->options->version)
		out->version = context->options->version;
}

/* A secret, so no message shows it. */
static void settle_cookie(const struct reader *reader, const struct value *cookie, struct spec_release *out)
{
	enum { COOKIE_BYTES_MAX = 255 };
	if (!cookie)
		return;
	bool sound = cookie->type == VALUE_STRING && cookie->string.size > 0 && cookie->string.size <= COOKIE_BYTES_MAX;
	for (size_t i = 0; sound && i < cookie->string.size; i++)
		sound = cookie->string.data[i] > 0x20 && cookie->string.data[i] < 0x7f;
	if (sound)
		out->cookie = arena_copy(reader->arena, cookie->string);
	else
		reader_mistake(reader, &cookie->origin,
			       "'cookie' %s must be a string of 1 to %d printable ASCII characters without blanks",
			       reader->where, COOKIE_BYTES_MAX);
}

static void keep_component(const struct release_context *context, const struct reader *reader, const struct value *name,
			   struct spec_release *out)
{
	if (name->type != VALUE_STRING)
		wrong_type(reader, "strip", name);
	else if (!project_part(context->project, name->string))
		project_unknown(reader, context->project, &name->origin, name->string);
	else
		out->strip_keep[out->strip_keep_count++] = arena_copy(reader->arena, name->string);
}

static void settle_strip(const struct release_context *context, const struct reader *reader, const struct value *strip,
			 struct spec_release *out)
{
	out->strip = true;
	if (!strip)
		return;
	if (strip->type == VALUE_BOOL) {
		out->strip = strip->boolean;
	} else if (strip->type == VALUE_LIST) {
		out->strip_keep = arena_array(reader->arena, strip->list.count, sizeof(char *));
		for (size_t i = 0; i < strip->list.count; i++)
			keep_component(context, reader, strip->list.items[i], out);
	} else {
		wrong_type(reader, "strip", strip);
	}
}

static void settle_compression(const struct reader *reader, const struct value *compression, struct spec_release *out)
{
	enum { LEVEL_DEFAULT = 16, LEVEL_MAX = 19 };
	out->compression = LEVEL_DEFAULT;
	if (!compression)
		return;
	if (compression->type == VALUE_INT && compression->integer >= 1 && compression->integer <= LEVEL_MAX)
		out->compression = (int)compression->integer;
	else if (strcmp(value_text(compression, ""), "gzip") == 0)
		out->compression = 0;
	else
		wrong_type(reader, "compression", compression);
}

static void settle_overlays(const struct reader *reader, const struct value *overlays, struct spec_release *out)
{
	size_t listed = overlays && overlays->type == VALUE_LIST ? overlays->list.count : 0;
	out->overlays = arena_array(reader->arena, listed + 2, sizeof(char *));
	const char *always = path_join(reader->arena, reader->project_dir, OVERLAYS_DIR);
	if (fs_is_dir(always))
		out->overlays[out->overlay_count++] = always;
	if (overlays && overlays->type != VALUE_LIST)
		wrong_type(reader, "overlays", overlays);
	for (size_t i = 0; i < listed; i++) {
		const char *path = reader_existing(reader, "overlays", overlays->list.items[i], true);
		if (path)
			out->overlays[out->overlay_count++] = path;
	}
}

static void settle_templates(const struct reader *reader, const struct value *templates, struct spec_release *out)
{
	out->templates = templates ? reader_existing(reader, "templates", templates, true)
				   : path_join(reader->arena, reader->project_dir, TEMPLATES_DIR);
}

static void settle_runtime_config(const struct reader *reader, const struct value *value, struct spec_release *out)
{
	if (value && value->type == VALUE_BOOL && !value->boolean)
		return;
	out->runtime_config_shown = RUNTIME_FILE;
	if (!value) {
		const char *path = path_join(reader->arena, reader->project_dir, RUNTIME_FILE);
		out->runtime_config = fs_exists(path) ? path : NULL;
	} else if (value->type != VALUE_STRING) {
		wrong_type(reader, "runtime_config", value);
	} else {
		out->runtime_config = reader_existing(reader, "runtime_config", value, false);
		out->runtime_config_shown = arena_copy(reader->arena, value->string);
	}
}

static void settle_executables(const struct reader *reader, const struct value *systems, struct spec_release *out)
{
	out->unix_executables = !systems;
	for (size_t i = 0; systems && i < systems->list.count; i++) {
		const struct value *system = systems->list.items[i];
		const char *name = value_text(system, "");
		static const char *const known[] = { "unix", "windows" };
		if (strcmp(name, "unix") == 0)
			out->unix_executables = true;
		else if (strcmp(name, "windows") == 0)
			reader_mistake(reader, &system->origin,
				       "'windows' in 'executables_for' %s is not supported yet", reader->where);
		else
			reader_mistake(reader, &system->origin, "unknown system %s in 'executables_for' %s%s",
				       reader_word(reader, system), reader->where,
				       reader_suggest(reader, name, known, ARRAY_LEN(known)));
	}
}

static void settle_runtime(const struct reader *outer, const struct value *runtime, struct spec_release *out)
{
	static const struct field runtime_fields[] = {
		FIELD(struct spec_release, edit_loader, read_flag, .type = "true or false",
		      .doc = "whether the bundled loader is edited to look at nothing of the host"),
	};
	out->edit_loader = true;
	if (!runtime)
		return;
	struct reader reader = *outer;
	const char *noun = arena_printf(outer->arena, "'runtime' %s", outer->where);
	reader.where = arena_printf(outer->arena, "in %s", noun);
	fields_read(&reader, runtime, noun, runtime_fields, ARRAY_LEN(runtime_fields), out);
}

static void settle_config(const struct release_context *context, const struct reader *reader,
			  const struct value *config, struct spec_release *out)
{
	settings_check(reader, context->project, config);
	out->config = value_map(reader->arena);
	struct value *layers[] = { context->config, (struct value *)config, context->sets };
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		if (layers[i])
			out->config = value_merge(reader->arena, out->config, layers[i]);
}

static const char *check_name(const struct reader *reader, const struct member *member)
{
	if (text_is_name(member->key))
		return arena_copy(reader->arena, member->key);
	const char *name = reader_printable(reader, member->key);
	reader_mistake(reader, &member->origin,
		       "invalid release name '%s': at most 64 of a-z, 0-9 and '_' are allowed, beginning with a letter",
		       name);
	return name;
}

static bool was_meant(uint64_t meant, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].key, key) == 0)
			return meant >> i & 1;
	return false;
}

void release_read(const struct release_context *context, const struct member *member, struct spec_release *out)
{
	struct arena *arena = context->reader->arena;
	struct reader reader = *context->reader;
	out->name = check_name(&reader, member);
	out->origin = member->origin;
	const char *noun = arena_printf(arena, "release '%s'", out->name);
	reader.where = arena_printf(arena, "in %s", noun);

	struct release_file file = { .include_runtime = true };
	uint64_t meant = fields_read(&reader, member->value, noun, keys, ARRAY_LEN(keys), &file);
	if (member->value->type != VALUE_MAP)
		return;
	out->include_runtime = file.include_runtime;
	out->quiet = file.quiet;
	out->path = file.path ? file.path
			      : path_join(arena, reader.project_dir, arena_printf(arena, "_build/rel/%s", out->name));
	if (context->options->path)
		out->path = context->options->path;
	settle_version(context, &reader, file.version, was_meant(meant, "version"), out);
	if (file.components)
		members_resolve(&reader, context->project, file.components, out);
	settle_config(context, &reader, file.config, out);
	settle_cookie(&reader, file.cookie, out);
	settle_strip(context, &reader, file.strip, out);
	settle_compression(&reader, file.compression, out);
	settle_overlays(&reader, file.overlays, out);
	settle_templates(&reader, file.templates, out);
	settle_runtime_config(&reader, file.runtime_config, out);
	settle_runtime(&reader, file.runtime, out);
	out->config_providers = providers_read(&reader, file.config_providers);
	settle_executables(&reader, file.executables_for, out);
	commands_read(&reader, file.commands, out);
	hooks_read(&reader, file.hooks, out);
	steps_read(&reader, file.steps, out);
}
