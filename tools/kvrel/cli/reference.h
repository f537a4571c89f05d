/* SPDX-License-Identifier: MIT */
/* The tables of keys that releases.yaml and component.yaml are read by, for the help. */
#ifndef KVREL_REFERENCE_H
#define KVREL_REFERENCE_H

#include "spec/fields.h"

struct reference_table {
	const char *title;
	const struct field *(*fields)(size_t *count);
};
extern const struct reference_table reference[];
extern const size_t reference_count;

/* Each beside its reader. */
const struct field *top_fields(size_t *count);         /* spec.c */
const struct field *release_fields(size_t *count);     /* release.c */
const struct field *component_fields(size_t *count);   /* part.c */
const struct field *declaration_fields(size_t *count); /* schema.c */

#endif
