/* SPDX-License-Identifier: MIT */
#include "page_tree.h"

#include <string.h>
#include <sys/stat.h>

struct page_tree page_tree_of(struct page_map *map, const struct page_table *table)
{
	return (struct page_tree){ map, table->root, table->depth, (table->flags & MDB_INTEGERKEY) != 0,
				   table->entries };
}

const struct page_meta *page_meta_of(const char *page)
{
	const struct page_head *head = (const struct page_head *)(const void *)page;
	const struct page_meta *meta = (const struct page_meta *)(const void *)(page + PAGE_HEAD_BYTES);

	return head->number < 2 && head->flags == PAGE_META && meta->mark == PAGE_MARK && meta->version == PAGE_VERSION
		       ? meta
		       : NULL;
}

int page_path_damaged(struct page_path *path, const void *place, bool is_page)
{
	path->damage = place;
	path->is_page = is_page;
	return -1;
}

/* ---- pages --------------------------------------------------------------------------------------------------- */

/* The pages that the file has. It only grows: fewer than it was known to have are a part of it. */
static uint64_t map_count(struct page_map *map)
{
	struct stat stat;
	uint64_t bytes, count;

	if (fstat(map->fd, &stat) != 0)
		return 0;
	bytes = (uint64_t)stat.st_size < map->size ? (uint64_t)stat.st_size : map->size;
	count = bytes / map->page_size;
	if (count < atomic_load(&map->count))
		atomic_store(&map->lost, true);
	else
		atomic_store(&map->count, count);
	return count;
}

/* Behind the file's end there is nothing to read. */
static bool map_has(struct page_map *map, uint64_t number, uint64_t pages)
{
	uint64_t count = atomic_load_explicit(&map->count, memory_order_relaxed);

	if (number < count && pages <= count - number)
		return true;
	count = map_count(map);
	return number < count && pages <= count - number;
}

bool page_map_whole(struct page_map *map)
{
	map_count(map);
	return !atomic_load(&map->lost);
}

static const struct page_head *map_page(const struct page_map *map, uint64_t number)
{
	return (const struct page_head *)(const void *)(map->at + number * map->page_size);
}

/* Takes the path down to a page, at its first entry. `from` points there. */
static int enter(struct page_path *path, uint64_t number, const void *from)
{
	struct page_map *map = path->tree->map;
	struct page_level *level = &path->levels[path->depth];
	bool leaf = path->depth + 1 == path->tree->depth;
	unsigned slot = path->depth > 0 ? path->levels[path->depth - 1].at : 0;
	const struct page_head *page;

	if (number < 2 || !map_has(map, number, 1))
		return page_path_damaged(path, from, true);
	page = map_page(map, number);
	if (page->number != number || page->flags != (leaf ? PAGE_LEAF : PAGE_BRANCH) ||
	    page->lower < PAGE_HEAD_BYTES + (leaf ? 2 : 4) || page->lower % 2 != 0 || page->lower > page->upper ||
	    page->upper > map->page_size)
		return page_path_damaged(path, page, true);
	level->checked = level->checked && level->page == page && level->slot == slot &&
			 (path->depth == 0 || path->levels[path->depth - 1].checked);
	level->page = page;
	level->slot = slot;
	level->at = 0;
	level->count = (page->lower - (unsigned)PAGE_HEAD_BYTES) / 2;
	path->depth++;
	return 1;
}

static int enter_root(struct page_path *path, const struct page_tree *tree)
{
	path->tree = tree;
	path->depth = 0;
	if (tree->root == PAGE_NONE)
		return 0;
	if (tree->depth == 0 || tree->depth > PAGE_DEPTH_MAX)
		return page_path_damaged(path, NULL, true);
	return enter(path, tree->root, NULL);
}

/* ---- entries ------------------------------------------------------------------------------------------------- */

static uint64_t child_of(const char *entry)
{
	uint64_t number = 0;

	memcpy(&number, entry, 6);
	return number;
}

int page_enter_child(struct page_path *path)
{
	const struct page_level *level = &path->levels[path->depth - 1];
	const char *entry;
	MDB_val key;

	entry = page_entry_at(path, level, level->at, &key);
	return entry != NULL ? enter(path, child_of(entry), level->page) : page_path_damaged(path, level->page, true);
}

/* A value that has pages of its own. */
static int far_value(struct page_path *path, const char *entry, uint64_t number, MDB_val *value)
{
	struct page_map *map = path->tree->map;
	const struct page_head *page;

	if (number < 2 || !map_has(map, number, 1))
		return page_path_damaged(path, entry, false);
	page = map_page(map, number);
	if (page->number != number || page->flags != PAGE_OVERFLOW || !map_has(map, number, page->pages) ||
	    page->pages != (PAGE_HEAD_BYTES + value->mv_size + map->page_size - 1) / map->page_size)
		return page_path_damaged(path, page, true);
	value->mv_data = (char *)page + PAGE_HEAD_BYTES;
	return 1;
}

int page_node_at(struct page_path *path, unsigned i, struct page_node *node)
{
	const struct page_level *leaf = &path->levels[path->depth - 1];
	const char *entry = page_entry_at(path, leaf, i, &node->key), *behind;
	uint64_t number, room;
	uint32_t size;
	uint16_t kind;

	if (entry == NULL)
		return page_path_damaged(path, leaf->page, true);
	memcpy(&size, entry, sizeof(size));
	memcpy(&kind, entry + 4, sizeof(kind));
	behind = (const char *)node->key.mv_data + node->key.mv_size;
	room = (uint64_t)((const char *)leaf->page + path->tree->map->page_size - behind);
	node->kind = (enum page_node_kind)kind;
	node->value = (MDB_val){ size, (char *)behind };
	if (kind == PAGE_NODE_FAR && room >= sizeof(number)) {
		memcpy(&number, behind, sizeof(number));
		return far_value(path, entry, number, &node->value);
	}
	if ((kind == PAGE_NODE_HERE || kind == PAGE_NODE_TABLE) && size <= room)
		return 1;
	return page_path_damaged(path, entry, false);
}

/* ---- finding ------------------------------------------------------------------------------------------------- */

/* The first entry from `low` on that is not before the key, to level->at. 1: it is equal, 0: not, -1 */
static int find_in_page(struct page_path *path, unsigned low, const MDB_val *key)
{
	struct page_level *level = &path->levels[path->depth - 1];
	unsigned high = level->count;
	bool equal = false;
	MDB_val other;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order;

		if (page_entry_at(path, level, middle, &other) == NULL)
			return page_path_damaged(path, level->page, true);
		order = page_order(path->tree, &other, key);
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
			equal = order == 0;
			if (equal)
				break;
		}
	}
	level->at = equal ? high : low;
	return equal;
}

int page_descend(struct page_path *path, const struct page_tree *tree, const MDB_val *key)
{
	int code = enter_root(path, tree);

	while (code > 0 && path->depth < tree->depth) {
		struct page_level *level = &path->levels[path->depth - 1];
		int equal = find_in_page(path, 1, key); /* the first child has no key */

		if (equal < 0)
			return -1;
		level->at -= !equal;
		code = page_enter_child(path);
	}
	return code > 0 ? find_in_page(path, 0, key) : code;
}

int page_move(struct page_path *path, bool forward)
{
	unsigned depth = path->depth - 1;
	int code = 1;

	while (depth > 0 && (forward ? path->levels[depth - 1].at + 1 == path->levels[depth - 1].count
				     : path->levels[depth - 1].at == 0))
		depth--;
	if (depth == 0)
		return 0;
	path->levels[depth - 1].at += forward ? 1 : -1u;
	path->depth = depth;
	while (code > 0 && path->depth < path->tree->depth) {
		code = page_enter_child(path);
		if (code > 0 && !forward)
			path->levels[path->depth - 1].at = path->levels[path->depth - 1].count - 1;
	}
	return code;
}

static int node_here(struct page_path *path, struct page_node *node)
{
	const struct page_level *leaf = &path->levels[path->depth - 1];
	int code = leaf->at < leaf->count ? 1 : page_move(path, true);

	return code > 0 ? page_node_at(path, path->levels[path->depth - 1].at, node) : code;
}

/* To where the key is (1), or would be (0). */
static int descend_for_sure(struct page_path *path, const struct page_tree *tree, const MDB_val *key,
			    page_proof *proves)
{
	int code = page_descend(path, tree, key);

	return code != 0 || proves == NULL ? code : page_check_absent(path, key, proves);
}

int page_seek(struct page_path *path, const struct page_tree *tree, const MDB_val *key, page_proof *proves,
	      struct page_node *node)
{
	int code = descend_for_sure(path, tree, key, proves);

	return code < 0 || path->depth == 0 ? code : node_here(path, node);
}

int page_seek_first(struct page_path *path, const struct page_tree *tree, struct page_node *node)
{
	int code = enter_root(path, tree);

	while (code > 0 && path->depth < tree->depth)
		code = page_enter_child(path);
	return code > 0 ? node_here(path, node) : code;
}

int page_step(struct page_path *path, struct page_node *node)
{
	path->levels[path->depth - 1].at++;
	return node_here(path, node);
}

int page_get(struct page_path *path, const struct page_tree *tree, const MDB_val *key, page_proof *proves,
	     struct page_node *node)
{
	int code = descend_for_sure(path, tree, key, proves);

	return code > 0 ? page_node_at(path, path->levels[path->depth - 1].at, node) : code;
}

int page_table_find(struct page_path *path, struct page_map *map, const struct page_table *main, const char *name,
		    struct page_tree *tree)
{
	struct page_tree tables = page_tree_of(map, main);
	const MDB_val key = { strlen(name), (char *)name };
	struct page_table table;
	struct page_node node;
	int code = page_get(path, &tables, &key, NULL, &node);

	if (code == 0)
		return page_path_damaged(path, NULL, true);
	if (code > 0)
		code = page_check_leaf(path) == 0 ? 1 : -1;
	if (code < 0)
		return -1;
	if (node.kind != PAGE_NODE_TABLE || node.value.mv_size != sizeof(table))
		return page_path_damaged(path, node.key.mv_data, false);
	memcpy(&table, node.value.mv_data, sizeof(table));
	if (table.flags != 0) /* ours have none, and LMDB would read their pages in another way */
		return page_path_damaged(path, node.key.mv_data, false);
	*tree = page_tree_of(map, &table);
	return 1;
}
