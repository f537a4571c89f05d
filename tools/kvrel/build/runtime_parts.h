/* SPDX-License-Identifier: MIT */
/*
 * What the runtime of this installation consists of besides the launcher, kvnode and kvbundle: every shared object in
 * its lib/. libkvnode.so is always one; others are opened by it on first use (a console, the transport between nodes),
 * so nothing needs them by name and only their lying there says that they belong to it.
 */
#ifndef KVREL_RUNTIME_PARTS_H
#define KVREL_RUNTIME_PARTS_H

#include "base/arena.h"
#include "base/error.h"

/* File names ("libkvnode.so"), sorted. NOT_FOUND when the installation is incomplete. */
int runtime_libraries(struct arena *arena, const char *runtime, const char *const **out, size_t *count,
		      struct error *err);

#endif
