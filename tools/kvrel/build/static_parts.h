/* SPDX-License-Identifier: MIT */
/*
 * Packages whose code is inside the launcher, which is static. dpkg cannot tell, so the build
 * of kvrel wrote them down (runtime/static-parts: program, package, version, architecture, source, its version), as
 * they were then; their terms lie in share/kvrel/licenses.
 */
#ifndef KVREL_STATIC_PARTS_H
#define KVREL_STATIC_PARTS_H

#include "build/packages.h"

struct static_part {
	const char *program; /* path in the runtime's folder: "launcher" */
	struct package package;
};

/* `licences`: folder of PACKAGE/copyright. A missing list (a build without dpkg) is an empty one. */
int static_parts_read(struct arena *arena, const char *runtime, const char *licences, struct static_part **out,
		      size_t *count, struct error *err);
/* Adds what is in `program` to the map, each package once. */
void static_parts_add(struct arena *arena, const struct static_part *parts, size_t count, const char *program,
		      struct package_map *map);

#endif
