/* SPDX-License-Identifier: MIT */
/*
 * Keeps the host out of the process: the bundled libc would otherwise load the host's name-service modules and read its
 * locales. Called first thing in main, before any thread exists.
 */
#ifndef NODE_ISOLATION_H
#define NODE_ISOLATION_H

#include "base/error.h"

/*
 * Opens stdin, stdout and stderr where they are closed, pins the name services to what libc holds itself, gives
 * LD_PRELOAD and LD_AUDIT back to the environment (children keep what the user set; the launcher hid them from our
 * loader), turns SIGPIPE into EPIPE, keeps malloc small, and makes threads possible under a seccomp filter that answers
 * clone3 with EPERM.
 */
int isolation_begin(struct error *err);
/* After a component's library was opened, before any of its code is called: the libraries that it brought look neither
 * for the host's configuration nor for its modules, but in ossl-modules/ and sasl2/ beside themselves. */
void isolation_of_libraries(void);

#endif
