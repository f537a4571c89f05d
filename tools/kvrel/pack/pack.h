/* SPDX-License-Identifier: MIT */
/* One version of a bundle as a list of entries to archive: shared by the steps `tar` and `oci`. */
#ifndef KVREL_PACK_H
#define KVREL_PACK_H

#include "build/build_steps.h"
#include "pack/tar.h"

struct bundle {
	struct arena *arena;
	const char *root;
	const struct manifest *manifest;
};

/* The bundle that `assemble` made; FAILED when its manifest cannot be read. */
int bundle_open(struct build *build, struct bundle *out, struct error *err);
/* The manifest's entries and the two files that it does not name, sorted. */
struct manifest_entry *bundle_entries(const struct bundle *bundle, size_t *count);
/* All of it as a tar.zst. */
int bundle_pack(struct build *build, const char *path, int level, struct error *err);
/* Adds one as `path`, checked against the manifest on the way. */
int bundle_add_entry(struct tar *tar, const struct bundle *bundle, const struct manifest_entry *entry, const char *path,
		     struct error *err);

#endif
