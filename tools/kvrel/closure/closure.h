/* SPDX-License-Identifier: MIT */
/*
 * The shared libraries that a set of ELF files needs to run, found as the loader would find them but without running
 * anything (never ldd, which starts the file it looks at).
 *
 * Breadth first from the roots; the first object with a name or soname satisfies every later request for it. What
 * cannot be told apart at run time is an error here: a library that is missing, that exists for another machine only,
 * or one name that means two different files.
 */
#ifndef KVREL_CLOSURE_H
#define KVREL_CLOSURE_H

#include "closure/elf_file.h"

struct closure_root {
	const char *path;
	const char *shown;      /* "component 'kv'", "the runtime" */
	const char **libraries; /* sonames it opens itself */
	size_t library_count;
	bool component; /* opened by its path, in the order of the roots */
};

struct closure_library {
	const char *name;   /* the file name it must have: what its requesters call it */
	const char *path;   /* where it is on this machine, links resolved */
	const char *wanted; /* who asked first: "component 'kv' needs it" */
	const struct elf_info *elf;
	bool glibc; /* one of the set that must come from one build */
};

struct closure_alias { /* a second name of the same file: a link, as the loader tells files apart by inode */
	const char *name;
	const char *target;
};

struct closure {
	const char *loader; /* file name of the dynamic loader, also in `libraries`; NULL: everything is static */
	struct closure_library *libraries; /* by name */
	size_t library_count;
	struct closure_alias *aliases; /* by name */
	size_t alias_count;
	const char **absent; /* recommended by a dlopen note or the like, but not on this machine: for the report */
	size_t absent_count;
};

struct closure_options {                /* zeroed: this machine */
	const char *cache;              /* NULL: /etc/ld.so.cache */
	const char *const *directories; /* NULL: the loader's own for the machine type */
	bool without_glibc_set;         /* only what is needed by name */
};

int closure_find(struct arena *arena, const struct closure_root *roots, size_t root_count,
		 const struct closure_options *options, struct closure *out, struct error *err);

#endif
