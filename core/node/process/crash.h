/* SPDX-License-Identifier: MIT */
/*
 * SIGSEGV and its kin: where it happened goes to stderr, then the default action follows, so that a core is written.
 *
 *	kvnode: crashed by SIGSEGV (address 0x0) in component 'kv', thread 'kv-log', process 4711
 *	  #0  kv.so+0x12a4b (build id 9f3c…)
 *
 * Names of functions come from offset and build id afterwards: `addr2line -fe kv.so.debug 0x12a4b`. Everything in the
 * handler is async-signal-safe: no allocation, no lock, no stdio; modules are found by _dl_find_object().
 */
#ifndef NODE_CRASH_H
#define NODE_CRASH_H

#include "base/error.h"

int crash_begin(struct error *err);
/* Gives this thread a stack for the handler, so that a stack that ran over is reported too. Freed with the thread. */
void crash_guard_thread(void);
/* Code at `address` belongs to this component. `name` is kept. */
void crash_add_component(const char *name, const void *address);

#endif
