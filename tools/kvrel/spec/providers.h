/* SPDX-License-Identifier: MIT */
/* config_providers of a release: checked here, run by the node at each boot (core/node/providers.h has the forms). */
#ifndef KVREL_PROVIDERS_H
#define KVREL_PROVIDERS_H

#include "spec/fields.h"

/* The list as it goes into sys.yaml: each entry with the `origin` it has in releases.yaml. NULL: none. */
const struct value *providers_read(const struct reader *reader, const struct value *list);

#endif
