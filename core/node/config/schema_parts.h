/* SPDX-License-Identifier: MIT */
/*
 * Lists and maps whose parts are declared, too:
 *
 *	routing_table:
 *	  type: list
 *	  items:
 *	    type: map
 *	    keys: {range: {type: range, required: true}, node: {type: node, required: true}}
 *	  cover: range      # warns where the ranges of the items overlap or leave bytes out; an empty list covers all
 *
 * Without `items` or `keys` the parts may be anything.
 */
#ifndef NODE_SCHEMA_PARTS_H
#define NODE_SCHEMA_PARTS_H

#include "node/config/schema.h"

int schema_check_items(const struct schema_context *context, const struct value *schema, struct value *list,
		       struct value **out, struct error *err);
int schema_check_keys(const struct schema_context *context, const struct value *schema, struct value *map,
		      struct value **out, struct error *err);

/* The value as it may be shown: what is declared a secret, as a whole or in its parts, is masked. `value` NULL: null.
 */
#define SCHEMA_MASK "********"
struct value *schema_masked(struct arena *arena, const struct value *schema, struct value *value);

#endif
