/* SPDX-License-Identifier: MIT */
#include "build/plan.h"

#include "build/packages.h"
#include "build/static_parts.h"

#include "base/path.h"
#include "base/scope.h"

#include <assert.h>

static const char *const origin_names[] = { "runtime",   "component", "package", "template",
					    "generated", "project",   "overlay" };
static_assert(ARRAY_LEN(origin_names) == PLAN_ORIGIN_COUNT, "one name an origin");

const char *plan_origin_name(enum plan_origin origin)
{
	return origin_names[origin];
}

struct plan_entry *plan_add(struct plan *plan, enum plan_kind kind, const char *path, enum plan_origin origin,
			    const char *why)
{
	if (plan->count == plan->capacity) {
		size_t capacity = plan->capacity ? 2 * plan->capacity : 128;
		struct plan_entry *grown = arena_array(plan->arena, capacity, sizeof(*grown));
		if (plan->count)
			memcpy(grown, plan->entries, plan->count * sizeof(*grown));
		plan->entries = grown;
		plan->capacity = capacity;
	}
	struct plan_entry *entry = &plan->entries[plan->count++];
	*entry = (struct plan_entry){ .path = path, .kind = kind, .origin = origin, .why = why };
	entry->mode = kind == PLAN_DIR ? 0755 : kind == PLAN_LINK ? 0777 : 0644;
	return entry;
}

static struct plan_entry *add_file(struct plan *plan, const char *path, const char *source, mode_t mode,
				   enum plan_origin origin, const char *why)
{
	struct plan_entry *entry = plan_add(plan, PLAN_FILE, path, origin, why);
	entry->source = source;
	entry->mode = mode;
	return entry;
}

static void add_text(struct plan *plan, const char *path, struct slice text, mode_t mode, enum plan_origin origin,
		     const char *why)
{
	if (!text.data)
		return;
	struct plan_entry *entry = plan_add(plan, PLAN_TEXT, path, origin, why);
	entry->text = text;
	entry->mode = mode;
}

static struct plan_entry *add_link(struct plan *plan, const char *path, const char *target, enum plan_origin origin,
				   const char *why)
{
	struct plan_entry *entry = plan_add(plan, PLAN_LINK, path, origin, why);
	entry->text = slice_of(target);
	return entry;
}

#define PATH(...) arena_printf(plan->arena, __VA_ARGS__)

static bool is_kept_whole(const struct spec_release *release, const char *component)
{
	for (size_t i = 0; i < release->strip_keep_count; i++)
		if (strcmp(release->strip_keep[i], component) == 0)
			return true;
	return false;
}

static void add_component(struct plan *plan, const struct plan_inputs *in, const struct spec_member *member)
{
	const struct spec_component *component = member->component;
	const char *dir = PATH("lib/%s-%s", component->name, component->version);
	const char *why = member->listed ? PATH("component '%s' of the release", component->name)
					 : PATH("component '%s', which another one depends on", component->name);
	const char *paths[] = { component->file, component->library };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *name = i == 0 ? "component.yaml" : path_base(paths[i]);
		struct plan_entry *entry =
			add_file(plan, PATH("%s/%s", dir, name), paths[i], 0644, FROM_COMPONENT, why);
		entry->origin_name = component->name;
		entry->origin_version = component->version;
		if (i == 1 && in->release->strip && !is_kept_whole(in->release, component->name))
			entry->change = CHANGE_STRIP;
	}
}

static void add_own(struct plan *plan, const struct plan_inputs *in, const char *path, const char *name, mode_t mode,
		    const char *why)
{
	struct plan_entry *entry =
		add_file(plan, path, path_join(plan->arena, in->runtime_dir, name), mode, FROM_RUNTIME, why);
	entry->origin_name = "kvrel";
	entry->origin_version = in->runtime_version;
	entry->change = in->release->strip ? CHANGE_STRIP : CHANGE_NONE;
	const struct package_map *packages = in->packages;
	entry->linked = arena_array(plan->arena, packages->linked_count + 1, sizeof(*entry->linked));
	for (size_t i = 0; i < packages->linked_count; i++)
		if (strcmp(packages->linked[i].program, name) == 0)
			entry->linked[entry->linked_count++] = packages->linked[i].package.name;
}

static void name_package(const struct plan_inputs *in, struct plan_entry *entry)
{
	for (size_t i = 0; i < in->package_file_count; i++) {
		const struct package *package = in->packages->of_file[i];
		if (!package || strcmp(in->package_files[i], entry->source) != 0)
			continue;
		entry->origin_name = package->name;
		entry->origin_version = package->version;
	}
}

/* The strings to edit are in the loader and in libc alone. */
static bool is_edited(const struct plan_inputs *in, const struct closure_library *library)
{
	return in->release->edit_loader && library->glibc &&
	       (strcmp(library->name, in->closure->loader) == 0 || strcmp(library->name, "libc.so.6") == 0);
}

static void add_runtime(struct plan *plan, const struct plan_inputs *in)
{
	const char *dir = PATH("runtime-%s", in->runtime_version);
	add_own(plan, in, PATH("%s/bin/kvnode", dir), "bin/kvnode", 0755, "the runtime");
	add_own(plan, in, PATH("%s/bin/kvbundle", dir), "bin/kvbundle", 0755, "checks the bundle where it lies");
	for (size_t i = 0; i < in->runtime_library_count; i++) {
		const char *name = PATH("lib/%s", in->runtime_libraries[i]);
		add_own(plan, in, PATH("%s/%s", dir, name), name, 0644, "the runtime");
	}
	if (in->shell)
		name_package(in, add_file(plan, PATH("%s/bin/sh", dir), in->shell, 0755, FROM_PACKAGE,
					  "runs env.sh on hosts without /bin/sh"));
	for (size_t i = 0; i < in->closure->library_count; i++) {
		const struct closure_library *library = &in->closure->libraries[i];
		bool loader = in->closure->loader && strcmp(library->name, in->closure->loader) == 0;
		struct plan_entry *entry = add_file(plan, PATH("%s/lib/%s", dir, library->name), library->path,
						    loader ? 0755 : 0644, FROM_PACKAGE, library->wanted);
		name_package(in, entry);
		entry->change = is_edited(in, library) ? CHANGE_EDIT_LOADER : CHANGE_NONE;
	}
	for (size_t i = 0; i < in->closure->alias_count; i++)
		add_link(plan, PATH("%s/lib/%s", dir, in->closure->aliases[i].name), in->closure->aliases[i].target,
			 FROM_GENERATED, "another name of the same library");
	if (!in->closure->loader)
		return;
	const char *target = PATH("../%s", in->closure->loader);
	const char *why = "the loader under the program's name, so that the process bears it";
	add_link(plan, PATH("%s/lib/ld/kvnode", dir), target, FROM_GENERATED, why);
	add_link(plan, PATH("%s/lib/ld/kvbundle", dir), target, FROM_GENERATED, why);
	if (in->shell)
		add_link(plan, PATH("%s/lib/ld/sh", dir), target, FROM_GENERATED, why);
}

static void add_release_files(struct plan *plan, const struct plan_inputs *in)
{
	const struct spec_release *release = in->release;
	const char *dir = PATH("releases/%s", release->version);
	add_text(plan, PATH("%s/vm.args", dir), in->texts.vm_args, 0644, FROM_TEMPLATE, "flags of the runtime");
	add_text(plan, PATH("%s/remote.vm.args", dir), in->texts.remote_vm_args, 0644, FROM_TEMPLATE,
		 "flags of remote consoles");
	add_text(plan, PATH("%s/env.sh", dir), in->texts.env_sh, 0644, FROM_TEMPLATE,
		 "runs before every command of the launcher");
	add_text(plan, PATH("%s/sys.yaml", dir), in->texts.sys_yaml, 0644, FROM_GENERATED,
		 "components and their settings");
	if (release->runtime_config)
		add_file(plan, PATH("%s/runtime.lua", dir), release->runtime_config, 0644, FROM_PROJECT,
			 "settings made at boot");
	for (size_t i = 0; i < release->command_count; i++)
		add_file(plan, PATH("%s/commands/%s.lua", dir, release->commands[i].name), release->commands[i].path,
			 0644, FROM_PROJECT, PATH("command '%s' of the launcher", release->commands[i].name));
	for (size_t i = 0; i < release->hook_count; i++)
		add_file(plan, PATH("%s/hooks/%s", dir, release->hooks[i].name), release->hooks[i].path, 0755,
			 FROM_PROJECT, PATH("hook '%s'", release->hooks[i].name));
	struct slice versions = slice_of(PATH("%s %s\n", in->runtime_version, release->version));
	add_text(plan, "releases/start.data", versions, 0644, FROM_GENERATED, "which versions start");
	add_text(plan, PATH("%s/start.data", dir), versions, 0644, FROM_GENERATED,
		 "this release's runtime, when another release is the current one");
	if (release->cookie) {
		add_text(plan, "releases/COOKIE", slice_of(release->cookie), 0600, FROM_GENERATED,
			 "the secret given by `cookie:`");
		plan->entries[plan->count - 1].secret = true;
	}
}

void plan_release(struct plan *plan, const struct plan_inputs *in)
{
	const struct spec_release *release = in->release;
	if (release->unix_executables)
		add_own(plan, in, PATH("bin/%s", release->name), "launcher", 0755, "the launcher");
	for (size_t i = 0; i < release->member_count; i++)
		add_component(plan, in, &release->members[i]);
	if (release->include_runtime)
		add_runtime(plan, in);
	add_release_files(plan, in);
	for (size_t i = 0; i < in->licence_count; i++)
		add_file(plan, PATH("share/licenses/%s/copyright", in->licences[i].package), in->licences[i].file, 0644,
			 FROM_PROJECT, PATH("terms of '%s'", in->licences[i].package));
}

/* Later entries of the same path come later. */
static int by_path(const void *a, const void *b)
{
	const struct plan_entry *x = a, *y = b;
	int result = strcmp(x->path, y->path);
	return result ? result : (x->order > y->order) - (x->order < y->order);
}

static void sort(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		plan->entries[i].order = i;
	if (plan->count)
		qsort(plan->entries, plan->count, sizeof(*plan->entries), by_path);
}

static int refuse_both(const struct plan_entry *one, const struct plan_entry *other, struct error *err)
{
	const char *folder = one->kind == PLAN_DIR ? one->why : other->why;
	const char *file = one->kind == PLAN_DIR ? other->why : one->why;
	return error_set(err, ERROR_INVALID, "'%s' would be a folder (%s) and a file (%s)", one->path, folder, file);
}

static int merge(struct plan_entry *kept, const struct plan_entry *later, struct error *err)
{
	if (later->kind == PLAN_DIR && kept->kind == PLAN_DIR)
		return 0;
	if (later->kind == PLAN_DIR || kept->kind == PLAN_DIR)
		return refuse_both(kept, later, err);
	*kept = *later;
	return 0;
}

/* Of a sorted plan: the last entry of each path. */
static int merge_all(struct plan *plan, struct error *err)
{
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_entry *last = count ? &plan->entries[count - 1] : NULL;
		if (last && strcmp(last->path, plan->entries[i].path) == 0) {
			int status = merge(last, &plan->entries[i], err);
			if (status < 0)
				return status;
		} else {
			plan->entries[count++] = plan->entries[i];
		}
	}
	plan->count = count;
	return 0;
}

/* Is the folder, the first `size` bytes of a path, one of the path before as well? */
static bool is_shared(const char *before, const char *path, size_t size)
{
	return before && strncmp(before, path, size) == 0 && before[size] == '/';
}

/* What is below a folder stands together in a sorted plan, so that each missing folder is met once. */
static int add_folders(struct plan *plan, struct error *err)
{
	struct plan sorted = *plan;
	for (size_t i = 0; i < sorted.count; i++) {
		const char *path = sorted.entries[i].path, *before = i ? sorted.entries[i - 1].path : NULL;
		for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
			size_t size = (size_t)(slash - path);
			if (is_shared(before, path, size))
				continue;
			const char *folder = arena_copy(plan->arena, (struct slice){ path, size });
			const struct plan_entry *there = plan_find(&sorted, folder);
			struct plan_entry added = { .path = folder, .kind = PLAN_DIR, .why = "holds other entries" };
			if (there && there->kind != PLAN_DIR)
				return refuse_both(there, &added, err);
			if (!there)
				plan_add(plan, PLAN_DIR, folder, FROM_GENERATED, added.why);
		}
	}
	return 0;
}

int plan_finish(struct plan *plan, struct error *err)
{
	sort(plan);
	int status = merge_all(plan, err);
	if (status == 0)
		status = add_folders(plan, err);
	sort(plan);
	return status;
}

static int key_to_entry(const void *key, const void *entry)
{
	return strcmp(key, ((const struct plan_entry *)entry)->path);
}

const struct plan_entry *plan_find(const struct plan *plan, const char *path)
{
	return plan->count ? bsearch(path, plan->entries, plan->count, sizeof(*plan->entries), key_to_entry) : NULL;
}
