/* SPDX-License-Identifier: MIT */
/* Build-time settings: component → key → value, checked against what the project's components declare. */
#ifndef KVREL_SETTINGS_H
#define KVREL_SETTINGS_H

#include "spec/project.h"

/*
 * Layers are checked one by one, not their merge: each value is checked once, where it was written, however many
 * releases share it. Settings of a component that a release leaves out are fine. `config` may be NULL.
 */
void settings_check(const struct reader *reader, const struct project *project, const struct value *config);

/*
 * `component.key=value` texts into one map; values are YAML. A text of another form is -USAGE; a value that is no YAML
 * goes to the reader. Values get the origin "--set component.key". *out stays NULL when there are none.
 */
int settings_from_options(const struct reader *reader, const char *const *sets, size_t count, struct value **out,
			  struct error *err);

#endif
