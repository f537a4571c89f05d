/* SPDX-License-Identifier: MIT */
/* The file that an archive grows in until it is complete, beside its later name, and named after its process. */
#ifndef KVREL_PART_FILE_H
#define KVREL_PART_FILE_H

#include "base/arena.h"
#include "base/error.h"

/* PATH.PID.part. With a dot and more behind it, it is a name for what is needed on the way only. */
const char *part_file_name(struct arena *arena, const char *path);
/*
 * Makes the folders of `path` and the part file, first removing what killed processes left. *out_fd is the
 * caller's, *out_part (its name) lives in the arena.
 */
int part_file_open(struct arena *arena, const char *path, int *out_fd, const char **out_part, struct error *err);

#endif
