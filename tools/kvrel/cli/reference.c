/* SPDX-License-Identifier: MIT */
#include "cli/reference.h"

#include "base/scope.h"

const struct reference_table reference[] = {
	{ "Keys of releases.yaml", top_fields },
	{ "Keys of a release", release_fields },
	{ "Keys of component.yaml", component_fields },
	{ "Keys of a setting in the config of component.yaml", declaration_fields },
};
const size_t reference_count = ARRAY_LEN(reference);
