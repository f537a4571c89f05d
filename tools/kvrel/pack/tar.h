/* SPDX-License-Identifier: MIT */
/*
 * Deterministic tar: ustar (pax only for names that do not fit), owner 0:0 by number, one given time, no atime or
 * ctime, no hard links, no extended attributes. Entries must be added in sorted order.
 */
#ifndef KVREL_TAR_H
#define KVREL_TAR_H

#include "build/plan.h"

typedef int tar_write_fn(void *context, const void *data, size_t size, struct error *err);

struct tar;
int tar_new(tar_write_fn *write, void *context, int64_t time, struct tar **out, struct error *err);
/* Compressed by gzip, without a name or a time in its header. */
int tar_new_gzip(tar_write_fn *write, void *context, int64_t time, struct tar **out, struct error *err);
/* Owner and group of the entries that follow; 0 at first. */
void tar_set_owner(struct tar *tar, unsigned id);
int tar_add_dir(struct tar *tar, const char *path, mode_t mode, struct error *err);
int tar_add_link(struct tar *tar, const char *path, const char *target, struct error *err);
int tar_add_text(struct tar *tar, const char *path, mode_t mode, struct slice text, struct error *err);
/*
 * INTEGRITY when the file's bytes do not have `sha256` (NULL: not checked). A file that still has the archive's time is
 * believed: whoever changed it would have left another.
 */
int tar_add_file(struct tar *tar, const char *path, mode_t mode, const char *source, const char *sha256,
		 struct error *err);
int tar_finish(struct tar *tar, struct error *err);
void tar_free(struct tar *tar); /* NULL allowed */

#endif
