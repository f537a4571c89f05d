/* SPDX-License-Identifier: MIT */
/*
 * What one ELF file says about itself: what it needs, where it wants to find it, what it demands of the machine.
 *
 * Only program headers are read, as the loader does; sections may be missing or lie. The file is never run, and every
 * offset in it is checked, so that a damaged or hostile file is an error and nothing else. Strings live in the arena.
 */
#ifndef KVREL_ELF_FILE_H
#define KVREL_ELF_FILE_H

#include "base/arena.h"
#include "base/error.h"

#include <sys/types.h>

struct elf_dlopen { /* one entry of .note.dlopen: alternatives, the first that is found wins */
	const char *feature;
	enum { DLOPEN_SUGGESTED, DLOPEN_RECOMMENDED, DLOPEN_REQUIRED } priority;
	const char **sonames;
	size_t soname_count;
};

struct elf_info {
	const char *path;
	dev_t device;
	ino_t inode;
	uint64_t size_bytes;
	uint8_t class_bits; /* 32 or 64 */
	bool big_endian;
	uint16_t machine; /* EM_… */
	uint16_t type;    /* ET_… */
	const char *interpreter;
	const char *soname;
	const char *rpath;
	const char *runpath;
	const char **needed;
	size_t needed_count;
	bool audits;          /* DT_AUDIT or DT_DEPAUDIT: wants foreign code in every process */
	bool program;         /* DF_1_PIE: of type ET_DYN too, but no library */
	const char *build_id; /* hex, NULL: none */
	unsigned kernel[3];   /* oldest Linux by .note.ABI-tag; zeros: not said */
	unsigned isa_needed;  /* GNU_PROPERTY_X86_ISA_1_NEEDED: bit n is x86-64-v(n+1) */
	struct elf_dlopen *dlopens;
	size_t dlopen_count;
};

/* 0 and *out; INVALID when `path` is no ELF file or damaged; SYSTEM, NOT_FOUND when it cannot be read. */
int elf_inspect(struct arena *arena, const char *path, struct elf_info **out, struct error *err);
/* True when the file begins like an ELF file; false for anything else, unreadable ones included. */
bool elf_is(const char *path);
/* True when its table of dynamic symbols can be read and holds no such definition. */
bool elf_lacks_export(const char *path, const char *name);
/* Whether one process can map both: class, byte order and machine. */
bool elf_same_machine(const struct elf_info *a, const struct elf_info *b);
/* "x86-64", "aarch64", "i386" …; "machine 123" for others, in the arena. */
const char *elf_machine_name(struct arena *arena, const struct elf_info *elf);

#endif
