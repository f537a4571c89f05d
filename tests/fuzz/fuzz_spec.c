/* SPDX-License-Identifier: MIT */
/* Any releases.yaml is a specification, or mistakes with a line each; never both, never neither. */
#include "fuzz.h"
#include "project.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_project(FUZZ_RELEASES_FILE, data, size);
	return 0;
}
