/* SPDX-License-Identifier: MIT */
/*
 * From plan to files. A bundle is assembled in a folder beside its root, `.NAME.staging-PID`, on the same file system,
 * and then put into place by renames. Who assembles holds a lock on the folder above the root, so every other staging
 * folder of that name was left by a killed build and is removed.
 */
#ifndef KVREL_ASSEMBLE_H
#define KVREL_ASSEMBLE_H

#include "build/plan.h"

/* In the environment of steps, "NAME-VERSION:FOLDER": the folder whose lock the build of NAME holds. */
#define STAGING_LOCK_VARIABLE "KVREL_LOCKED_FOLDER"

struct staging {
	const char *root;   /* of the bundle, links resolved where it exists */
	const char *parent; /* folder of both */
	const char *path;
	int lock_fd;
};

/* Makes the folder above, locks it (waiting a minute at most: TRY_AGAIN; not at all inside a step of the build that has
 * it), takes back and removes what killed builds left. */
int staging_begin(struct arena *arena, const char *root, struct staging *out, struct error *err);
/* Writes all entries; modes, times and owner do not depend on the environment. On failure staging_end() removes all. */
int staging_fill(const struct staging *staging, const struct plan *plan, int64_t source_date, struct error *err);
/* After this, what staging_fill() wrote survives the loss of power: a renamed bundle is never half on the disk. */
int staging_flush(const struct staging *staging, const struct plan *plan, struct error *err);
/* Removes the staging folder and unlocks. Safe on a zeroed one with lock_fd -1, and twice. */
void staging_end(struct staging *staging);
/* Sets the time of one entry without following a link. */
int set_time(const char *path, int64_t seconds, struct error *err);

#endif
