/* SPDX-License-Identifier: MIT */
/* Mangled sessions: no crash, and the same answer however they are cut. The fuzzer looks deeper; this runs everywhere.
 */
#include "front_fuzz.h"

#include <criterion/criterion.h>

static const char session[] =
	"*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$1\r\nf\r\n$3\r\na\r\n\r\nPING\r\n"
	"MULTI\r\nHSET b f \"v\"\r\nPING\r\nEXEC\r\n*3\r\n$4\r\nhget\r\n$1\r\nb\r\n$1\r\nf\r\nECHO "
	"\"x\\ny\"\r\n*0\r\nHELLO 3\n"
	"HSCAN b 0 MATCH a COUNT 5\r\nCLIENT SETNAME 'a'\r\nINFO\r\nCONFIG GET *\r\n";

Test(mangled, sessions_are_survived_and_answered_alike_however_they_are_cut, .timeout = 100)
{
	front_fuzz_mangled(session, sizeof(session) - 1);
}
