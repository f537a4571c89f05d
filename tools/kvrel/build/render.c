/* SPDX-License-Identifier: MIT */
#include "build/render.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "script/template.h"

enum { TEMPLATE_BYTES_MAX = 4 << 20, RENDERED_BYTES_MAX = 16 << 20 };

static struct value *text_value(struct arena *arena, const char *text)
{
	struct value *out = value_string(arena, slice_of(text));
	out->quoted = true;
	return out;
}

static struct value *release_value(struct arena *arena, const struct spec_release *release)
{
	struct value *map = value_map(arena);
	value_map_add(arena, map, SLICE("name"), value_string(arena, slice_of(release->name)));
	value_map_add(arena, map, SLICE("version"), text_value(arena, release->version));
	return map;
}

static struct value *components_value(struct arena *arena, const struct spec_release *release)
{
	struct value *list = value_list(arena);
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_member *member = &release->members[i];
		struct value *map = value_map(arena);
		value_map_add(arena, map, SLICE("name"), value_string(arena, slice_of(member->component->name)));
		value_map_add(arena, map, SLICE("version"), text_value(arena, member->component->version));
		value_map_add(arena, map, SLICE("mode"),
			      value_string(arena, slice_of(component_mode_name(member->mode))));
		value_list_add(arena, list, map);
	}
	return list;
}

const char *render_own_template(struct arena *arena, const struct spec_release *release, const char *name)
{
	const char *own = release->templates ? path_join(arena, release->templates, name) : NULL;
	return own && fs_exists(own) ? own : NULL;
}

/* Where the project keeps it, else the built-in one. Messages show the project's path as people write it. */
static const char *find_template(struct arena *arena, const struct spec *spec, const struct spec_release *release,
				 const char *builtin, const char *name, const char **shown)
{
	const char *own = render_own_template(arena, release, name);
	if (own) {
		*shown = path_relative(arena, spec->project_dir, own);
		return own;
	}
	*shown = arena_printf(arena, "%s (built in)", name);
	return path_join(arena, builtin, name);
}

int render_template(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		    const char *builtin, const char *name, struct slice *out, struct error *err)
{
	const char *shown;
	const char *path = find_template(arena, spec, release, builtin, name, &shown);
	if (fs_exists(path) && !fs_is_file(path))
		return error_set(err, ERROR_INVALID, "%s: error: it is no file", shown);
	SCOPE(buf_done) struct buf text = { 0 };
	SCOPE(buf_done) struct buf rendered = { .cap = RENDERED_BYTES_MAX };
	int status = fs_read(path, TEMPLATE_BYTES_MAX, &text, err);
	if (status < 0)
		return status;
	struct value *assigns = value_map(arena);
	struct value *values = release_value(arena, release);
	value_map_add(arena, values, SLICE("components"), components_value(arena, release));
	value_map_add(arena, assigns, SLICE("release"), values);
	status = template_render(buf_slice(&text), shown, assigns, &rendered, err);
	if (status < 0)
		return status;
	*out = (struct slice){ arena_copy(arena, buf_slice(&rendered)), rendered.size };
	return 0;
}

/* Every leaf that was written somewhere, by its dotted name: "kv.routing_table" → "releases.yaml:9:7". */
static void add_origins(struct arena *arena, const struct spec *spec, const struct value *config, const char *prefix,
			struct value *out)
{
	for (size_t i = 0; i < config->map.count; i++) {
		const struct member *member = &config->map.members[i];
		const char *name = arena_printf(arena, "%s%.*s", prefix, SLICE_FMT(member->key));
		if (member->value->type == VALUE_MAP && member->value->map.count) {
			add_origins(arena, spec, member->value, arena_printf(arena, "%s.", name), out);
			continue;
		}
		struct origin origin = member->value->origin;
		if (!origin.file)
			continue;
		size_t length = strlen(spec->project_dir);
		if (strncmp(origin.file, spec->project_dir, length) == 0 && origin.file[length] == '/')
			origin.file += length + 1;
		char text[512];
		origin_text(&origin, text, sizeof(text));
		value_map_add(arena, out, slice_of(name), value_string(arena, slice_of(text)));
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct value *project_components(struct arena *arena, const struct spec *spec)
{
	const char **names = arena_array(arena, spec->component_count + 1, sizeof(*names));
	for (size_t i = 0; i < spec->component_count; i++)
		names[i] = spec->components[i].name;
	qsort(names, spec->component_count, sizeof(*names), by_text);
	struct value *list = value_list(arena);
	for (size_t i = 0; i < spec->component_count; i++)
		value_list_add(arena, list, value_string(arena, slice_of(names[i])));
	return list;
}

static struct slice sys_yaml(struct arena *arena, const struct spec *spec, const struct spec_release *release)
{
	struct value *map = value_map(arena);
	struct value *config = release->config ? release->config : value_map(arena);
	struct value *origins = value_map(arena);
	add_origins(arena, spec, config, "", origins);
	value_map_add(arena, map, SLICE("format"), value_int(arena, 1));
	value_map_add(arena, map, SLICE("release"), release_value(arena, release));
	value_map_add(arena, map, SLICE("runtime_config"),
		      release->runtime_config ? value_string(arena, SLICE("runtime.lua")) : value_bool(arena, false));
	/* messages call it what it is called where people change it */
	if (release->runtime_config && strcmp(release->runtime_config_shown, "rel/runtime.lua") != 0)
		value_map_add(arena, map, SLICE("runtime_config_source"),
			      value_string(arena, slice_of(release->runtime_config_shown)));
	if (release->config_providers)
		value_map_add(arena, map, SLICE("config_providers"), (struct value *)release->config_providers);
	value_map_add(arena, map, SLICE("components"), components_value(arena, release));
	value_map_add(arena, map, SLICE("project_components"), project_components(arena, spec));
	value_map_add(arena, map, SLICE("config"), config);
	value_map_add(arena, map, SLICE("origins"), origins);
	SCOPE(buf_done) struct buf out = { 0 };
	buf_append_string(&out, "# written by kvrel: change releases.yaml instead\n");
	yaml_write(&out, map);
	return (struct slice){ arena_copy(arena, buf_slice(&out)), out.size };
}

int render_texts(struct arena *arena, const struct spec *spec, const struct spec_release *release, const char *builtin,
		 struct plan_texts *out, struct error *err)
{
	struct plan_texts texts = { 0 };
	const struct {
		const char *name;
		struct slice *text;
		bool wanted;
	} templates[] = { { "vm.args", &texts.vm_args, true },
			  { "remote.vm.args", &texts.remote_vm_args, true },
			  { "env.sh", &texts.env_sh, release->unix_executables } };
	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		if (!templates[i].wanted)
			continue;
		int status = render_template(arena, spec, release, builtin, templates[i].name, templates[i].text, err);
		if (status < 0)
			return status;
	}
	texts.sys_yaml = sys_yaml(arena, spec, release);
	*out = texts;
	return 0;
}
