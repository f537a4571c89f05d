/* SPDX-License-Identifier: MIT */
/*
 * Text with Lua tags: `<%= expr %>` puts a value, `<% statement %>` runs one, `<%% ` is a literal `<%`, `-%>` swallows
 * the newline after it. Globals come from `assigns` (a map; release = {name, version, …}). An unknown global is an
 * error, so is a nil value; messages carry the template's own file and line.
 */
#ifndef SCRIPT_TEMPLATE_H
#define SCRIPT_TEMPLATE_H

#include "base/value.h"

int template_render(struct slice text, const char *name, const struct value *assigns, struct buf *out,
		    struct error *err);

#endif
