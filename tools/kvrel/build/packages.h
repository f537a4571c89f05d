/* SPDX-License-Identifier: MIT */
/*
 * Which package of this machine a file came from, at which version, under which terms: for the manifest, the licences
 * folder and the SBOM. Asked of dpkg, all files in one call, and remembered, as one call takes a tenth of a second.
 *
 * On a machine without dpkg nothing is known: no package is listed, and the SBOM says NOASSERTION.
 */
#ifndef KVREL_PACKAGES_H
#define KVREL_PACKAGES_H

#include "base/arena.h"
#include "base/error.h"

struct package {
	const char *name;
	const char *version;
	const char *architecture;
	const char *source; /* what security notices speak of */
	const char *source_version;
	const char *copyright; /* /usr/share/doc/NAME/copyright; NULL: not on this machine */
};

struct static_part; /* static_parts.h */

struct package_map {
	struct package *packages; /* by name, each once */
	size_t count;
	const struct package **of_file;   /* parallel to the files asked for; NULL: nobody's */
	const struct static_part *linked; /* whose code is inside kvrel's own programs */
	size_t linked_count;
};

/* `cache_dir`: where answers are kept; NULL: nowhere. Never fails for want of dpkg. */
int packages_find(struct arena *arena, const char *const *files, size_t count, const char *cache_dir,
		  struct package_map *out, struct error *err);

#endif
