/* SPDX-License-Identifier: MIT */
/*
 * LMDB's tree, read without trust. LMDB believes what a page says of itself: a flipped bit in a page's head or in an
 * entry's may end the process, and one in a key that points the way hides keys that are there. So what is read for
 * somebody is found by this: each page that it comes to has to be the one that was pointed to, nothing in it may point
 * out of it, and that a key is not there has to be proven.
 *
 * An entry that is found proves itself, by its checksum. A key is absent for sure when its two neighbours lie side by
 * side, prove themselves, and it belongs between them; where they lie in two leaves, or at the edge of one, the pages
 * above must be whole and the leaf within the bounds that they set.
 *
 * What this cannot see: a page in whose place an older state of the same page was put. Nothing in LMDB's pages tells
 * the two apart.
 *
 * The layout is LMDB's data version 1, of a 64-bit little-endian machine.
 */
#ifndef KV_PAGE_TREE_H
#define KV_PAGE_TREE_H

#include <endian.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct page_head {
	uint64_t number;
	uint16_t pad;
	uint16_t flags; /* enum page_flags */
	union {
		struct {
			uint16_t lower; /* where the pointers end */
			uint16_t upper; /* where the entries begin */
		};
		uint32_t pages; /* of an overflow page: how many follow each other */
	};
	uint16_t pointers[]; /* to entries, in order of keys */
};

enum page_flags { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };

/* What LMDB notes of each table. */
struct page_table {
	uint32_t pad; /* of the first table: the size of a page */
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries;
	uint64_t root; /* PAGE_NONE: it is empty */
};

#define PAGE_NONE UINT64_MAX
#define PAGE_MARK 0xbeefc0deu
enum {
	PAGE_TABLE_FREE,
	PAGE_TABLE_MAIN,
	PAGE_DEPTH_MAX = 32,
	PAGE_HEAD_BYTES = 16,
	PAGE_NODE_BYTES = 8,
	PAGE_ORDER_SHORT = 64,
	PAGE_VERSION = 1
};

/* Where a commit is noted: on pages 0 and 1 in turns, behind the page's head. */
struct page_meta {
	uint32_t mark, version;
	uint64_t address, map_size;
	struct page_table tables[2];
	uint64_t last_page, transaction;
};

_Static_assert(sizeof(struct page_head) == PAGE_HEAD_BYTES && sizeof(struct page_table) == 48, "LMDB's layout");
_Static_assert(sizeof(struct page_meta) == 136, "LMDB's layout");

/* The file, as a part of memory. */
struct page_map {
	const char *at;
	uint64_t size; /* bytes that are mapped */
	int fd;
	uint32_t page_size;
	_Atomic uint64_t count; /* pages that the file is known to have */
	_Atomic bool lost;      /* some of them could not be read */
};

struct page_tree {
	struct page_map *map;
	uint64_t root;
	unsigned depth;
	bool numbers; /* keys are numbers of 8 bytes */
	uint64_t entries;
};

/*
 * A way from the root to an entry of a leaf. All 0 to begin with, and for another snapshot: it remembers what it found
 * whole, so that to look there again costs nothing.
 */
struct page_path {
	const struct page_tree *tree;
	struct page_level {
		const struct page_head *page;
		unsigned at, count;
		unsigned slot; /* the entry above that points here */
		bool checked;  /* found whole, and in its place */
		bool far;      /* if it was checked: some values have pages of their own */
	} levels[PAGE_DEPTH_MAX];
	unsigned depth;
	const void *damage; /* after -1: what made no sense, in the map; NULL: the table's own record */
	bool is_page;       /* it is a page, not an entry */
};

enum page_node_kind { PAGE_NODE_HERE = 0, PAGE_NODE_FAR = 1, PAGE_NODE_TABLE = 2 };

struct page_node {
	enum page_node_kind kind;
	MDB_val key, value;
};

/* Whether all pages that the file had are there still, as far as that can be told without reading them. */
bool page_map_whole(struct page_map *map);
/* The tree of a table. */
struct page_tree page_tree_of(struct page_map *map, const struct page_table *table);
/* What the page at `page` notes of a commit; NULL: it is not such a page. */
const struct page_meta *page_meta_of(const char *page);

/* Whether an entry of a table is genuine. */
typedef bool page_proof(const MDB_val *key, const MDB_val *value);

/*
 * All of these return 1: there is an entry; 0: there is none, for sure if `proves` can tell (it may be NULL); -1:
 * damaged, and the path says where.
 */

/* The first entry that is not before `key`. */
int page_seek(struct page_path *path, const struct page_tree *tree, const MDB_val *key, page_proof *proves,
	      struct page_node *node);
int page_seek_first(struct page_path *path, const struct page_tree *tree, struct page_node *node);
/* The entry behind the one that the path is at. */
int page_step(struct page_path *path, struct page_node *node);
/* The entry that has this key. */
int page_get(struct page_path *path, const struct page_tree *tree, const MDB_val *key, page_proof *proves,
	     struct page_node *node);

/* The tree of a table that the main one names. 1; -1: damaged, as which its lack counts too. */
int page_table_find(struct page_path *path, struct page_map *map, const struct page_table *main, const char *name,
		    struct page_tree *tree);

/*
 * Looks at the whole leaf that the path is at: everything in it has its place, keys are in order, and they belong here
 * by what the pages above say, which are whole as well. 0 or -1.
 */
int page_check_leaf(struct page_path *path);
/* Whether the key could be nowhere but where the path is, between two entries. 0 or -1. */
int page_check_absent(struct page_path *path, const MDB_val *key, page_proof *proves);

/* ---- parts, for page_check.c and guard.c ---- */

/* The i-th entry of a page, NULL if it leaves the page. Here, since a change looks at all entries of a leaf. */
static inline const char *page_entry_at(const struct page_path *path, const struct page_level *level, unsigned i,
					MDB_val *key)
{
	const uint32_t page_size = path->tree->map->page_size;
	const unsigned offset = level->page->pointers[i];
	const char *entry = (const char *)level->page + offset;
	uint16_t key_size;

	if (offset < level->page->upper || offset + PAGE_NODE_BYTES > page_size)
		return NULL;
	memcpy(&key_size, entry + 6, sizeof(key_size));
	if (key_size > page_size - offset - PAGE_NODE_BYTES)
		return NULL;
	*key = (MDB_val){ key_size, (char *)entry + PAGE_NODE_BYTES };
	return entry;
}

/* The i-th entry of the path's leaf. */
int page_node_at(struct page_path *path, unsigned i, struct page_node *node);
/* To the place in a leaf where the key is (1) or would be (0), which may be behind the last entry. */
int page_descend(struct page_path *path, const struct page_tree *tree, const MDB_val *key);
/* From a page that points to others to what its entry points to. 1 or -1. */
int page_enter_child(struct page_path *path);
/* Between which keys a page has to lie, as those above say; false: nothing does. */
bool page_bound(const struct page_path *path, unsigned depth, bool low, MDB_val *key);
/* To the next leaf, at its first entry, or (not forward) to the one before, at its last. 0: there is none. */
int page_move(struct page_path *path, bool forward);

/* memcmp() without a call: keys are mostly short, and those of a leaf begin alike. */
static inline int page_bytes_order(const char *a, const char *b, size_t size)
{
	uint64_t left, right;

	if (size < sizeof(left) || size > PAGE_ORDER_SHORT)
		return size > 0 ? memcmp(a, b, size) : 0;
	for (size_t at = 0;; at = at + 2 * sizeof(left) <= size ? at + sizeof(left) : size - sizeof(left)) {
		memcpy(&left, a + at, sizeof(left));
		memcpy(&right, b + at, sizeof(right));
		if (left != right)
			return be64toh(left) < be64toh(right) ? -1 : 1;
		if (at + sizeof(left) == size)
			return 0;
	}
}

static inline int page_order(const struct page_tree *tree, const MDB_val *a, const MDB_val *b)
{
	size_t shorter = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	uint64_t left, right;
	int order;

	if (tree->numbers && shorter == sizeof(left)) {
		memcpy(&left, a->mv_data, sizeof(left));
		memcpy(&right, b->mv_data, sizeof(right));
		return (left > right) - (left < right);
	}
	order = page_bytes_order(a->mv_data, b->mv_data, shorter);
	return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

/* Returns -1. */
int page_path_damaged(struct page_path *path, const void *place, bool is_page);

#endif
