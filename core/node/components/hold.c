/* SPDX-License-Identifier: MIT */
/*
 * A provider that takes no writes for a while: connections and links are told, whichever of the two there are. The
 * provider's own threads say so at any time, also while the main thread is about to make the net (node_net()).
 */
#include "node/components/components.h"
#include "node/dist/dist.h"
#include "node/node.h"

void component_hold_writes(struct kvrel_node *view, bool hold)
{
	struct node *node = view->node;
	struct components *components = &node->components;
	pthread_mutex_lock(&components->lock);
	if (atomic_exchange(&view->component->writes_held, hold) != hold) {
		components->holders += hold ? 1u : -1u;
		if (node->net != NULL)
			net_hold(node->net, components->holders > 0);
		if (node->dist != NULL && !hold)
			dist_resume(node->dist);
	}
	pthread_mutex_unlock(&components->lock);
}
