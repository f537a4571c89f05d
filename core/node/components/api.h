/* SPDX-License-Identifier: MIT */
/* The table of functions that components get. */
#ifndef NODE_API_H
#define NODE_API_H

#include "kvrel/component.h"

void api_fill(struct kvrel_api *api);

#endif
