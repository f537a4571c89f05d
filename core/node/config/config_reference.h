/* SPDX-License-Identifier: MIT */
/* What the components of a release say of their settings, for people: `bin/NAME config describe`. */
#ifndef NODE_CONFIG_REFERENCE_H
#define NODE_CONFIG_REFERENCE_H

#include "node/config/sys.h"

/* Of all components, or of COMPONENT or COMPONENT.KEY. As JSON what component.yaml declares. NOT_FOUND: no such name.
 */
int config_reference(const struct sys *sys, const char *name, bool json, struct buf *out, struct error *err);

#endif
