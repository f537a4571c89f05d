/* SPDX-License-Identifier: MIT */
/* The list `steps:` of a release: assemble exactly once, what packs the bundle once at most and after it. */
#ifndef KVREL_STEPS_H
#define KVREL_STEPS_H

#include "spec/fields.h"

/* `steps` NULL: [assemble]. */
void steps_read(const struct reader *reader, const struct value *steps, struct spec_release *out);

#endif
