/* SPDX-License-Identifier: MIT */
/*
 * What one source of settings says of one component. Sources only say; what a setting may be is checked once, over all
 * layers at the end, so that one run reports all mistakes and nobody hears of a value that a later layer replaces.
 */
#ifndef NODE_LAYER_H
#define NODE_LAYER_H

#include "base/value.h"

struct config_layer {
	const char *component;
	struct origin origin;   /* of values that have none of their own */
	struct value *settings; /* a map, or what stood where one was expected */
	struct config_layer *next;
};

/* In the order said: later ones win. */
struct config_layers {
	struct config_layer *first;
	struct config_layer **tail; /* NULL while it is empty */
	/* What a component's settings are so far, as they were said: a map, or NULL for a component that this release
	 * lacks. May be NULL. */
	struct value *(*so_far)(void *context, const char *component);
	void *context;
};

/* Keeps the pointers. */
void config_layers_add(struct arena *arena, struct config_layers *layers, const char *component, struct value *settings,
		       const struct origin *origin);
/* Gives a whole tree one place; `only_missing`: those parts of it that have none. */
void config_stamp(struct value *value, const struct origin *origin, bool only_missing);

#endif
