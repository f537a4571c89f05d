/* SPDX-License-Identifier: MIT */
/* What a bundle root holds already: the versions in it, their manifests, and whether there is more than kvrel put
 * there. */
#ifndef KVREL_EXISTING_H
#define KVREL_EXISTING_H

#include "bundle/manifest.h"

struct installed { /* one folder of releases/ */
	const char *version;
	bool readable; /* its manifest could be read; otherwise its files count as not kvrel's */
	struct manifest manifest;
};

struct existing {
	const char *root;
	bool present;
	struct installed *versions; /* by name */
	size_t count;
};

int existing_read(struct arena *arena, const char *root, struct existing *out, struct error *err);
/* An entry of a folder that is no bundle, so that none is unpacked over somebody's files; NULL where there is no such
 * folder. What a node makes beside its bundle (data, tmp), a file system's own lost+found and an empty folder for
 * releases are no reason. */
const char *existing_stranger(struct arena *arena, const struct existing *existing);
const struct installed *existing_version(const struct existing *existing, const char *version);
/* True when some manifest names the path; `except` (may be NULL) is a version that does not count. */
const struct manifest_entry *existing_entry(const struct existing *existing, const char *path, const char *except);
/* 1 when `folder` ("" for the root) holds an entry that no manifest names, 0 when not. */
int existing_has_foreign(const struct existing *existing, const char *folder, struct error *err);

#endif
