/* SPDX-License-Identifier: MIT */
/* Where kvrel's own files are: beside its executable, alike in a build tree and in an installation. */
#ifndef KVREL_LOCATE_H
#define KVREL_LOCATE_H

#include "build/build.h"

/* For what needs no runtime. */
int locate_templates(struct arena *arena, const char **out, struct error *err);
int locate_tool(struct arena *arena, struct tool_paths *out, struct error *err);

#endif
