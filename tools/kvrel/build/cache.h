/* SPDX-License-Identifier: MIT */
/* Things that can be made again, by the digest of what they were made of. What no build used for a month is removed. */
#ifndef KVREL_CACHE_H
#define KVREL_CACHE_H

#include "base/arena.h"
#include "base/error.h"

/* _build/.cache/kvrel of the project, else of the user, else a temporary one. */
int cache_folder(struct arena *arena, const char *project_dir, const char **out, struct error *err);
/* Is it there? Then it counts as used. */
bool cache_has(const char *file);
void cache_prune(const char *folder);

#endif
