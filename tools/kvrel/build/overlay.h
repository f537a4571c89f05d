/* SPDX-License-Identifier: MIT */
/*
 * Overlays: folders of the project that are laid over the bundle, links and x bits kept. What would leave the bundle
 * (an absolute link, one that climbs out), write where only the node writes (data/, tmp/), or take the place of what
 * kvrel says about the bundle (manifests, start.data) is refused. releases/COOKIE is a secret here too.
 */
#ifndef KVREL_OVERLAY_H
#define KVREL_OVERLAY_H

#include "build/plan.h"

/* Adds an entry for each file, link and folder of `folder` to `plan`; messages call it `shown`. */
int overlay_scan(struct plan *plan, const char *folder, const char *shown, struct error *err);

typedef void overlay_warn(void *context, const char *message);
/* After plan_finish(), of a bundle with a runtime: what components open of an overlay is seen by nobody else, so that a
 * library it lacks would be missed where the node runs. Programs are left alone: they run on the host's libraries. */
void overlay_check_needs(const struct plan *plan, overlay_warn *warn, void *context);

#endif
