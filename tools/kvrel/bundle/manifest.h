/* SPDX-License-Identifier: MIT */
/*
 * manifest.json: every entry of a release in its bundle, with size, mode, SHA-256 and where it came from. Format 1.
 *
 * Not in it: itself, and releases/start.data, which belongs to no version. A secret's digest is left out. Reading
 * checks all that later steps rely on: paths that stay inside, known types, well-formed digests.
 */
#ifndef KVREL_MANIFEST_H
#define KVREL_MANIFEST_H

#include "build/plan.h"

struct manifest_entry {
	const char *path;
	enum plan_kind kind; /* DIR, FILE or LINK */
	mode_t mode;
	uint64_t size_bytes;
	const char *sha256; /* NULL: not a file, or a secret */
	const char *target; /* LINK */
	const char *origin; /* "component", … */
	const char *origin_name;
	const char *origin_version;
	const char *change; /* what kvrel did to it; NULL: nothing */
};

struct manifest {
	const char *release;
	const char *version;
	const char *runtime_version;
	int64_t source_date;
	struct manifest_entry *entries; /* by path */
	size_t count;
	const struct value *tree; /* what else it says; the files need not be in it */
};

struct package_map; /* packages.h */
struct manifest_info {
	const struct spec_release *release;
	const char *runtime_version;
	int64_t source_date; /* seconds since 1970; every entry's time of modification */
	const struct package_map *packages;
};

/* `plan` is prepared: sizes and digests are known. Written to `fd`, entry by entry. */
int manifest_write(struct arena *arena, const struct manifest_info *info, const struct plan *plan, int fd,
		   struct error *err);
/* `name` is what messages call it. */
int manifest_parse(struct arena *arena, struct slice text, const char *name, struct manifest *out, struct error *err);
const struct manifest_entry *manifest_find(const struct manifest *manifest, const char *path);

#endif
