/* SPDX-License-Identifier: MIT */
/*
 * releases.yaml as a whole: top level → components of the project → releases. Each stage goes on after mistakes, so
 * that one run shows all of them; only a file that is no YAML ends it, as nothing after the mistake can be trusted.
 */
#include "spec/spec.h"

#include "cli/reference.h"
#include "spec/fields.h"
#include "spec/project.h"
#include "spec/release.h"
#include "spec/settings.h"

#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#define BUILD_DIR "_build/release"

struct top {
	const char *build, *build_dir;
	const struct value *default_release, *components, *config, *releases;
};

static const struct field keys[] = {
	FIELD(struct top, default_release, read_value, .type = "the name of a release",
	      .doc = "what `kvrel build` builds when it is given no name"),
	FIELD(struct top, build, read_text, .type = "a command for the shell",
	      .doc = "run before `kvrel build`, so that a bundle is never stale"),
	FIELD(struct top, build_dir, read_file_path, .type = "a folder",
	      .doc = "holds components/NAME/NAME.so (default _build/release)"),
	FIELD(struct top, components, read_list, .type = "a list of folders",
	      .doc = "searched, with their direct sub-folders, for component.yaml (default [core])"),
	FIELD(struct top, config, read_map, .type = "a map of components and their settings",
	      .doc = "build-time settings of every release"),
	FIELD(struct top, releases, read_map, .type = "a map of releases", .doc = "the releases by name"),
};

const struct field *top_fields(size_t *count)
{
	*count = ARRAY_LEN(keys);
	return keys;
}

static void read_releases(const struct release_context *context, const struct value *releases, struct spec *spec)
{
	if (!releases)
		return;
	spec->releases = arena_array(context->reader->arena, releases->map.count, sizeof(*spec->releases));
	for (size_t i = 0; i < releases->map.count; i++)
		release_read(context, &releases->map.members[i], &spec->releases[spec->release_count++]);
}

static void settle_default(const struct reader *reader, const struct value *name, struct spec *spec)
{
	if (!name)
		return;
	const char *text = value_text(name, "");
	if (spec_release(spec, text)) {
		spec->default_release = text;
		return;
	}
	const char **names = arena_array(reader->arena, spec->release_count, sizeof(char *));
	for (size_t i = 0; i < spec->release_count; i++)
		names[i] = spec->releases[i].name;
	reader_mistake(reader, &name->origin, "'default_release' names no release: %s%s", reader_word(reader, name),
		       reader_suggest(reader, text, names, spec->release_count));
}

static void read_top(const struct reader *reader, const struct spec_options *options, const struct value *document,
		     struct value *sets, struct spec *spec)
{
	struct top top = { 0 };
	if (document->type != VALUE_NULL)
		fields_read(reader, document, SPEC_FILE, keys, ARRAY_LEN(keys), &top);
	spec->project_dir = options->project_dir;
	spec->build_command = top.build;
	spec->build_dir = options->build_dir ? options->build_dir
			  : top.build_dir    ? top.build_dir
					     : path_join(reader->arena, options->project_dir, BUILD_DIR);
	struct project project;
	project_find(reader, top.components, spec->build_dir, &project);
	spec->components = project.components;
	spec->component_count = project.count;
	struct reader settings = *reader;
	settings.where = "in 'config'";
	settings_check(&settings, &project, top.config);
	settings.where = "on the command line";
	settings_check(&settings, &project, sets);
	const struct release_context context = {
		.reader = reader,
		.project = &project,
		.options = options,
		.config = (struct value *)top.config,
		.sets = sets,
	};
	read_releases(&context, top.releases, spec);
	settle_default(reader, top.default_release, spec);
}

static const struct value *read_document(const struct reader *reader, const struct spec_options *options)
{
	if (options->text.data)
		return reader_parse(reader, options->text, SPEC_FILE);
	return reader_parse_file(reader, path_join(reader->arena, options->project_dir, SPEC_FILE), SPEC_FILE);
}

int spec_load(struct arena *arena, const struct spec_options *options, struct diagnostics *diagnostics,
	      struct spec **out, struct error *err)
{
	const struct reader reader = {
		.arena = arena,
		.diagnostics = diagnostics,
		.project_dir = options->project_dir,
		.where = "at the top level",
	};
	diagnostics->arena = arena;
	const char *mistake = options->version ? version_mistake(slice_of(options->version)) : NULL;
	if (mistake)
		return error_set(err, ERROR_USAGE, "invalid --version '%s': %s", options->version, mistake);
	struct value *sets;
	int result = settings_from_options(&reader, options->sets, options->set_count, &sets, err);
	if (result != 0)
		return result;
	struct spec *spec = ARENA_NEW(arena, struct spec);
	const struct value *document = read_document(&reader, options);
	if (document)
		read_top(&reader, options, document, sets, spec);
	diagnostics_sort(diagnostics);
	if (diagnostics->errors)
		return error_set(err, ERROR_INVALID, "%zu mistake%s in %s and the files it names", diagnostics->errors,
				 diagnostics->errors == 1 ? "" : "s", SPEC_FILE);
	*out = spec;
	return 0;
}

const struct spec_release *spec_release(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->release_count; i++)
		if (strcmp(spec->releases[i].name, name) == 0)
			return &spec->releases[i];
	return NULL;
}

void spec_require_libraries(const struct spec *spec, const struct spec_release *release,
			    struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_member *member = &release->members[i];
		if (member->component->library)
			continue;
		diagnostics_add(diagnostics, &member->origin, false,
				"component '%s' of release '%s' is not built, there is neither %s; build it first (%s)",
				member->component->name, release->name, member->component->library_sought,
				spec->build_command ? spec->build_command : "cmake --build --preset release");
	}
	diagnostics_sort(diagnostics);
}
