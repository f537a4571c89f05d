/* SPDX-License-Identifier: MIT */
/*
 * What goes where in a bundle: a list of entries, sorted by path, each with the reason for being there. Deciding is
 * pure; assemble.c acts on it, `--dry-run` prints it, manifest.c writes it down.
 *
 * plan_release() adds everything that a release has; overlays are added after it so that they win; plan_finish() adds
 * the folders, sorts, and refuses what cannot be (a file where another entry needs a folder).
 */
#ifndef KVREL_PLAN_H
#define KVREL_PLAN_H

#include "build/digest.h"
#include "closure/closure.h"
#include "spec/spec.h"

#include <time.h>

enum plan_kind { PLAN_DIR, PLAN_FILE, PLAN_TEXT, PLAN_LINK };
enum plan_change { CHANGE_NONE, CHANGE_STRIP, CHANGE_EDIT_LOADER };

enum plan_origin {
	FROM_RUNTIME,   /* kvrel's own: kvnode, the launcher */
	FROM_COMPONENT, /* origin_name, origin_version */
	FROM_PACKAGE,   /* a package of the host; name and version where they are known */
	FROM_TEMPLATE,
	FROM_GENERATED,
	FROM_PROJECT, /* runtime.lua, commands, licences of the project */
	FROM_OVERLAY,
	PLAN_ORIGIN_COUNT
};
const char *plan_origin_name(enum plan_origin origin);

struct plan_entry {
	const char *path; /* relative to the bundle root */
	enum plan_kind kind;
	mode_t mode;
	const char *source; /* FILE: where its bytes are */
	struct slice text;  /* TEXT: content; LINK: target, NUL-terminated */
	enum plan_change change;
	bool secret; /* its digest is not written down */
	enum plan_origin origin;
	const char *origin_name; /* NULL: not known */
	const char *origin_version;
	const char *why;
	const char **linked; /* packages whose code is inside, besides the origin */
	size_t linked_count;

	size_t order; /* plan_finish()'s */

	/* filled by plan_prepare() */
	const char *content;     /* FILE: the final bytes: `source`, or its changed copy in the cache */
	struct timespec changed; /* `source`, when it is the content, before it was digested; zero: not noted */
	uint64_t size_bytes;
	char sha256[DIGEST_HEX_BYTES];
	char sha1[DIGEST_SHA1_HEX_BYTES]; /* SPDX demands it */
};

struct plan {
	struct arena *arena;
	struct plan_entry *entries;
	size_t count, capacity;
};

/* Text files of a release, rendered already. A slice with NULL data: not in the bundle. */
struct plan_texts {
	struct slice vm_args, remote_vm_args, env_sh, sys_yaml;
};

struct package_map; /* packages.h */

struct plan_licence {
	const char *package;
	const char *file;
};

struct plan_inputs {
	const struct spec *spec;
	const struct spec_release *release;
	const char *runtime_dir;              /* bin/kvnode, lib/, launcher */
	const char *const *runtime_libraries; /* file names in its lib/ */
	size_t runtime_library_count;
	const char *runtime_version; /* "1.0.0" */
	const char *shell;           /* a dash of this machine; NULL: none found */
	const struct closure *closure;
	const struct package_map *packages; /* of package_files */
	const char *const *package_files;
	size_t package_file_count;
	struct plan_texts texts;
	const struct plan_licence *licences;
	size_t licence_count;
};

/* The new entry; the caller sets what is special about it. `why` is kept. */
struct plan_entry *plan_add(struct plan *plan, enum plan_kind kind, const char *path, enum plan_origin origin,
			    const char *why);
void plan_release(struct plan *plan, const struct plan_inputs *inputs);
int plan_finish(struct plan *plan, struct error *err);
/* NULL when there is none; only after plan_finish(). */
const struct plan_entry *plan_find(const struct plan *plan, const char *path);
/* One line an entry, with the reasons when `verbose`. */
void plan_show(const struct plan *plan, bool verbose, struct buf *out);
/* A list of maps: path, kind, mode, source_bytes, source, change, origin, why. */
struct value *plan_tree(struct arena *arena, const struct plan *plan);

#endif
