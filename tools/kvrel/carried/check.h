/* SPDX-License-Identifier: MIT */
#ifndef KVREL_CARRIED_CHECK_H
#define KVREL_CARRIED_CHECK_H

#include <stdbool.h>

/* Prints each mismatch of the bundle at `root`, and that there is none unless `quiet`. Returns the exit code. */
int check_folder(const char *root, bool json, bool quiet);

#endif
