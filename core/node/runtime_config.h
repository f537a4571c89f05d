/* SPDX-License-Identifier: MIT */
/* runtime.lua: configuration computed at boot. */
#ifndef NODE_RUNTIME_CONFIG_H
#define NODE_RUNTIME_CONFIG_H

#include "node/sys.h"

/* One call of config(component, table), in the order made. */
struct runtime_layer {
	const char *component;
	struct origin origin;   /* rel/runtime.lua:3 */
	struct value *settings; /* a map */
	struct runtime_layer *next;
};

/*
 * Runs the file. What it calls config() with comes back as layers; a mistake in it is an error whose message begins
 * with the file and line: "rel/runtime.lua:3: environment variable PORT is not set".
 */
int runtime_config_run(struct arena *arena, const struct release *release, const struct sys *sys,
		       struct runtime_layer **out, struct error *err);

#endif
