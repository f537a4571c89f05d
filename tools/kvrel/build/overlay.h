/* SPDX-License-Identifier: MIT */
/*
 * Overlays: folders of the project that are laid over the bundle, links and x bits kept. What would leave the bundle
 * (an absolute link, one that climbs out), write where only the node writes (data/, tmp/), or take the place of what
 * kvrel says about the bundle (manifests, start.data) is refused. releases/COOKIE is a secret here too.
 */
#ifndef KVREL_OVERLAY_H
#define KVREL_OVERLAY_H

#include "build/plan.h"

/* Adds an entry for each file, link and folder of `folder` to `plan`. */
int overlay_scan(struct plan *plan, const char *folder, struct error *err);

#endif
