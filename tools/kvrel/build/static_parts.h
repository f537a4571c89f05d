/* SPDX-License-Identifier: MIT */
/*
 * Packages whose code is inside kvrel's own programs, as static libraries. dpkg cannot tell, so the build of kvrel
 * wrote down what the linker said (runtime/static-parts: program, package, version, architecture, source, its version),
 * as it was then; the packages' terms lie in share/kvrel/licenses.
 */
#ifndef KVREL_STATIC_PARTS_H
#define KVREL_STATIC_PARTS_H

#include "build/packages.h"

#define UNPACKER "unpacker" /* the only program that heads an archive and is in no bundle */

struct static_part {
	const char *program; /* path in the runtime's folder: "launcher", "lib/libkvdist.so" */
	struct package package;
};

/* `licences`: folder of PACKAGE/copyright. A missing list (a build without dpkg) is an empty one. */
int static_parts_read(struct arena *arena, const char *runtime, const char *licences, struct static_part **out,
		      size_t *count, struct error *err);
/* Adds them and their packages to the map, each package once. */
void static_parts_add(struct arena *arena, const struct static_part *parts, size_t count, struct package_map *map);

#endif
