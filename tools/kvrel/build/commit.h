/* SPDX-License-Identifier: MIT */
/*
 * Putting a staged bundle into place, so that a kill at any moment leaves a bundle that works.
 *
 * - Nothing there: one rename.
 * - Only this version there, and nothing that kvrel did not make: the two roots change places in one call.
 * - Otherwise (other versions, a node's data/, somebody's files): unit by unit. A unit is a component's folder, a
 * runtime, a release, a licence folder, or a single file. New units are renamed into place, changed ones change places
 * with their predecessor, equal ones are left alone; releases/start.data comes last and is what makes a new version
 * count. What the new release does not have and no other version names is removed after that. Files that kvrel did not
 *   make are never moved or removed.
 *
 * Replacing a version in place next to other things takes as many renames as units differ; between two of them a kill
 * leaves old and new units side by side, which the next build repairs. Another version never has that window.
 */
#ifndef KVREL_COMMIT_H
#define KVREL_COMMIT_H

#include "build/assemble.h"
#include "build/existing.h"

struct commit {
	struct arena *arena;
	const struct staging *staging;
	const struct plan *plan;
	const struct existing *existing;
	const char *version;
	int64_t source_date;
	void (*warn)(void *context, const char *message);
	void *context;
};

/* True when the root already is exactly what the plan says: same manifest, and every entry untouched since. */
bool commit_is_needless(const struct commit *commit);

enum commit_way {
	COMMIT_NOTHING,
	COMMIT_NEW,     /* there was no bundle */
	COMMIT_SWAPPED, /* the old bundle lies in the staging folder */
	COMMIT_UNITS,
};

int commit_bundle(const struct commit *commit, enum commit_way *way, struct error *err);
/* For a build that fails after it: what was there before is there again, and the staging folder holds what is to go.
 * What went unit by unit stays. */
void commit_undo(const struct staging *staging, enum commit_way way);

#endif
