/* SPDX-License-Identifier: MIT */
/* Mangled sessions: no crash, and the same answer however they are cut. The fuzzer looks deeper; this runs everywhere.
 */
#include "front_fuzz.h"

#include <criterion/criterion.h>
#include <string.h>

static const char session[] = "*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$1\r\nf\r\n$3\r\na\r\n\r\nPING\r\n"
			      "*3\r\n$4\r\nhget\r\n$1\r\nb\r\n$1\r\nf\r\nECHO \"x\\ny\"\r\n*0\r\nHELLO 3\n"
			      "HSCAN b 0 MATCH a COUNT 5\r\nCLIENT SETNAME 'a'\r\nINFO\r\nCONFIG GET *\r\n";

enum { SIZE = sizeof(session) - 1 };

/* Small and the same everywhere, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

Test(mangled, sessions_are_survived_and_answered_alike_however_they_are_cut, .timeout = 100)
{
	uint32_t random = 1;
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[1 + SIZE];
		bytes[0] = (uint8_t)next_random(&random);
		memcpy(bytes + 1, session, SIZE);
		unsigned changes = next_random(&random) % 8;
		for (unsigned i = 0; i < changes; i++)
			bytes[1 + next_random(&random) % SIZE] = (uint8_t)next_random(&random);
		size_t start = next_random(&random) % 2 ? 0 : next_random(&random) % SIZE;
		bytes[start] = bytes[0];
		cr_assert_eq(kv_resp_fuzz(bytes + start, sizeof(bytes) - start), 0);
	}
}
