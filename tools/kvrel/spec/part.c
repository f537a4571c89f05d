/* SPDX-License-Identifier: MIT */
/* One component.yaml: what it may say, and where its library is. */
#include "cli/reference.h"
#include "spec/project.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

struct component_file {
	const struct value *name, *version, *dependencies, *config;
	const char *description, *license, *library;
	struct text_list libraries;
};

static const struct field keys[] = {
	FIELD(struct component_file, name, read_name, .required = true,
	      .type = "a name (a-z, 0-9 and '_', beginning with a letter)",
	      .doc = "how releases and dependants call it"),
	FIELD(struct component_file, version, read_value, .required = true, .type = "a string",
	      .doc = "its version, quoted"),
	FIELD(struct component_file, description, read_text, .type = "a text", .doc = "one sentence for people"),
	FIELD(struct component_file, library, read_text, .type = "a file name",
	      .doc = "its shared object, default NAME.so"),
	FIELD(struct component_file, dependencies, read_name_list, .type = "a list of component names",
	      .doc = "components that start before it"),
	FIELD(struct component_file, libraries, read_text_list, .type = "a list of library names",
	      .doc = "shared libraries that it opens by itself"),
	FIELD(struct component_file, license, read_text, .type = "a text", .doc = "SPDX licence expression"),
	FIELD(struct component_file, config, read_map, .type = "a map of settings", .doc = "the settings it declares"),
};

const struct field *component_fields(size_t *count)
{
	*count = ARRAY_LEN(keys);
	return keys;
}

static const struct field library_field = { .key = "library", .type = "a path inside the component's folder" };
static const struct field libraries_field = { .key = "libraries", .type = "names of libraries such as libz.so.1" };

static void check_libraries(const struct reader *reader, const struct value *document, struct component_file *file)
{
	if (file->library && !path_is_inside(file->library))
		reader_wrong_type(reader, &library_field, value_get(document, "library"));
	const struct value *list = value_get(document, "libraries");
	for (size_t i = 0; i < file->libraries.count; i++)
		if (strchr(file->libraries.items[i], '/'))
			reader_wrong_type(reader, &libraries_field, list->list.items[i]);
}

static void copy_names(struct arena *arena, const struct value *list, struct spec_component *out)
{
	if (!list)
		return;
	out->dependencies = arena_array(arena, list->list.count, sizeof(char *));
	for (size_t i = 0; i < list->list.count; i++)
		out->dependencies[out->dependency_count++] = arena_copy(arena, list->list.items[i]->string);
}

bool part_read(const struct reader *outer, const struct value *document, const char *dir, struct part *out)
{
	struct reader reader = *outer;
	const char *name = value_text(value_get(document, "name"), path_base(dir));
	const char *noun = arena_printf(outer->arena, "component '%s'", name);
	reader.where = arena_printf(outer->arena, "in %s", noun);
	size_t mistakes = reader.diagnostics->errors;

	struct component_file file = { 0 };
	fields_read(&reader, document, noun, keys, ARRAY_LEN(keys), &file);
	if (document->type != VALUE_MAP)
		return false;
	check_libraries(&reader, document, &file);
	out->component = (struct spec_component){
		.name = arena_string(outer->arena, file.name ? file.name->string.data : name),
		.version = file.version ? reader_version(&reader, file.version, noun) : NULL,
		.description = file.description,
		.license = file.license,
		.dir = dir,
		.library = file.library, /* the name; part_find_library() turns it into a path */
		.libraries = file.libraries.items,
		.library_count = file.libraries.count,
		.schema = file.config,
		.origin = file.name ? file.name->origin : document->origin,
	};
	copy_names(outer->arena, file.dependencies, &out->component);
	out->dependencies = file.dependencies;
	if (file.config)
		schema_read(&reader, name, file.config, &out->settings, &out->setting_count);
	out->sound = reader.diagnostics->errors == mistakes;
	return true;
}

void part_find_library(struct arena *arena, const char *project_dir, const char *build_dir, struct part *part)
{
	struct spec_component *component = &part->component;
	const char *file = component->library ? component->library : arena_printf(arena, "%s.so", component->name);
	const char *places[] = {
		path_join(arena, component->dir, file),
		path_join(arena, path_join(arena, path_join(arena, build_dir, "components"), component->name), file),
	};
	component->library = NULL;
	for (size_t i = 0; i < ARRAY_LEN(places) && !component->library; i++)
		if (fs_is_file(places[i]))
			component->library = places[i];
	component->library_sought = arena_printf(arena, "%s nor %s", path_relative(arena, project_dir, places[0]),
						 path_relative(arena, project_dir, places[1]));
}
