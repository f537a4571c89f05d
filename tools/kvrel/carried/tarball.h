/* SPDX-License-Identifier: MIT */
/*
 * The archive behind the unpacker, entry by entry. It is kvrel's own (tar.c) and its digest has been checked, so of tar
 * only what kvrel writes is read: ustar headers, and pax records for names that do not fit. Memory does not depend on
 * the size of files.
 */
#ifndef KVREL_CARRIED_TARBALL_H
#define KVREL_CARRIED_TARBALL_H

#include "unpack.h"

#include <sys/types.h>
#include <zstd.h>

struct tarball {
	struct arena *arena;
	const struct payload *payload;
	uint64_t taken; /* of the compressed bytes */
	ZSTD_DCtx *context;
	ZSTD_inBuffer in;
	char *in_bytes, *out_bytes;
	size_t out_at, out_size;
	uint64_t left, padding; /* of the current entry's content, and behind it */
};

struct tarball_entry {
	const char *path; /* the arena's, inside the bundle */
	const char *target;
	mode_t mode;
	uint64_t size;
	int64_t time;
	char type; /* '0' a file, '2' a link, '5' a folder */
};

/* To be ended with tarball_done() even when it fails. */
int tarball_open(struct tarball *tarball, struct arena *arena, const struct payload *payload, struct error *err);
void tarball_done(struct tarball *tarball);
/* 1: the next entry, whatever of the last one's content was not read; 0: the end. */
int tarball_next(struct tarball *tarball, struct tarball_entry *out, struct error *err);
/* 1: some of the entry's content, valid until the next call; 0: that was all of it. */
int tarball_piece(struct tarball *tarball, struct slice *out, struct error *err);

#endif
