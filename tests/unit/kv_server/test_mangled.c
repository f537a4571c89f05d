/* SPDX-License-Identifier: MIT */
/* Mangled sessions: no crash, and the same answer however they are cut. The fuzzer looks deeper; this runs everywhere.
 */
#include "front_fuzz.h"

#include <criterion/criterion.h>

static const char session[] = "CREATE a\r\nPUT a b c\nBOGUS\n\r\nGET a b\r\nGET abcd b\nDELETE ab b\r\nGET a nokey\n";

Test(mangled, sessions_are_survived_and_answered_alike_however_they_are_cut, .timeout = 100)
{
	front_fuzz_mangled(session, sizeof(session) - 1);
}
