/* SPDX-License-Identifier: MIT */
/* What joins the links between nodes (dist/) to this node: its operations, its control server, its settings. */
#ifndef NODE_LINKS_H
#define NODE_LINKS_H

#include "base/error.h"
#include "kvrel/component.h"

struct node;

/* Listens for other nodes, on the first worker's thread; nothing when distribution is `none`. */
int links_start(struct node *node, struct error *err);
/* kvrel_api.forward */
void links_forward(struct kvrel_node *view, struct kvrel_call *call, const char *target, uint32_t timeout_ms);
/* After the components have stopped. */
void links_end(struct node *node);
/* How many threads run operations. */
uint32_t links_worker_count(const struct node *node);

#endif
