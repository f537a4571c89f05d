/* SPDX-License-Identifier: MIT */
/* Lua that configures: runtime.lua, and the config providers of the kind `lua`. */
#ifndef NODE_RUNTIME_CONFIG_H
#define NODE_RUNTIME_CONFIG_H

#include "node/config/layer.h"
#include "node/config/sys.h"

/*
 * Runs the file. What it calls config() with is added to the layers; a mistake in it is an error whose message begins
 * with the file, as `shown`, and line: "rel/runtime.lua:3: environment variable PORT is not set". INVALID; other codes
 * when the file cannot be read.
 */
int runtime_config_run(struct arena *arena, const struct release *release, const struct sys *sys, const char *path,
		       const char *shown, struct config_layers *layers, struct error *err);

#endif
