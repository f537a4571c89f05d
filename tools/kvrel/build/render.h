/* SPDX-License-Identifier: MIT */
/* The text files of a release: templates (the project's, falling back file by file to the built-in ones) and sys.yaml.
 */
#ifndef KVREL_RENDER_H
#define KVREL_RENDER_H

#include "build/plan.h"

/* Renders vm.args, remote.vm.args, env.sh and writes sys.yaml. `builtin` is the tool's folder of templates. */
int render_texts(struct arena *arena, const struct spec *spec, const struct spec_release *release, const char *builtin,
		 struct plan_texts *out, struct error *err);
/* The project's own file for a template; NULL: it has none. */
const char *render_own_template(struct arena *arena, const struct spec_release *release, const char *name);
/* One template by name; for commands that print one (the unit file). */
int render_template(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		    const char *builtin, const char *name, struct slice *out, struct error *err);

#endif
