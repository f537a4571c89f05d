/* SPDX-License-Identifier: MIT */
/*
 * What kvrel put into the bundle for the runtime: sys.yaml and the component.yaml of each component. Read once,
 * checked, immutable afterwards; everything lives in the caller's arena.
 */
#ifndef NODE_SYS_H
#define NODE_SYS_H

#include "base/value.h"
#include "node/release.h"

enum component_mode { MODE_NONE, MODE_LOAD, MODE_TEMPORARY, MODE_TRANSIENT, MODE_PERMANENT, MODE_COUNT };
const char *component_mode_name(enum component_mode mode);

struct sys_component {
	const char *name;
	const char *version;
	enum component_mode mode;
	const char *dir;       /* ROOT/lib/NAME-VERSION */
	const char *library;   /* the shared object */
	const char *yaml;      /* "lib/kv-0.1.0/component.yaml", for messages */
	const char **requires; /* names of the components that start before */
	size_t require_count;
	const struct value *schema; /* map key → {type, default, …}; NULL: no settings */
};

struct sys {
	const char *release_name;
	const char *release_version;
	const char *runtime_config;       /* file; NULL: none */
	const char *runtime_shown;        /* "rel/runtime.lua": the path that users know */
	struct sys_component *components; /* in start order */
	size_t component_count;
	const char **project_components; /* all that the project has, also those that this release leaves out */
	size_t project_component_count;
	const struct value *providers; /* list of config providers, see providers.h; NULL: none */
	const struct value *config;    /* component → key → value, with the origins of releases.yaml; NULL: none */
};

int sys_load(struct arena *arena, const struct release *release, struct sys *out, struct error *err);
const struct sys_component *sys_component(const struct sys *sys, const char *name);
/* "releases.yaml:9:7" → file, line, column; anything else is a file. */
struct origin sys_origin(struct arena *arena, const char *text);
bool sys_project_has(const struct sys *sys, const char *name);

#endif
