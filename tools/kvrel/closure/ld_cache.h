/* SPDX-License-Identifier: MIT */
/*
 * /etc/ld.so.cache: which file ldconfig found for a soname. Format 'glibc-ld.so.cache1.1'; entries for one CPU level
 * only (hwcap ≠ 0) are left out, as a bundle must run on the oldest CPU.
 */
#ifndef KVREL_LD_CACHE_H
#define KVREL_LD_CACHE_H

#include "base/arena.h"
#include "base/error.h"

struct ld_cache {
	struct ld_cache_entry {
		const char *soname;
		const char *path;
	} * entries;
	size_t count;
};

/* A missing file is an empty cache; INVALID when it is damaged. */
int ld_cache_read(struct arena *arena, const char *path, struct ld_cache *out, struct error *err);

#endif
