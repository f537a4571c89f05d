/* SPDX-License-Identifier: MIT */
/*
 * A bundle in a temporary folder, made by hand: one component `echo` (fixture_echo.c), a sys.yaml, vm.args and
 * runtime.lua. The RELEASE_* variables of the test's process point to it.
 */
#ifndef TEST_NODE_BUNDLE_H
#define TEST_NODE_BUNDLE_H

#include "base/arena.h"

#include <sys/types.h>

struct bundle {
	struct arena arena;
	const char *root;
};

void t_bundle_init(struct bundle *bundle);
void t_bundle_done(struct bundle *bundle);
/* Replaces a file of the bundle, making its folders. */
void t_bundle_write(struct bundle *bundle, const char *path, const char *content);
/* The library of a component becomes another fixture. */
void t_bundle_library(struct bundle *bundle, const char *fixture);

/* A running kvnode. */
struct process {
	pid_t pid;
	int ready_fd; /* what --ready-fd of the process writes to is read here */
	int out_fd;   /* its stdout and stderr */
};
/* kvnode COMMAND …, with --ready-fd for start. */
void t_process_start(struct process *process, const char *const *args, bool ready);
/* What it says to --ready-fd. */
const char *t_process_ready(struct bundle *bundle, struct process *process);
/* Waits for the end; *output gets all that it printed. The exit code, 128 + signal. */
int t_process_wait(struct bundle *bundle, struct process *process, const char **output);
/* kvnode COMMAND … from start to end. */
int t_run(struct bundle *bundle, const char *const *args, const char **output);

#endif
