/* SPDX-License-Identifier: MIT */
/* What a release says in Lua, checked without building: its own templates are rendered, runtime.lua and the files of
 * its commands compiled. A file that several releases use is complained of once. */
#ifndef KVREL_CHECK_LUA_H
#define KVREL_CHECK_LUA_H

#include "spec/spec.h"

/* Mistakes become diagnostics, unsorted. Fails only where nothing can be checked (no memory). */
int check_lua(struct arena *arena, const struct spec *spec, const struct spec_release *const *releases, size_t count,
	      struct diagnostics *diagnostics, struct error *err);

#endif
