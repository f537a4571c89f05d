/* SPDX-License-Identifier: MIT */
/*
 * A self-unpacking bundle, NAME-VERSION.run, is the unpacker with a tar.zst behind it and a trailer at the very end
 * that says where it lies, which digest it has and what it is. self_extract.c writes it.
 */
#ifndef KVREL_CARRIED_UNPACK_H
#define KVREL_CARRIED_UNPACK_H

#include "base/arena.h"
#include "base/error.h"

/* "kvrel-run 1 OFFSET SIZE SHA256 NAME VERSION\n", padded by NULs */
#define TRAILER_MAGIC "kvrel-run 1 "
enum { TRAILER_BYTES = 512 };

struct payload {
	int fd; /* of this executable */
	uint64_t offset, size;
	const char *sha256; /* of the compressed archive */
	const char *name, *version;
};

/* Fills *out and returns 1 when this executable carries a bundle, 0 when nothing is behind it. */
int payload_find(struct arena *arena, struct payload *out, struct error *err);
/* INTEGRITY; the message says why. */
int payload_damaged(const char *why, struct error *err);
/* INTEGRITY when the archive is not as it was made. */
int payload_check(const struct payload *payload, struct error *err);
/* Unpacks over what is in `folder`, each file replaced by a rename, the file that says which version starts last. */
int payload_unpack(struct arena *arena, const struct payload *payload, const char *folder, struct error *err);
/* What a file is called until it is complete; the manifest, until all files are. Always the same name: what a killed
 * unpacker left is taken away by the next one. */
const char *unpack_temporary(struct arena *arena, const char *path);

#endif
