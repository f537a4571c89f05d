/* SPDX-License-Identifier: MIT */
/*
 * What a bundle really holds, be it a folder or an archive: every entry with its digest, the manifests, and what its
 * ELF files demand. Reading trusts nothing: an archive is never unpacked, and one that would leave its folder, is cut
 * short, or swells without end is refused with one message. Memory does not depend on the size of files.
 */
#ifndef KVREL_CONTENT_H
#define KVREL_CONTENT_H

#include "bundle/manifest.h"

struct content_item {
	const char *path;
	enum plan_kind kind; /* DIR, FILE, LINK */
	mode_t mode;
	uint64_t size_bytes;
	const char *sha256;         /* FILE, when digests were asked for */
	const char *target;         /* LINK */
	const struct elf_info *elf; /* FILE, when asked for and it is one; path and inode mean nothing */
	const char *glibc_version;  /* of libc.so.6, with elf */
};

struct content_manifest {
	const char *version;
	struct slice text;
	struct manifest manifest;
	const char *unreadable; /* why, and then `manifest` is empty; only with CONTENT_LENIENT */
};

struct content {
	bool archive;
	struct content_item *items; /* by path */
	size_t count;
	struct content_manifest *manifests; /* by version */
	size_t manifest_count;
	const char *start_data;                 /* NULL: missing */
	const struct content_manifest *current; /* what start.data names; NULL only with CONTENT_LENIENT */
};

/* LENIENT: start.data and manifests of a folder may be missing or damaged; the caller says so. */
enum content_wants { CONTENT_DIGESTS = 1, CONTENT_ELF = 2, CONTENT_LENIENT = 4 };

/* INVALID: no bundle, or a hostile or damaged archive. */
int content_read(struct arena *arena, const char *path, unsigned wants, struct content *out, struct error *err);
const struct content_item *content_find(const struct content *content, const char *path);

/* For the two readers (content.c: folders; content_archive.c). */
struct content_builder {
	struct arena *arena;
	const char *shown; /* path of the folder or archive, for messages */
	unsigned wants;
	dev_t device; /* of the folder */
	struct content_item *items;
	size_t count, capacity;
	struct content_manifest *manifests;
	size_t manifest_count;
	const char *start_data;
	int scratch_fd; /* holds one ELF file at a time; -1: not yet */
};
enum { CONTENT_ITEMS_MAX = 1 << 20, CONTENT_TEXT_MAX = 64 << 20, CONTENT_ELF_MAX = 512 << 20 };
struct content_item *content_add(struct content_builder *builder, const char *path, struct error *err);
/* True for files whose text the content keeps: manifests and start.data. */
bool content_keeps_text(const char *path);
int content_keep_text(struct content_builder *builder, const char *path, struct slice text, struct error *err);
/* Reads what an ELF file demands. `file` is a path that can be opened. */
void content_note_elf(struct content_builder *builder, struct content_item *item, const char *file);
int content_read_archive(struct content_builder *builder, const char *path, struct error *err);

#endif
