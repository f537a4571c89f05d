/* SPDX-License-Identifier: MIT */
/*
 * A data file before LMDB opens it. LMDB finds its tables and its free pages without a look at what it reads, and it
 * takes an empty file for a new store. The data themselves, which may be large, are looked at when they are read.
 */
#include "pages.h"

#include "page_survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_SIZE_MIN = 512, PAGE_SIZE_MAX = 65536 };

struct inspection {
	struct pages pages; /* its map and name */
	uint64_t size;
	struct page_meta meta; /* of the last commit */
};

static int damaged(const struct inspection *inspection, struct kv_error *err)
{
	return kv_fail(err, "kv store: '%.300s' is damaged, or no store: restore a backup", inspection->pages.file);
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static int look_at_file(struct inspection *inspection, struct kv_error *err)
{
	char first[PAGE_HEAD_BYTES + sizeof(struct page_meta)];
	struct pages *pages = &inspection->pages;
	const struct page_meta *meta;
	struct stat stat;

	if (fstat(pages->map.fd, &stat) != 0)
		return kv_fail(err, "kv store: cannot look at '%.300s': %s", pages->file, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return kv_fail(err, "kv store: '%.300s' is not a file", pages->file);
	inspection->size = (uint64_t)stat.st_size;
	if (pread(pages->map.fd, first, sizeof(first), 0) != (ssize_t)sizeof(first))
		return damaged(inspection, err);
	meta = page_meta_of(first);
	if (meta == NULL)
		return damaged(inspection, err);
	pages->map.page_size = meta->tables[PAGE_TABLE_FREE].pad;
	if (pages->map.page_size < PAGE_SIZE_MIN || pages->map.page_size > PAGE_SIZE_MAX ||
	    (pages->map.page_size & (pages->map.page_size - 1)) != 0 || inspection->size < 2 * pages->map.page_size)
		return damaged(inspection, err);
	return 0;
}

/* What LMDB would take for the tables' kinds. */
static bool is_as_ours(const struct page_table tables[2])
{
	const unsigned kinds =
		MDB_REVERSEKEY | MDB_DUPSORT | MDB_INTEGERKEY | MDB_DUPFIXED | MDB_INTEGERDUP | MDB_REVERSEDUP;

	return (tables[PAGE_TABLE_FREE].flags & kinds) == MDB_INTEGERKEY && tables[PAGE_TABLE_MAIN].flags == 0;
}

/* Both notes of commits; the later one counts. */
static int look_at_commits(struct inspection *inspection, struct kv_error *err)
{
	const struct page_map *map = &inspection->pages.map;
	const struct page_meta *first = page_meta_of(map->at), *second = page_meta_of(map->at + map->page_size);

	if (first == NULL || second == NULL)
		return damaged(inspection, err);
	inspection->meta = first->transaction > second->transaction ? *first : *second;
	if (inspection->meta.tables[PAGE_TABLE_FREE].pad != map->page_size || !is_as_ours(inspection->meta.tables) ||
	    inspection->meta.last_page > UINT64_MAX / map->page_size - 1)
		return damaged(inspection, err);
	return 0;
}

/* ---- tables -------------------------------------------------------------------------------------------------- */

/*
 * Pages at the file's end that were taken and given back by one transaction were never written: the file may be shorter
 * than it says, by free pages alone.
 */
static int look_at_free(struct inspection *inspection, struct page_survey *survey, struct kv_error *err)
{
	struct pages *pages = &inspection->pages;
	uint64_t have = inspection->size / pages->map.page_size, wanted = inspection->meta.last_page + 1, beyond;
	bool is_short = have < wanted && inspection->meta.last_page > 1;
	int code = page_survey_free(survey, &inspection->meta.tables[PAGE_TABLE_FREE], is_short, have, &beyond);

	if (is_short && (code != 0 || beyond != wanted - have))
		return kv_fail(err, "kv store: '%.300s' is damaged: it ends at offset %llu of %llu: restore a backup",
			       pages->file, (unsigned long long)inspection->size,
			       (unsigned long long)(wanted * pages->map.page_size));
	return code == 0 ? 0 : pages_path_damaged(pages, &survey->path, err);
}

static int count_entry(void *entries, const struct page_node *node)
{
	(void)node;
	++*(uint64_t *)entries;
	return 0;
}

static int look_at_table(struct inspection *inspection, struct page_survey *survey, const char *name,
			 struct kv_error *err)
{
	struct pages *pages = &inspection->pages;
	struct page_tree tree;
	uint64_t entries = 0;

	if (page_table_find(&survey->path, &pages->map, &inspection->meta.tables[PAGE_TABLE_MAIN], name, &tree) < 0 ||
	    page_survey_tree(survey, &tree, count_entry, &entries) != 0)
		return pages_path_damaged(pages, &survey->path, err);
	if (entries != tree.entries)
		return kv_fail(err,
			       "kv store: '%.300s': table '%s' has %llu entries and should have %llu: restore a backup",
			       pages->file, name, (unsigned long long)entries, (unsigned long long)tree.entries);
	return 0;
}

/* A store of an older version has none. */
static int look_at_values(struct inspection *inspection, struct page_survey *survey, struct kv_error *err)
{
	struct pages *pages = &inspection->pages;
	struct page_tree main = page_tree_of(&pages->map, &inspection->meta.tables[PAGE_TABLE_MAIN]);
	const MDB_val name = { 6, (char *)"values" };
	struct page_node node;
	int code;

	survey->path = (struct page_path){ 0 };
	code = page_get(&survey->path, &main, &name, NULL, &node);
	if (code < 0)
		return pages_path_damaged(pages, &survey->path, err);
	return code == 0 ? 0 : look_at_table(inspection, survey, "values", err);
}

static int look_at_tables(struct inspection *inspection, struct kv_error *err)
{
	struct page_survey survey;

	page_survey_init(&survey, &inspection->pages.map, inspection->meta.last_page, false);
	if (look_at_free(inspection, &survey, err) != 0)
		return -1;
	if (inspection->meta.tables[PAGE_TABLE_MAIN].root == PAGE_NONE) /* before its first commit */
		return 0;
	return look_at_table(inspection, &survey, "meta", err) != 0 ||
			       look_at_table(inspection, &survey, "garbage", err) != 0 ||
			       look_at_values(inspection, &survey, err) != 0
		       ? -1
		       : 0;
}

static int look_at_all(struct inspection *inspection, struct kv_error *err)
{
	struct page_map *map = &inspection->pages.map;
	struct fault_watch watch = { .pages = &inspection->pages };
	char *at;
	int code;

	if (look_at_file(inspection, err) != 0)
		return -1;
	at = mmap(NULL, inspection->size, PROT_READ, MAP_SHARED, map->fd, 0);
	if (at == MAP_FAILED)
		return kv_fail(err, "kv store: cannot map '%.300s': %s", inspection->pages.file, strerror(errno));
	map->at = at;
	map->size = inspection->size;
	map->count = inspection->size / map->page_size;
	fault_begin(&watch);
	code = look_at_commits(inspection, err) == 0 && look_at_tables(inspection, err) == 0 ? 0 : -1;
	if (fault_end(&watch))
		code = pages_lost(&inspection->pages, err);
	munmap(at, inspection->size);
	return code;
}

int pages_inspect(const char *file, struct kv_error *err)
{
	struct inspection inspection = { 0 };
	int code;

	inspection.pages.map.fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* should it be a pipe */
	if (inspection.pages.map.fd < 0)
		return errno == ENOENT ? 0 : kv_fail(err, "kv store: cannot open '%.300s': %s", file, strerror(errno));
	snprintf(inspection.pages.file, sizeof(inspection.pages.file), "%s", file);
	code = look_at_all(&inspection, err);
	close(inspection.pages.map.fd);
	return code;
}
