/* SPDX-License-Identifier: MIT */
/*
 * Whether pages are whole and in their place. LMDB packs a page's entries at its end without a gap, so the sizes of
 * those that its pointers name have to add up: a lost pointer shows. What the pages above say of a page, between which
 * keys it lies, shows one that took another's place.
 */
#include "page_tree.h"

#include <string.h>

enum { LINE_BYTES = 64 };

static bool is_leaf(const struct page_path *path, unsigned depth)
{
	return depth + 1 == path->tree->depth;
}

/* What an entry takes of its page. */
static uint64_t entry_bytes(const char *entry, const MDB_val *key, bool leaf)
{
	uint64_t bytes = PAGE_NODE_BYTES + key->mv_size;
	uint32_t size;
	uint16_t kind;

	memcpy(&size, entry, sizeof(size));
	memcpy(&kind, entry + 4, sizeof(kind));
	if (leaf)
		bytes += kind == PAGE_NODE_FAR ? sizeof(uint64_t) : size;
	return (bytes + 1) & ~(uint64_t)1;
}

/* They lie in the order in which they came, not in that of their pointers: no processor guesses where the next one is.
 */
static void fetch_entries(const struct page_path *path, const struct page_level *level)
{
	for (unsigned at = level->page->upper; at < path->tree->map->page_size; at += LINE_BYTES)
		__builtin_prefetch((const char *)level->page + at);
}

static int check_entries(struct page_path *path, unsigned depth)
{
	struct page_level *level = &path->levels[depth];
	const bool leaf = is_leaf(path, depth);
	MDB_val key, before = { 0 };
	uint64_t used = 0;
	bool far = false;

	fetch_entries(path, level);
	for (unsigned i = 0; i < level->count; i++) {
		const char *entry = page_entry_at(path, level, i, &key);

		if (entry == NULL || (i > !leaf && page_order(path->tree, &before, &key) >= 0))
			return page_path_damaged(path, level->page, true);
		used += entry_bytes(entry, &key, leaf);
		far |= leaf && entry[4] == PAGE_NODE_FAR;
		before = key;
	}
	level->far = far;
	if (used != path->tree->map->page_size - level->page->upper)
		return page_path_damaged(path, level->page, true);
	return 0;
}

bool page_bound(const struct page_path *path, unsigned depth, bool low, MDB_val *key)
{
	while (depth-- > 0) {
		const struct page_level *level = &path->levels[depth];

		if (low ? level->at > 0 : level->at + 1 < level->count)
			return page_entry_at(path, level, low ? level->at : level->at + 1, key) != NULL;
	}
	return false;
}

static int check_bounds(struct page_path *path, unsigned depth)
{
	const struct page_level *level = &path->levels[depth];
	MDB_val bound, key;

	if (page_bound(path, depth, true, &bound) && (page_entry_at(path, level, !is_leaf(path, depth), &key) == NULL ||
						      page_order(path->tree, &key, &bound) < 0))
		return page_path_damaged(path, level->page, true);
	if (page_bound(path, depth, false, &bound) &&
	    (page_entry_at(path, level, level->count - 1, &key) == NULL || page_order(path->tree, &key, &bound) >= 0))
		return page_path_damaged(path, level->page, true);
	return 0;
}

int page_check_leaf(struct page_path *path)
{
	for (unsigned depth = 0; depth < path->depth; depth++) {
		if (path->levels[depth].checked)
			continue;
		if (check_entries(path, depth) != 0 || check_bounds(path, depth) != 0)
			return -1;
		path->levels[depth].checked = true;
	}
	return 0;
}

/* ---- what is not there --------------------------------------------------------------------------------------- */

/* The i-th entry of the leaf is genuine. */
static int check_neighbour(struct page_path *path, unsigned i, page_proof *proves)
{
	struct page_node node;

	if (page_node_at(path, i, &node) < 0)
		return -1;
	if (node.kind != PAGE_NODE_TABLE && proves(&node.key, &node.value))
		return 0;
	return page_path_damaged(path, node.value.mv_data, false);
}

/* A pointer that names its neighbour's entry hides one of its own. */
static int check_order(struct page_path *path, unsigned from, unsigned to)
{
	const struct page_level *leaf = &path->levels[path->depth - 1];
	MDB_val key, before;

	for (unsigned i = from; i < to; i++) {
		if (page_entry_at(path, leaf, i, &key) == NULL ||
		    (i > from && page_order(path->tree, &before, &key) >= 0))
			return page_path_damaged(path, leaf->page, true);
		before = key;
	}
	return 0;
}

/* The neighbour in the next leaf or the one before. */
static int check_beyond(const struct page_path *path, struct page_path *beside, const MDB_val *key, bool forward,
			page_proof *proves)
{
	const struct page_level *leaf;
	MDB_val other;
	int code, order;

	*beside = *path;
	code = page_move(beside, forward);
	if (code <= 0)
		return code;
	leaf = &beside->levels[beside->depth - 1];
	if (check_neighbour(beside, leaf->at, proves) != 0)
		return -1;
	page_entry_at(beside, leaf, leaf->at, &other);
	order = page_order(path->tree, key, &other);
	return (forward ? order < 0 : order > 0) ? 0 : page_path_damaged(beside, leaf->page, true);
}

static int check_edge(struct page_path *path, const MDB_val *key, bool forward, page_proof *proves)
{
	struct page_path beside;

	if (page_check_leaf(path) != 0)
		return -1;
	if (check_beyond(path, &beside, key, forward, proves) == 0)
		return 0;
	return page_path_damaged(path, beside.damage, beside.is_page);
}

int page_check_absent(struct page_path *path, const MDB_val *key, page_proof *proves)
{
	const struct page_level *leaf;
	unsigned at, from, to;

	if (path->depth == 0)
		return 0;
	leaf = &path->levels[path->depth - 1];
	at = leaf->at;
	from = at > 2 ? at - 2 : 0;
	to = at + 2 < leaf->count ? at + 2 : leaf->count;
	if (check_order(path, from, to) != 0 || (at > 0 && check_neighbour(path, at - 1, proves) != 0) ||
	    (at < leaf->count && check_neighbour(path, at, proves) != 0))
		return -1;
	if (at == 0 && check_edge(path, key, false, proves) != 0)
		return -1;
	return at == leaf->count ? check_edge(path, key, true, proves) : 0;
}
