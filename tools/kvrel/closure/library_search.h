/* SPDX-License-Identifier: MIT */
/* Where the loader would find a library that an object asks for. Internal to the closure. */
#ifndef KVREL_LIBRARY_SEARCH_H
#define KVREL_LIBRARY_SEARCH_H

#include "closure/elf_file.h"
#include "closure/ld_cache.h"

#include "base/buf.h"

struct object {
	const struct elf_info *elf;
	const struct object *parent; /* who made the loader load it; NULL: a root */
	const char *name;            /* under which it was asked for; NULL: a root */
	const char *path;            /* links resolved */
	const char *shown;
	const char *wanted;
	size_t position; /* among all objects; roots come first, in their order */
	bool root;
	bool component; /* a root that is opened by its path */
	bool privately; /* found through somebody's RPATH or RUNPATH */
	bool glibc;
};

struct library_search {
	struct arena *arena;
	struct ld_cache cache;
	const char *const *directories; /* the loader's own, NULL-terminated */
	const struct elf_info *machine; /* what files must be for */
	/* about the last request */
	struct buf looked; /* where it was looked for */
	const char *wrong; /* a file that was there, but for another machine or damaged; NULL: none */
	bool privately;    /* an RPATH or RUNPATH led there */
};

/* The folder that an entry of a search path means for an object in the folder `origin`: $ORIGIN and ${ORIGIN} are
 * taken. NULL with other tokens ($LIB, $PLATFORM), which depend on the machine. */
const char *library_search_expand(struct arena *arena, struct slice entry, const char *origin);
/* The loader's folders on a machine type. */
const char *const *library_search_directories(uint16_t machine);
/* NULL when there is none that can be used; `looked` and `wrong` then say more. */
const struct elf_info *library_search(struct library_search *search, const char *name, const struct object *requester);
void library_search_done(struct library_search *search);

#endif
