/* SPDX-License-Identifier: MIT */
/*
 * kvbundle verify [--json] [--quiet] ROOT: every file of the bundle at ROOT against its manifests, with kvrel's own
 * code. The launcher runs it for 'bin/NAME verify'. Exit codes are kvrel's: 0, 1, 2, 3, and 4 with each mismatch named
 * on stdout.
 */
#include "check.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static int usage(void)
{
	fputs("usage: kvbundle verify [--json] [--quiet] ROOT\n", stderr);
	return error_exit_code(ERROR_USAGE);
}

int main(int argc, char **argv)
{
	bool json = false, quiet = false;
	int at = 2;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("kvbundle " KVREL_VERSION) < 0;
	if (argc < 3 || strcmp(argv[1], "verify") != 0)
		return usage();
	for (; argv[at] && strncmp(argv[at], "--", 2) == 0; at++) {
		json = json || strcmp(argv[at], "--json") == 0;
		quiet = quiet || strcmp(argv[at], "--quiet") == 0;
		if (strcmp(argv[at], "--json") != 0 && strcmp(argv[at], "--quiet") != 0)
			return usage();
	}
	return argv[at] && !argv[at + 1] ? check_folder(argv[at], json, quiet) : usage();
}
