/* SPDX-License-Identifier: MIT */
/* What build.c hands from step to step. */
#ifndef KVREL_BUILD_STEPS_H
#define KVREL_BUILD_STEPS_H

#include "build/build.h"
#include "build/commit.h"
#include "build/packages.h"
#include "bundle/manifest.h"

struct build {
	struct arena *arena;
	const struct spec *spec;
	const struct spec_release *release;
	const struct build_options *options;
	const char *cache_dir;
	int64_t source_date;
	struct build_result *result;
	bool asked;              /* and the answer was to replace what is there */
	const struct plan *plan; /* what `assemble` put in place */
	struct staging staging;  /* kept until all steps are done; lock_fd -1: none */
	struct placed placed;
	int described[2]; /* descriptors of the bill of materials and the manifest; -1: none */
};

/* One line to the user, unless the release or the caller is quiet. */
#define build_say(build, ...) \
	do { \
		if (!(build)->release->quiet) \
			(build)->options->progress((build)->options->context, __VA_ARGS__); \
	} while (0)

/*
 * The time that every entry gets: SOURCE_DATE_EPOCH, else the last commit's, else 1980-01-01 (the oldest that all
 * archive formats know). INVALID when SOURCE_DATE_EPOCH is no number.
 */
int find_source_date(const char *project_dir, int64_t *out, struct error *err);
/* The step `assemble`. */
int build_assemble(struct build *build, struct error *err);
/* After the last step: a failed build takes its bundle back, so that the previous one is there as it was. */
void build_settle(struct build *build, bool failed);
/* Adds the bill of materials and the manifest to a prepared plan. Their files are there until they are forgotten. */
int build_describe(struct build *build, struct plan *plan, const struct package_map *packages, struct error *err);
void build_forget_descriptions(struct build *build);
/* The same for a dry run: only that they will be there. */
int build_announce_descriptions(struct build *build, struct plan *plan, struct error *err);
/* Assembles once more elsewhere and compares: INTEGRITY names the first difference. */
int build_prove(struct build *build, struct error *err);
/* The line of progress says what is being packed. */
void build_say_packing(struct build *build, const char *path);
/* Where the archive of the step `tar` goes; `kind`: "" or "-debug". */
const char *build_archive_path(struct build *build, const char *kind);
/* The step `tar`. */
int build_tar(struct build *build, struct error *err);
/* The step `sbom`: the bundle's bill of materials as a file of its own. */
int build_sbom(struct build *build, struct error *err);
bool build_wants_cyclonedx(const struct build *build);
/* The step `self_extract`. */
int build_self_extract(struct build *build, struct error *err);
/* The step `oci`. */
int build_oci(struct build *build, struct error *err);
/* _build/NAME-VERSION and a suffix, in the project. */
const char *build_artifact_path(struct build *build, const char *suffix);
void build_add_artifact(struct build *build, const char *path);
/* A step `{run: …}`: /bin/sh -c with RELEASE_* set; its exit code in *step_status when it is not 0. */
int build_run(struct build *build, const struct spec_step *step, int *step_status, struct error *err);

#endif
