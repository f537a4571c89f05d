/* SPDX-License-Identifier: MIT */
/*
 * A bundle that lies beside other things is replaced unit by unit. A unit is a component's folder, a runtime, a
 * release, a licence folder, or a single file. New units are put into place, changed ones change places with their
 * predecessor, equal ones are left alone; releases/start.data comes last and is what makes a new version count. What
 * the new release does not have and no other version names goes after that. Files that kvrel did not make are never
 * moved or removed.
 */
#ifndef KVREL_UNITS_H
#define KVREL_UNITS_H

#include "build/commit.h"

/* The steps for exchange_run(). Completes the staging folder by what units share with other versions. */
int units_plan(const struct commit *commit, struct buf *steps, struct error *err);

#endif
