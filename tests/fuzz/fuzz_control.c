/* SPDX-License-Identifier: MIT */
/* Frames of the control protocol: each lies within the input, and all of it is used up in order. */
#include "base/control.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, payload;
	size_t consumed;
	char type;

	while (control_parse(rest, &type, &payload, &consumed, NULL) == 1) {
		FUZZ_CHECK(consumed >= CONTROL_HEADER_BYTES && consumed <= rest.size);
		FUZZ_CHECK(payload.data >= rest.data && payload.data + payload.size == rest.data + consumed);
		rest.data += consumed;
		rest.size -= consumed;
	}
	return 0;
}
