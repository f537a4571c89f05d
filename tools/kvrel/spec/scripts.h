/* SPDX-License-Identifier: MIT */
/* Files of a release that the launcher runs by name: `commands:` (Lua, run by the node) and `hooks:` (programs). */
#ifndef KVREL_SCRIPTS_H
#define KVREL_SCRIPTS_H

#include "spec/fields.h"

/* NULL: none. A file that does not exist and a name that cannot be are mistakes. */
void commands_read(const struct reader *reader, const struct value *commands, struct spec_release *out);
void hooks_read(const struct reader *reader, const struct value *hooks, struct spec_release *out);

#endif
