/* SPDX-License-Identifier: MIT */
/*
 * Many entries of a folder change places with those of a folder beside it, as if it were one step.
 *
 * No call of the kernel does that. So a list of the steps is written into the folder first (EXCHANGE_LIST), and removed
 * after the last one; as long as it is there, the folder is between two states, and whoever finds it (the next build,
 * the launcher) takes all steps back. Each step may be repeated, as new entries are known by their inode number. Old
 * entries are kept beside until the caller removes that folder, so all of it can be taken back later too.
 *
 * Who does any of it holds the lock on the folder above (an flock on the folder itself), or it would take back what
 * another process is at.
 */
#ifndef BASE_EXCHANGE_H
#define BASE_EXCHANGE_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

#define EXCHANGE_LIST ".kvrel-replacing"

enum exchange_kind {
	EXCHANGE_PLACE = 'x',         /* the entry beside takes the place of this one, or a free place */
	EXCHANGE_REMOVE = 'r',        /* a file or link */
	EXCHANGE_MAKE_FOLDER = 'd',   /* where there was none */
	EXCHANGE_REMOVE_FOLDER = 'e', /* if it is empty by then */
};

/* Adds a step; `path` is relative to both folders. `inode`: of the new entry, for PLACE. */
void exchange_add(struct buf *steps, enum exchange_kind kind, ino_t inode, const char *path);
/* All steps, in their order, or none. `beside`: another folder's path, with the same parent as `root`. `label`:
 * whatever the caller wants to know in exchange_recover(), without NUL. */
int exchange_run(const char *root, const char *beside, const char *label, struct slice steps, struct error *err);
/* All steps back. */
int exchange_undo(const char *root, const char *beside, const char *label, struct slice steps, struct error *err);
bool exchange_is_open(const char *root);
/* The lock on a folder (on a file in it, .kvrel-lock, where a folder cannot have one), held until *out is closed.
 * TRY_AGAIN when somebody else has it for longer than that. */
int exchange_lock(const char *parent, int wait_ms, int *out, struct error *err);
/*
 * Takes back what was interrupted, if anything was. NOT_FOUND, with the label in *label, when what it needs is gone:
 * the folder is then half old, half new, and EXCHANGE_LIST is still there. `lock`: the caller does not hold the lock;
 * waits up to ten seconds for it (TRY_AGAIN).
 */
int exchange_recover(const char *root, bool lock, struct buf *label, struct error *err);

#endif
