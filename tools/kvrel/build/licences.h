/* SPDX-License-Identifier: MIT */
/* The terms of everything inside a bundle: of host packages, of kvrel's own parts, of the project's components. */
#ifndef KVREL_LICENCES_H
#define KVREL_LICENCES_H

#include "build/packages.h"
#include "build/plan.h"

/* `builtin`: the folder share/kvrel/licenses of this kvrel, may be missing. Each name once. */
void licences_find(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		   const struct package_map *packages, const char *builtin, struct plan_licence **out, size_t *count);

#endif
