/* SPDX-License-Identifier: MIT */
/*
 * A project in a temporary folder, made of the texts that a test gives, and what spec_load() says about it. One at a
 * time: t_begin() and t_end() are the suite's .init and .fini.
 */
#ifndef T_PROJECT_H
#define T_PROJECT_H

#include "spec/spec.h"

extern struct arena t_arena;
extern struct spec *t_spec; /* NULL after mistakes */
extern struct diagnostics t_diagnostics;
extern struct error t_err;
extern struct spec_options t_options; /* project_dir is filled by t_begin() */

void t_begin(void);
void t_end(void);
/* Writes a file of the project; folders are made. */
void t_file(const char *path, const char *text);
/* core/NAME/component.yaml with `dependencies` ("a, b") and nothing else. */
void t_component(const char *name, const char *dependencies);
/* Loads this text as releases.yaml. Returns spec_load()'s result. */
int t_load(const char *releases);
/* The same, failing the test with the mistakes unless there are none. */
void t_load_ok(const char *releases);
/* Fails the test unless the mistakes are exactly these lines: "releases.yaml:1:2: text\n…". */
void t_expect(const char *releases, const char *mistakes);
/* "kv=permanent kv_server=permanent": the members of a release in order; "(kv=…)" came as a dependency. */
const char *t_members(const char *release);

#endif
