/* SPDX-License-Identifier: MIT */
/*
 * The components of a project: found in the folders that releases.yaml names, read, checked and sorted by name.
 *
 * A component.yaml that cannot be read still leaves its folder's name behind as an unsound component, so that one
 * mistake does not make every release that lists it report an unknown component as well.
 */
#ifndef KVREL_PROJECT_H
#define KVREL_PROJECT_H

#include "spec/fields.h"
#include "spec/schema.h"

struct part { /* a component and what only the checks need */
	struct spec_component component;
	bool sound;
	const struct value *dependencies; /* list of names or NULL */
	struct part **needs;              /* the dependencies that exist */
	size_t need_count;
	struct setting *settings;
	size_t setting_count;
	enum { PART_NEW, PART_OPEN, PART_DONE } visit; /* search for cycles */
};

struct project {
	struct part *parts;                /* by name */
	struct spec_component *components; /* the same order: what the specification hands on */
	size_t count;
	const char **names; /* the same order, for suggestions */
};

/* `folders`: list of folder names, NULL for the default. */
void project_find(const struct reader *reader, const struct value *folders, const char *build_dir, struct project *out);
/* Where the library is, or what to say when it is nowhere. */
void part_find_library(struct arena *arena, const char *project_dir, const char *build_dir, struct part *part);
struct part *project_part(const struct project *project, struct slice name);
/* "unknown component 'x' WHERE (did you mean 'y'?)" */
void project_unknown(const struct reader *reader, const struct project *project, const struct origin *origin,
		     struct slice name);

/* Reads one component.yaml; false when it is no map. `name` is how messages call the file. */
bool part_read(const struct reader *reader, const struct value *document, const char *dir, struct part *out);
/* Binds the names of dependencies and reports unknown ones and cycles. */
void project_bind(const struct reader *reader, struct project *project);

/* A YAML text or file into a value; a mistake in it goes to the reader at its position. */
const struct value *reader_parse(const struct reader *reader, struct slice text, const char *name);
const struct value *reader_parse_file(const struct reader *reader, const char *path, const char *name);

#endif
