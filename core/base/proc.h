/* SPDX-License-Identifier: MIT */
/*
 * Other programs: start one with an argument vector (never through a shell unless the caller names one), give it
 * exactly the environment asked for, and collect what it says. Used by kvrel's steps and the node's configuration
 * providers.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/buf.h"
#include "base/error.h"

struct proc_options {
	const char *const *argv; /* argv[0] is searched in PATH when it has no slash */
	const char *const *env;  /* NULL: inherit */
	const char *cwd;         /* NULL: inherit; argv[0] with a slash is relative to it */
	struct buf *out;         /* NULL: inherit stdout; else collected up to its cap, more is an error (LIMIT) */
	int64_t timeout_ms;      /* 0: none; after it the process group is killed (error TRY_AGAIN); stdin is
				  * then /dev/null */
	/* NULL, or asked every now and then, with a time limit: when true the process group is asked to end (SIGTERM)
	 * and, five seconds later, made to (error FAILED). */
	bool (*cancelled)(void);
	bool stdout_to_stderr; /* with out == NULL */
	bool stderr_to_out;    /* with out != NULL: both are collected */
};

/* Waits for the end. *status gets the exit code, 128 + signal when a signal ended it. */
int proc_run(const struct proc_options *options, int *status, struct error *err);

#endif
