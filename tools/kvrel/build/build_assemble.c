/* SPDX-License-Identifier: MIT */
/*
 * The step `assemble`: gather what the plan needs to know, plan, prepare, compare with what is there, stage, commit.
 * Nothing is written (but the cache) before the whole plan is known to be possible.
 */
#include "build/build_steps.h"
#include "build/commit.h"
#include "build/licences.h"
#include "build/overlay.h"
#include "build/own_libraries.h"
#include "build/packages.h"
#include "build/render.h"
#include "build/runtime_parts.h"
#include "build/static_parts.h"
#include "build/transform.h"

#include "kvrel/component.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

static int find_closure(struct build *build, const struct plan_inputs *inputs, struct closure *out, struct error *err)
{
	const struct spec_release *release = build->release;
	struct arena *arena = build->arena;
	const char *shell = inputs->shell;
	size_t most = inputs->runtime_library_count + release->member_count + 3;
	struct closure_root *roots = arena_array(arena, most, sizeof(*roots));
	size_t count = 0;
	roots[count++] = (struct closure_root){ .path = path_join(arena, inputs->runtime_dir, "bin/kvnode"),
						.shown = "the runtime" };
	roots[count++] = (struct closure_root){ .path = path_join(arena, inputs->runtime_dir, "bin/kvbundle"),
						.shown = "the bundle's checker" };
	for (size_t i = 0; i < inputs->runtime_library_count; i++) {
		const char *name = inputs->runtime_libraries[i];
		const char *path = arena_printf(arena, "%s/lib/%s", inputs->runtime_dir, name);
		roots[count++] =
			(struct closure_root){ .path = path,
					       .shown = arena_printf(arena, "the runtime's library '%s'", name) };
	}
	if (shell)
		roots[count++] = (struct closure_root){ .path = shell, .shown = "the bundled shell" };
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		roots[count++] = (struct closure_root){ .path = component->library,
							.shown = arena_printf(arena, "component '%s'", component->name),
							.libraries = component->libraries,
							.library_count = component->library_count,
							.component = true };
	}
	return closure_find(arena, roots, count, NULL, out, err);
}

/* dash: small, needs libc alone. Other shells would drag their libraries in. */
static const char *find_shell(struct arena *arena)
{
	static const char *const places[] = { "/bin/dash", "/usr/bin/dash" };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		SCOPE_FREE char *path = realpath(places[i], NULL);
		if (path && elf_is(path))
			return arena_string(arena, path);
	}
	return NULL;
}

static int check_inputs(const struct build *build, struct error *err)
{
	const struct spec_release *release = build->release;
	for (size_t i = 0; i < release->member_count; i++)
		if (!release->members[i].component->library)
			return error_set(err, ERROR_INVALID, "component '%s' is not built (looked for in %s)",
					 release->members[i].component->name,
					 release->members[i].component->library_sought);
	return 0;
}

/* The node would refuse it at each boot. */
static int check_exports(const struct build *build, struct error *err)
{
	const struct spec_release *release = build->release;
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		if (release->members[i].mode != MODE_NONE &&
		    elf_lacks_export(component->library, KVREL_COMPONENT_SYMBOL))
			return error_set(
				err, ERROR_INVALID,
				"component '%s' ('%s') exports no function '" KVREL_COMPONENT_SYMBOL
				"', by which a node knows it; include kvrel/component.h where it is defined, and "
				"define it with KVREL_EXPORT",
				component->name, component->library);
	}
	return 0;
}

/* Does this release take the program with it? */
static bool is_taken(const struct spec_release *release, const char *program)
{
	if (strcmp(program, "launcher") == 0)
		return release->unix_executables;
	if (strcmp(program, UNPACKER) != 0)
		return release->include_runtime;
	for (size_t i = 0; i < release->step_count; i++)
		if (release->steps[i].kind == STEP_SELF_EXTRACT)
			return true;
	return false;
}

/* What is inside kvrel's own programs. */
static int add_static_parts(struct build *build, const char *licences, struct package_map *packages, struct error *err)
{
	struct static_part *parts;
	size_t count, taken = 0;
	int status = static_parts_read(build->arena, build->options->tool->runtime, licences, &parts, &count, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < count; i++)
		if (is_taken(build->release, parts[i].program))
			parts[taken++] = parts[i];
	static_parts_add(build->arena, parts, taken, packages);
	return 0;
}

/* Whose files the host's are, and all terms. */
static int find_packages(struct build *build, struct plan_inputs *inputs, struct package_map *packages,
			 struct error *err)
{
	struct arena *arena = build->arena;
	const struct closure *closure = inputs->closure;
	const char **files = arena_array(arena, closure->library_count + 2, sizeof(*files));
	struct plan_licence *licences;
	size_t count = 0;
	if (inputs->shell)
		files[count++] = inputs->shell;
	for (size_t i = 0; i < closure->library_count; i++)
		files[count++] = closure->libraries[i].path;
	int status = packages_find(arena, files, count, build->cache_dir, packages, err);
	const char *builtin = path_join(arena, path_dir(arena, build->options->tool->templates), "licenses");
	if (status == 0)
		status = add_static_parts(build, builtin, packages, err);
	if (status < 0)
		return status;
	licences_find(arena, build->spec, build->release, packages, builtin, &licences, &inputs->licence_count);
	inputs->licences = licences;
	inputs->packages = packages;
	inputs->package_files = files;
	inputs->package_file_count = count;
	return 0;
}

/* Whoever brings a launcher of his own must bring one that starts. */
static int check_overlaid_launcher(const struct build *build, const struct plan *plan, struct error *err)
{
	const char *path = arena_printf(build->arena, "bin/%s", build->release->name);
	const struct plan_entry *launcher = plan_find(plan, path);
	if (!launcher || launcher->origin != FROM_OVERLAY || launcher->kind != PLAN_FILE || (launcher->mode & 0111))
		return 0;
	return error_set(err, ERROR_INVALID,
			 "%s: '%s' takes the launcher's place, but cannot be executed; remove it or set its x bit",
			 launcher->why, path);
}

/* What the components of a bundle without a runtime bring along. */
static int add_own_libraries(struct plan *plan, struct error *err)
{
	size_t count = plan->count;
	int status = 0;
	for (size_t i = 0; i < count && status == 0; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		if (entry->origin == FROM_COMPONENT && elf_is(entry->source))
			status = own_libraries_add(plan, entry, err);
	}
	return status;
}

static void warn(void *context, const char *message)
{
	const struct build *build = context;
	build->options->progress(build->options->context, "warning: %s", message);
}

static int make_plan(struct build *build, struct plan *plan, struct package_map *packages, struct error *err)
{
	struct arena *arena = build->arena;
	const struct spec_release *release = build->release;
	struct closure closure = { 0 };
	struct plan_inputs inputs = { .spec = build->spec,
				      .release = release,
				      .runtime_dir = build->options->tool->runtime,
				      .runtime_version = KVREL_VERSION,
				      .closure = &closure };
	int status = check_inputs(build, err);
	if (status == 0)
		status = runtime_libraries(arena, inputs.runtime_dir, &inputs.runtime_libraries,
					   &inputs.runtime_library_count, err);
	inputs.shell = release->include_runtime ? find_shell(arena) : NULL;
	if (status == 0 && release->include_runtime)
		status = find_closure(build, &inputs, &closure, err);
	if (status == 0)
		status = check_exports(build, err);
	if (status == 0)
		status = find_packages(build, &inputs, packages, err);
	if (status == 0)
		status = render_texts(arena, build->spec, release, build->options->tool->templates, &inputs.texts, err);
	if (status < 0)
		return status;
	plan_release(plan, &inputs);
	if (!release->include_runtime)
		status = add_own_libraries(plan, err);
	for (size_t i = 0; i < release->overlay_count && status == 0; i++)
		status = overlay_scan(plan, release->overlays[i],
				      path_relative(arena, build->spec->project_dir, release->overlays[i]), err);
	if (status == 0)
		status = plan_finish(plan, err);
	if (status == 0 && release->include_runtime)
		overlay_check_needs(plan, warn, build);
	return status < 0 ? status : check_overlaid_launcher(build, plan, err);
}

static void show_plan(const struct build *build, const struct plan *plan)
{
	SCOPE(buf_done) struct buf text = { 0 };
	plan_show(plan, build->options->verbose, &text);
	struct slice rest = buf_slice(&text), line;
	while (slice_split(rest, '\n', &line, &rest))
		build->options->progress(build->options->context, "%.*s", SLICE_FMT(line));
}

static int may_replace(struct build *build, const struct existing *existing, struct error *err)
{
	const struct spec_release *release = build->release;
	const char *stranger = existing_stranger(build->arena, existing);
	if (stranger)
		return error_set(
			err, ERROR_EXISTS,
			"'%s' is no bundle and holds '%s'; choose an empty or new folder with --path or 'path'",
			existing->root, stranger);
	const struct installed *old = existing_version(existing, release->version);
	if (!old || build->options->overwrite || build->asked)
		return 0;
	/* may be another release: a bundle root holds each version once */
	const char *name = old->readable ? old->manifest.release : release->name;
	if (!build->options->ask)
		return error_set(err, ERROR_EXISTS,
				 "release %s-%s exists already at '%s'; give --overwrite to replace it%s", name,
				 release->version, existing->root,
				 strcmp(name, release->name) == 0 ? "" : ", or another folder with --path or 'path'");
	const char *question =
		arena_printf(build->arena, "Release %s-%s already exists. Overwrite?", name, release->version);
	build->asked = build->options->ask(build->options->context, question);
	return build->asked ? 0
			    : error_set(err, ERROR_EXISTS, "release %s-%s at '%s' was left as it was", name,
					release->version, existing->root);
}

static void count(const struct plan *plan, struct build_result *result)
{
	result->files = result->bytes = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->entries[i].kind != PLAN_FILE && plan->entries[i].kind != PLAN_TEXT)
			continue;
		result->files++;
		result->bytes += plan->entries[i].size_bytes;
	}
}

static void announce(struct build *build)
{
	const struct spec_release *release = build->release;
	build_say(build, "* assembling %s-%s", release->name, release->version);
	if (release->runtime_config)
		build_say(build, "* using %s to configure the release at runtime", release->runtime_config_shown);
	else if (release->runtime_config_shown)
		build_say(build, "* skipping runtime configuration (%s not found)", release->runtime_config_shown);
}

static int put_in_place(struct build *build, struct plan *plan, struct staging *staging, struct error *err)
{
	struct existing existing;
	int status = existing_read(build->arena, staging->root, &existing, err);
	if (status == 0)
		status = may_replace(build, &existing, err); /* another build may have been faster */
	if (status < 0)
		return status;
	struct commit commit = { .arena = build->arena,
				 .staging = staging,
				 .plan = plan,
				 .existing = &existing,
				 .version = build->release->version,
				 .source_date = build->source_date,
				 .warn = warn,
				 .context = build };
	build->result->unchanged = commit_is_needless(&commit);
	if (build->result->unchanged)
		return 0;
	status = staging_fill(staging, plan, build->source_date, err);
	if (status == 0)
		status = staging_flush(staging, plan, err);
	return status < 0 ? status : commit_bundle(&commit, &build->placed, err);
}

static int check_existing(struct build *build, struct error *err)
{
	struct existing existing;
	int status = existing_read(build->arena, build->release->path, &existing, err);
	return status < 0 ? status : may_replace(build, &existing, err);
}

void build_settle(struct build *build, bool failed)
{
	if (failed && build->staging.lock_fd >= 0)
		commit_undo(&build->staging, &build->placed);
	staging_end(&build->staging);
}

int build_assemble(struct build *build, struct error *err)
{
	const struct spec_release *release = build->release;
	struct plan *plan = ARENA_NEW(build->arena, struct plan);
	struct package_map packages;
	plan->arena = build->arena;
	int status = build->options->dry_run ? 0 : check_existing(build, err);
	if (status < 0)
		return status;
	announce(build);
	status = make_plan(build, plan, &packages, err);
	if (status == 0 && build->options->dry_run)
		status = build_announce_descriptions(build, plan, err);
	if (status == 0 && (build->options->dry_run || build->options->verbose))
		show_plan(build, plan);
	if (status == 0 && !build->options->dry_run)
		status = plan_prepare(plan, build->cache_dir, build->options->shared, err);
	if (status == 0 && !build->options->dry_run)
		status = build_describe(build, plan, &packages, err);
	if (build->options->dry_run)
		build->result->plan = plan;
	if (status < 0 || build->options->dry_run)
		return status < 0 ? error_wrap(err, "cannot assemble release '%s'", release->name) : 0;
	struct staging staging;
	status = staging_begin(build->arena, release->path, &staging, err);
	if (status == 0) {
		status = put_in_place(build, plan, &staging, err);
		if (status == 0)
			build->staging = staging;
		else
			staging_end(&staging);
	}
	if (status < 0)
		return error_wrap(err, "cannot assemble release '%s'", release->name);
	count(plan, build->result);
	build->plan = plan;
	return 0;
}
