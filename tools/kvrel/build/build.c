/* SPDX-License-Identifier: MIT */
/* The steps of a release, in their order. */
#include "build/build.h"

#include "build/build_steps.h"
#include "build/cache.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"

extern char **environ;

enum { SBOM_BYTES_MAX = 1 << 30 };

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);
	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The caller's environment with RELEASE_* of this release on top. */
static const char **step_environment(const struct build *build)
{
	const struct spec_release *release = build->release;
	const char *lock = build->staging.lock_fd < 0 ? NULL
						      : arena_printf(build->arena, "%s-%s:%s", release->name,
								     release->version, build->staging.parent);
	const char *const names[] = { "RELEASE_NAME", "RELEASE_VSN", "RELEASE_ROOT", STAGING_LOCK_VARIABLE };
	const char *const values[] = { release->name, release->version, release->path, lock };
	size_t count = 0, kept = 0;
	while (environ[count])
		count++;
	const char **out = arena_array(build->arena, count + ARRAY_LEN(names) + 1, sizeof(*out));
	for (size_t i = 0; i < count; i++) {
		bool ours = false;
		for (size_t j = 0; j < ARRAY_LEN(names); j++)
			ours = ours || is_variable(environ[i], names[j]);
		if (!ours)
			out[kept++] = environ[i];
	}
	for (size_t j = 0; j < ARRAY_LEN(names); j++)
		if (values[j])
			out[kept++] = arena_printf(build->arena, "%s=%s", names[j], values[j]);
	return out;
}

int build_run(struct build *build, const struct spec_step *step, int *step_status, struct error *err)
{
	const char *argv[] = { "/bin/sh", "-c", step->command, NULL };
	const struct proc_options options = {
		.argv = argv, .env = step_environment(build), .cwd = build->spec->project_dir, .stdout_to_stderr = true
	};
	char where[512];
	int code, status = proc_run(&options, &code, err);
	if (status < 0)
		return error_wrap(err, "step '%s'", step->command);
	if (code == 0)
		return 0;
	*step_status = code;
	return error_set(err, ERROR_FAILED, "%s: step '%s' ended with exit code %d",
			 origin_text(&step->origin, where, sizeof(where)), step->command, code);
}

bool build_wants_cyclonedx(const struct build *build)
{
	return build->options->sbom_format && strcmp(build->options->sbom_format, "cyclonedx") == 0;
}

int build_sbom(struct build *build, struct error *err)
{
	const char *suffix = build_wants_cyclonedx(build) ? ".cdx.json" : ".spdx.json";
	const char *out = build_artifact_path(build, suffix);
	const char *in = arena_printf(build->arena, "%s/releases/%s/sbom%s", build->release->path,
				      build->release->version, suffix);
	SCOPE(buf_done) struct buf text = { 0 };
	int status = fs_read(in, SBOM_BYTES_MAX, &text, err);
	if (status == 0)
		status = fs_replace(out, buf_slice(&text), 0644, err);
	if (status < 0)
		return status;
	build_say(build, "* wrote %s", path_base(out));
	build_add_artifact(build, out);
	return 0;
}

/* What the steps after `assemble` would do. */
static void announce_step(struct build *build, const struct spec_step *step)
{
	const char *out = NULL;
	switch (step->kind) {
	case STEP_ASSEMBLE:
		return;
	case STEP_TAR:
		out = build_archive_path(build, "");
		break;
	case STEP_SELF_EXTRACT:
		out = build_artifact_path(build, ".run");
		break;
	case STEP_OCI:
		out = build_artifact_path(build, ".oci.tar");
		break;
	case STEP_SBOM:
		out = build_artifact_path(build, build_wants_cyclonedx(build) ? ".cdx.json" : ".spdx.json");
		break;
	case STEP_RUN:
		build_say(build, "* would run %s", step->command);
		return;
	}
	build_say(build, "* would write %s", path_base(out));
	build_add_artifact(build, out);
}

static int run_step(struct build *build, const struct spec_step *step, int *step_status, struct error *err)
{
	switch (step->kind) {
	case STEP_ASSEMBLE: {
		int status = build_assemble(build, err);
		bool prove = build->options->prove && !build->options->dry_run;
		return status == 0 && prove ? build_prove(build, err) : status;
	}
	case STEP_TAR:
		return build_tar(build, err);
	case STEP_SELF_EXTRACT:
		return build_self_extract(build, err);
	case STEP_OCI:
		return build_oci(build, err);
	case STEP_SBOM:
		return build_sbom(build, err);
	case STEP_RUN:
		build_say(build, "* running %s", step->command);
		return build_run(build, step, step_status, err);
	}
	return error_set(err, ERROR_UNSUPPORTED, "this step is not supported yet");
}

/* git is asked once a run. */
static int date_sources(struct build *build, struct error *err)
{
	struct build_shared *shared = build->options->shared;
	if (shared && shared->dated) {
		build->source_date = shared->source_date;
		return 0;
	}
	int status = find_source_date(build->spec->project_dir, &build->source_date, err);
	if (status == 0 && shared) {
		shared->dated = true;
		shared->source_date = build->source_date;
	}
	return status;
}

int build_release(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		  const struct build_options *options, struct build_result *out, int *step_status, struct error *err)
{
	struct build_result result = { .root = release->path };
	struct build build = {
		.arena = arena,
		.spec = spec,
		.release = release,
		.options = options,
		.result = &result,
		.staging.lock_fd = -1,
		.described = { -1, -1 },
	};
	int status = date_sources(&build, err);
	if (status == 0 && !options->dry_run)
		status = cache_folder(arena, spec->project_dir, &build.cache_dir, err);
	for (size_t i = 0; i < release->step_count && status == 0; i++)
		if (options->dry_run && release->steps[i].kind != STEP_ASSEMBLE)
			announce_step(&build, &release->steps[i]);
		else
			status = run_step(&build, &release->steps[i], step_status, err);
	build_settle(&build, status < 0);
	if (build.cache_dir)
		cache_prune(build.cache_dir);
	build_forget_descriptions(&build);
	if (status == 0)
		*out = result;
	return status;
}
