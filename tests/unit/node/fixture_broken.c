/* SPDX-License-Identifier: MIT */
/* Components that must be refused, each compiled with what is wrong with it; and one of the time of smaller tables. */
#include "kvrel/component.h"

#ifndef FIXTURE_ABI
#define FIXTURE_ABI KVREL_ABI
#endif
#ifdef FIXTURE_OLD
#define FIXTURE_SIZE offsetof(struct kvrel_component, batch_ran)
#endif
#ifndef FIXTURE_SIZE
#define FIXTURE_SIZE sizeof(struct kvrel_component)
#endif
#ifndef FIXTURE_NAME
#define FIXTURE_NAME "echo"
#endif
#ifndef FIXTURE_SYMBOL
#define FIXTURE_SYMBOL kvrel_component
#endif

static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	(void)node;
	(void)api;
	*state = 0;
	return 0;
}

static void stop(void *state)
{
	(void)state;
}

static const struct kvrel_component component = {
	.abi = FIXTURE_ABI,
	.size = FIXTURE_SIZE,
	.name = FIXTURE_NAME,
	.start = start,
	.stop = stop,
};

KVREL_EXPORT const struct kvrel_component *FIXTURE_SYMBOL(void);
const struct kvrel_component *FIXTURE_SYMBOL(void)
{
	return &component;
}
