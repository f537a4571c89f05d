/* SPDX-License-Identifier: MIT */
/*
 * Files that are not copied as they are: our own lose unneeded symbols, the loader and libc lose the host's paths. The
 * result depends on the input's bytes alone and is kept in a cache under their digest, so that an unchanged
 * file costs nothing.
 */
#ifndef KVREL_TRANSFORM_H
#define KVREL_TRANSFORM_H

#include "build/build.h"
#include "build/plan.h"

/*
 * Fills content, size_bytes and sha256 of every entry. A file that must be changed is changed now, in the cache.
 * `shared` (may be NULL) knows those of earlier releases that are the same still. Non-ELF input is never changed.
 * UNSUPPORTED when the loader is of a build whose strings are not known.
 */
int plan_prepare(struct plan *plan, const char *cache_dir, struct build_shared *shared, struct error *err);
/* The symbols that stripping takes out of `source`, as a file of the cache: for the debug archive. */
int transform_debug(struct arena *arena, const char *source, const char *cache_dir, const char **out,
		    struct error *err);
/* Replaces the host's paths in an image of ld.so or libc, in place. Returns how many, or UNSUPPORTED. */
int edit_loader_image(char *image, size_t size, const char *name, struct error *err);

#endif
