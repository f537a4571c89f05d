/* SPDX-License-Identifier: MIT */
#include "guard.h"

static int corrupted(struct guard *guard, const struct page_path *path)
{
	pages_path_damaged(guard->pages, path, &guard->damage);
	guard->path.depth = 0;
	return MDB_CORRUPTED;
}

/* Says the same of what could not be read. */
static int watched(struct guard *guard, int code)
{
	if (!fault_end(&guard->watch))
		return code;
	pages_lost(guard->pages, &guard->damage);
	return MDB_CORRUPTED;
}

static int find_data(struct guard *guard, const MDB_txn *txn)
{
	struct pages *pages = guard->pages;
	uint64_t before = mdb_txn_id((MDB_txn *)txn) - 1; /* nobody else commits meanwhile */
	const struct page_meta *meta = page_meta_of(pages->map.at + (before & 1) * pages->map.page_size);

	if (meta == NULL || meta->transaction != before) {
		kv_fail(&guard->damage,
			"kv store: '%.300s': the record of its last change is damaged: restore a backup", pages->file);
		return MDB_CORRUPTED;
	}
	if (page_table_find(&guard->path, &pages->map, &meta->tables[PAGE_TABLE_MAIN], "data", &guard->tree) < 0)
		return corrupted(guard, &guard->path);
	guard->path = (struct page_path){ .tree = &guard->tree };
	return 0;
}

int guard_begin(struct guard *guard, struct pages *pages, MDB_txn **txn)
{
	int code;

	*guard = (struct guard){ .pages = pages, .watch = pages_watch(pages) };
	fault_changing = pages;
	if (!page_map_whole(&pages->map)) {
		pages_lost(pages, &guard->damage);
		return MDB_CORRUPTED;
	}
	code = mdb_txn_begin(pages->env, NULL, 0, txn);
	if (code != 0)
		return code;
	fault_begin(&guard->watch);
	code = watched(guard, find_data(guard, *txn));
	if (code != 0)
		mdb_txn_abort(*txn);
	return code;
}

/* A page beside the one at this depth, below the same one. */
static int check_beside(struct guard *guard, unsigned depth, bool forward)
{
	const struct page_level *above = &guard->path.levels[depth - 1];
	struct page_path path = guard->path;

	if (forward ? above->at + 1 == above->count : above->at == 0)
		return 0;
	path.depth = depth;
	path.levels[depth - 1].at += forward ? 1 : -1u;
	if (page_enter_child(&path) < 0 || page_check_leaf(&path) != 0)
		return corrupted(guard, &path);
	return 0;
}

static int check_all_beside(struct guard *guard)
{
	int code = 0;

	for (unsigned depth = 1; code == 0 && depth < guard->path.depth; depth++) {
		code = check_beside(guard, depth, false);
		if (code == 0)
			code = check_beside(guard, depth, true);
	}
	guard->beside = code == 0;
	return code;
}

static bool belongs_here(const struct guard *guard, const MDB_val *key)
{
	return guard->path.depth > 0 &&
	       (guard->low.mv_data == NULL || page_order(&guard->tree, key, &guard->low) >= 0) &&
	       (guard->end.mv_data == NULL || page_order(&guard->tree, key, &guard->end) < 0);
}

static int go_to(struct guard *guard, const MDB_val *key)
{
	struct page_path *path = &guard->path;

	if (page_descend(path, &guard->tree, key) < 0 || page_check_leaf(path) != 0)
		return corrupted(guard, path);
	guard->beside = false;
	guard->low = guard->end = (MDB_val){ 0 };
	if (path->depth > 0) {
		page_bound(path, path->depth - 1, true, &guard->low);
		page_bound(path, path->depth - 1, false, &guard->end);
	}
	return 0;
}

/* The value's own pages, which LMDB is going to give back. */
static int check_value(struct guard *guard, const MDB_val *key)
{
	struct page_node node;

	if (!guard->path.levels[guard->path.depth - 1].far)
		return 0;
	return page_get(&guard->path, &guard->tree, key, NULL, &node) < 0 ? corrupted(guard, &guard->path) : 0;
}

static int check(struct guard *guard, const MDB_val *key, bool removes)
{
	int code = belongs_here(guard, key) ? 0 : go_to(guard, key);

	if (code != 0 || guard->path.depth == 0) /* the table is empty */
		return code;
	code = check_value(guard, key);
	return code == 0 && removes && !guard->beside ? check_all_beside(guard) : code;
}

int guard_check(struct guard *guard, const MDB_val *key, bool removes)
{
	fault_begin(&guard->watch);
	return watched(guard, check(guard, key, removes));
}
