/* SPDX-License-Identifier: MIT */
/*
 * Syncs that fail, or take as long as a test likes. sync_hook.c stands in for the C library's fsync() and fdatasync():
 * link it into programs that need it alone.
 */
#ifndef TEST_KV_SYNC_HOOK_H
#define TEST_KV_SYNC_HOOK_H

#include <stdatomic.h>

/* NULL, or asked before each sync, by any thread: 0, or the error that the sync fails with. */
extern int (*_Atomic sync_hook)(const char *path);

#endif
