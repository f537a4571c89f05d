/* SPDX-License-Identifier: MIT */
/* One release of releases.yaml: its keys, their defaults and the files they name. */
#ifndef KVREL_RELEASE_H
#define KVREL_RELEASE_H

#include "spec/project.h"

struct release_context {
	const struct reader *reader;
	const struct project *project;
	const struct spec_options *options;
	struct value *config; /* top-level settings, checked; NULL: none */
	struct value *sets;   /* from --set; NULL: none */
};

void release_read(const struct release_context *context, const struct member *member, struct spec_release *out);

#endif
