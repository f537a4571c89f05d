/* SPDX-License-Identifier: MIT */
/* Threads of the engine: named, known to the node, which reports their crashes, and left alone by signals. */
#ifndef KV_THREAD_H
#define KV_THREAD_H

#include "engine.h"

#include <pthread.h>

/*
 * Runs main(argument) on a thread of this name (15 bytes at most). The thread is joinable; `out` is set before it
 * begins. 0 or errno.
 */
int thread_start(pthread_t *out, const struct engine_host *host, const char *name, void (*main)(void *argument),
		 void *argument);

#endif
