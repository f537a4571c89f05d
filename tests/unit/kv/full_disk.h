/* SPDX-License-Identifier: MIT */
/*
 * A disk that has no room for a new file of the log while a test says so. full_disk.c stands in for the C library's
 * fallocate(): link it into programs that need it alone.
 */
#ifndef TESTS_KV_FULL_DISK_H
#define TESTS_KV_FULL_DISK_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool disk_full;

#endif
