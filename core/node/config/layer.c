/* SPDX-License-Identifier: MIT */
#include "node/config/layer.h"

void config_layers_add(struct arena *arena, struct config_layers *layers, const char *component, struct value *settings,
		       const struct origin *origin)
{
	struct config_layer *layer = ARENA_NEW(arena, struct config_layer);
	*layer = (struct config_layer){ .component = component, .origin = *origin, .settings = settings };
	if (layers->tail == NULL)
		layers->first = layer;
	else
		*layers->tail = layer;
	layers->tail = &layer->next;
}

void config_stamp(struct value *value, const struct origin *origin, bool only_missing)
{
	if (!only_missing || value->origin.file == NULL)
		value->origin = *origin;
	for (size_t i = 0; value->type == VALUE_LIST && i < value->list.count; i++)
		config_stamp(value->list.items[i], origin, only_missing);
	for (size_t i = 0; value->type == VALUE_MAP && i < value->map.count; i++)
		config_stamp(value->map.members[i].value, origin, only_missing);
}
