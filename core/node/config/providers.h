/* SPDX-License-Identifier: MIT */
/*
 * Config providers: further sources of settings at boot, in the order that releases.yaml lists them, between the
 * settings of the build (sys.yaml) and runtime.lua.
 *
 *	{yaml: FILE, optional: true}     component → settings; without `optional` the file must exist
 *	{dir: FOLDER, optional: true}    every *.yaml and *.yml of it, in byte order of the names
 *	{env: PREFIX}                    PREFIX + COMPONENT__KEY=value; `env: true` is the empty prefix
 *	{credentials: true}              files COMPONENT.KEY in $CREDENTIALS_DIRECTORY, where systemd puts secrets
 *	{exec: [PROGRAM, ARGUMENT…]}     what it prints, as YAML or JSON; `timeout: 10s`
 *	{lua: FILE, optional: true}      as runtime.lua
 *
 * Relative paths count from the bundle's root; ${RELEASE_ROOT} and other variables stand for their values. A provider
 * that fails is a mistake in the report, and the others still run: one boot tells all that is wrong.
 */
#ifndef NODE_PROVIDERS_H
#define NODE_PROVIDERS_H

#include "node/config/layer.h"
#include "node/config/report.h"
#include "node/config/sys.h"

struct provider_run {
	struct arena *arena;
	const struct release *release;
	const struct sys *sys;
	struct report *report;
	struct config_layers *layers;
	const struct value *entry; /* the provider at work: its map in sys.yaml */
	struct origin origin;      /* … and where it stands in releases.yaml */
};

/* Runs those of sys->providers. Mistakes go to the report. */
void providers_run(struct provider_run *run);

/* ---- for the kinds ---- */

/* "releases.yaml:12:7: error: config provider 'exec': …" */
void provider_failed(const struct provider_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A document with component → settings, from anywhere. */
void provider_take_document(struct provider_run *run, struct value *document);
/* One setting as a text whose type the component declares: kv_server, {port} or {limits, a} for parts of a map. */
void provider_take_text(struct provider_run *run, struct slice component, struct slice dotted, struct slice text,
			const char *origin);
/* ${NAME} replaced, made absolute; NULL after a mistake. */
const char *provider_path(struct provider_run *run, const char *text);

/* provider_env.c */
void provider_env(struct provider_run *run);
void provider_credentials(struct provider_run *run);
/* provider_exec.c */
void provider_exec(struct provider_run *run);

#endif
