/* SPDX-License-Identifier: MIT */
/*
 * What releases.yaml and the component.yaml files say, checked: the input of plan.
 *
 * spec_load() reads everything and collects every mistake with its position; a spec with mistakes is never handed on.
 * Everything lives in the caller's arena and is immutable afterwards. Paths are absolute unless said otherwise.
 */
#ifndef KVREL_SPEC_H
#define KVREL_SPEC_H

#include "base/error.h"
#include "base/value.h"

enum component_mode { MODE_NONE, MODE_LOAD, MODE_TEMPORARY, MODE_TRANSIENT, MODE_PERMANENT, MODE_COUNT };
const char *component_mode_name(enum component_mode mode);

/* One component.yaml of the project. */
struct spec_component {
	const char *name;
	const char *version;
	const char *description;    /* NULL: none */
	const char *license;        /* NULL: unknown */
	const char *dir;            /* folder of component.yaml */
	const char *file;           /* component.yaml, absolute */
	const char *library;        /* the shared object; NULL: not built, a mistake only for releases that use it */
	const char *library_sought; /* where it was looked for, for the message */
	const char **dependencies;
	size_t dependency_count;
	const char **libraries; /* sonames it opens by dlopen */
	size_t library_count;
	const struct value *schema; /* map key → {type, default, …}; NULL: no settings */
	struct origin origin;       /* component.yaml:1 */
};

struct spec_member { /* a component in a release */
	const struct spec_component *component;
	enum component_mode mode;
	bool listed;          /* named in releases.yaml; otherwise came as a dependency */
	struct origin origin; /* its entry in releases.yaml, or the release when it came as a dependency */
};

enum spec_step_kind { STEP_ASSEMBLE, STEP_TAR, STEP_OCI, STEP_SBOM, STEP_SELF_EXTRACT, STEP_RUN };
const char *step_kind_name(enum spec_step_kind kind); /* as releases.yaml has it */
struct spec_step {
	enum spec_step_kind kind;
	const char *command; /* STEP_RUN: for /bin/sh -c */
	struct origin origin;
};

struct spec_named_file { /* commands, hooks: name → file */
	const char *name;
	const char *path;
	struct origin origin;
};

struct spec_release {
	const char *name;
	const char *version;
	struct spec_member *members; /* in start order: dependencies first, then as listed */
	size_t member_count;
	struct value *config; /* component → key → value: top level ← release ← --set; secrets included */
	const char *cookie;   /* NULL: none in the bundle */
	bool include_runtime;
	bool edit_loader;
	bool strip;
	const char **strip_keep; /* components not stripped */
	size_t strip_keep_count;
	int compression;       /* of the step tar: a level of zstd; 0: gzip */
	const char **overlays; /* folders, rel/overlays first if it exists */
	size_t overlay_count;
	struct spec_step *steps;
	size_t step_count;
	const char *templates;                /* folder of the project's templates (may not exist) */
	const char *runtime_config;           /* file; NULL: none */
	const char *runtime_config_shown;     /* "rel/runtime.lua", also when it was not found */
	const struct value *config_providers; /* list or NULL */
	const char *path;                     /* bundle root */
	bool unix_executables;                /* executables_for has unix */
	bool quiet;
	struct spec_named_file *commands;
	size_t command_count;
	struct spec_named_file *hooks;
	size_t hook_count;
	struct origin origin;
};

struct spec {
	const char *project_dir;
	const char *default_release;       /* NULL: none */
	const char *build_command;         /* NULL: none */
	const char *build_dir;             /* where compiled components are: BUILD_DIR/components/NAME/NAME.so */
	struct spec_component *components; /* all of the project, by name */
	size_t component_count;
	struct spec_release *releases; /* in the order of the file */
	size_t release_count;
};

#define SPEC_FILE "releases.yaml"
enum { DIAGNOSTICS_MAX = 500 };

/* All mistakes of a run. Files are named relative to the project folder, whatever the current one is, because the
 * origins of settings go into the bundle. A mistake of the command line has the file "--set kv.port" and line 0. */
struct diagnostic {
	struct origin origin;
	bool warning;
	bool unreadable; /* the reader of YAML could not make sense of what is there */
	const char
		*message; /* without the position: "unknown key 'verison' in release 'foo' (did you mean 'version'?)" */
};
struct diagnostics {
	struct arena *arena;
	struct diagnostic *items;
	size_t count;
	size_t errors; /* all of them: those past DIAGNOSTICS_MAX are counted but not kept */
};
void diagnostics_add(struct diagnostics *diagnostics, const struct origin *origin, bool warning, const char *format,
		     ...) __attribute__((format(printf, 4, 5)));
/* A mistake; what is said later of the same place would only follow from it, and is dropped. */
void diagnostics_unreadable(struct diagnostics *diagnostics, const struct origin *origin, const char *message);
/* By file (releases.yaml first, the command line last), line and column. spec_load() has done it. */
void diagnostics_sort(struct diagnostics *diagnostics);

struct spec_options {
	const char *project_dir; /* absolute */
	const char *build_dir;   /* NULL: from releases.yaml, else _build/release */
	const char *version;     /* --version, NULL: none */
	const char *path;        /* --path, NULL: none */
	const char *const *sets; /* component.key=value */
	size_t set_count;
	struct slice text; /* releases.yaml, instead of the file, when data is not NULL */
};

/* 0 and *out, or -INVALID with at least one error in `diagnostics`; other codes (no file, no memory) only in err. */
int spec_load(struct arena *arena, const struct spec_options *options, struct diagnostics *diagnostics,
	      struct spec **out, struct error *err);
const struct spec_release *spec_release(const struct spec *spec, const char *name);
/* A mistake for each component of the release that is not built. spec_load() does not look: `check` needs no libraries.
 */
void spec_require_libraries(const struct spec *spec, const struct spec_release *release,
			    struct diagnostics *diagnostics);

#endif
