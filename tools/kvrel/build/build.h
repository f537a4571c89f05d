/* SPDX-License-Identifier: MIT */
/*
 * From a checked release to a bundle: plan → assemble → manifest → commit → pack. The commands call this; nothing here
 * parses options or releases.yaml. Messages for people go through `progress`, in the contract's words.
 */
#ifndef KVREL_BUILD_H
#define KVREL_BUILD_H

#include "spec/spec.h"

struct plan; /* plan.h */

struct tool_paths {            /* found relative to the kvrel executable */
	const char *templates; /* share/kvrel/templates */
	const char *runtime;   /* lib/kvrel/runtime: kvnode, libkvnode.so, launcher */
};

/* What the releases of one run have in common, found for the first of them. Zeroed at the start. */
struct build_shared {
	bool dated;
	int64_t source_date;
	struct prepared *prepared; /* files that were changed and digested already; the arena's */
	size_t prepared_count, prepared_capacity;
};

struct build_options {
	const struct tool_paths *tool;
	bool overwrite;              /* an existing release of the same version is replaced without a question */
	bool dry_run;                /* prints the plan, writes nothing */
	bool verbose;                /* why each file is in the bundle */
	bool prove;                  /* build twice, compare */
	const char *sbom_format;     /* "spdx" or "cyclonedx" */
	struct build_shared *shared; /* NULL: each release on its own */
	/* "* assembling foo-0.0.1" and the like; never NULL */
	void (*progress)(void *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
	/* The same version exists: true to overwrite. NULL: not a terminal, so it is an error (EXISTS). */
	bool (*ask)(void *context, const char *question);
	void *context;
};

struct build_result {
	const char *root;       /* bundle root */
	const char **artifacts; /* files that the other steps made, or would make */
	size_t artifact_count;
	uint64_t files, bytes;
	bool unchanged;          /* the bundle was already exactly this */
	const struct plan *plan; /* of a dry run; NULL: there was no step `assemble` */
};

/*
 * Runs the steps of one release. On failure the previous bundle is as it was and nothing half-made is left. err->code
 * is the exit code's source; a failing `run` step gives its own exit code in *step_status.
 */
int build_release(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		  const struct build_options *options, struct build_result *out, int *step_status, struct error *err);

/* kvrel verify: each mismatch is reported through `report`; -INTEGRITY when there was one. */
int bundle_verify(struct arena *arena, const char *bundle_or_archive,
		  void (*report)(void *context, const char *path, const char *what), void *context, struct error *err);
/* kvrel inspect, kvrel diff: the facts as one tree, for text and --json alike. */
int bundle_inspect(struct arena *arena, const char *bundle_or_archive, struct value **out, struct error *err);
int bundle_diff(struct arena *arena, const char *old_bundle, const char *new_bundle, struct value **out,
		struct error *err);

#endif
