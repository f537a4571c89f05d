/* SPDX-License-Identifier: MIT */
/* The figures of a running node and whether it serves: what kvrel_api offers to the component `metrics`. Any thread. */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "kvrel/component.h"

void metrics_take(struct kvrel_node *node, kvrel_metric_fn *take, void *context);
bool metrics_healthy(struct kvrel_node *node, char *reason, size_t reason_size);

#endif
