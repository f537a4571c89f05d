/* SPDX-License-Identifier: MIT */
/* A project of one release and one component in a folder of its own; one of its two files is what is fuzzed. */
#ifndef T_FUZZ_PROJECT_H
#define T_FUZZ_PROJECT_H

#include <stddef.h>

#define FUZZ_RELEASES_FILE  "releases.yaml"
#define FUZZ_COMPONENT_FILE "core/component.yaml"

/* Reads the project with `data` in `file` and something simple in the other one: a specification, or mistakes with a
 * line each; never both, never neither. */
void fuzz_project(const char *file, const void *data, size_t size);

#endif
