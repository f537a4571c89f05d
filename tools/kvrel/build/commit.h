/* SPDX-License-Identifier: MIT */
/*
 * Putting a staged bundle into place, so that a kill at any moment leaves a bundle that works.
 *
 * - Nothing there: one rename.
 * - Only this version there, and nothing that kvrel did not make: the two roots change places in one call.
 * - Otherwise (other versions, a node's data/, somebody's files): unit by unit (units.h), by base/exchange.h, so that
 *   what a kill leaves half done is taken back by the next build, or by the launcher, whichever comes first.
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

/* Is the entry in the root what the plan says? Its time counts too, unless it is shared with another version. */
bool commit_entry_is_same(const struct commit *commit, const struct plan_entry *entry);

enum commit_way {
	COMMIT_NOTHING,
	COMMIT_NEW,     /* there was no bundle */
	COMMIT_SWAPPED, /* the old bundle lies in the staging folder */
	COMMIT_UNITS,
};

struct placed {
	enum commit_way way;
	const char *version;
	struct slice steps; /* UNITS */
};

int commit_bundle(const struct commit *commit, struct placed *placed, struct error *err);
/* For a build that fails after it: what was there before is there again, and the staging folder holds what is to go. */
void commit_undo(const struct staging *staging, const struct placed *placed);

#endif
