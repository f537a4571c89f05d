/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP: the configuration is read again and the running node takes over what it can. All of it is checked before
 * anything changes; what cannot change while a component runs is named, and waits for a restart.
 */
#ifndef NODE_RELOAD_H
#define NODE_RELOAD_H

#include "base/error.h"
#include "node/config/config.h"

struct component;
struct node;

/* Main thread. Says in the log what it did. */
void reload(struct node *node);
/*
 * Gives a setting a new value and tells the component when it runs; the old value stays when that fails. `value` is
 * copied. Main thread.
 */
int reload_setting(struct node *node, struct component *component, const char *key, const struct value *value,
		   struct error *err);

#endif
