/* SPDX-License-Identifier: MIT */
/* Any bytes for the protocol of Redis, cut anywhere: the same replies. */
#include "front_fuzz.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return front_fuzz(data, size);
}
