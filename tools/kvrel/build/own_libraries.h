/* SPDX-License-Identifier: MIT */
/*
 * Libraries that a component brings along: those beside it that its search path leads to. A bundle with a runtime holds
 * all libraries in one folder; one without leaves the host's to the host, but these nobody else has, so they keep
 * their places relative to the component.
 */
#ifndef KVREL_OWN_LIBRARIES_H
#define KVREL_OWN_LIBRARIES_H

#include "build/plan.h"

/* Adds an entry for each; `like` is the entry of the component's library. */
int own_libraries_add(struct plan *plan, const struct plan_entry *like, struct error *err);

#endif
