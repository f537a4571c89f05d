/* SPDX-License-Identifier: MIT */
/* The file that an archive grows in until it is complete, beside its later name, and named after its process. */
#ifndef KVREL_PART_FILE_H
#define KVREL_PART_FILE_H

#include "base/arena.h"
#include "base/error.h"

/*
 * Makes the folders of `path` and the part file, first removing those of processes that were killed. *out_fd is the
 * caller's, *out_part (its name) lives in the arena.
 */
int part_file_open(struct arena *arena, const char *path, int *out_fd, const char **out_part, struct error *err);

#endif
