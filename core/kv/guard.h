/* SPDX-License-Identifier: MIT */
/*
 * Before LMDB changes a page. It believes the pages on its way: to add to one whose head lies, or to give back as free
 * what an entry falsely claims, ends the process or destroys more. So what it is going to change is looked at before,
 * as the last commit left it. What it makes of sound pages is sound.
 *
 * The small tables were looked at when the store was opened, and are written by this process alone since.
 */
#ifndef KV_GUARD_H
#define KV_GUARD_H

#include "pages.h"

struct guard {
	struct pages *pages;
	struct fault_watch watch;
	struct page_tree tree;
	struct page_path path; /* to the leaf that was looked at last */
	MDB_val low, end;      /* the keys that belong there; data NULL: no bound */
	bool beside;           /* so were the pages beside it */
	struct kv_error damage;
};

/* Begins a write transaction, for whose changes this is. All of these return 0 or LMDB's code; after MDB_CORRUPTED
 * `damage` says more. */
int guard_begin(struct guard *guard, struct pages *pages, MDB_txn **txn);
/* The key is going to be put, or taken out (`removes`), which may join pages that lie side by side. */
int guard_check(struct guard *guard, const MDB_val *key, bool removes);

#endif
