/* SPDX-License-Identifier: MIT */
/*
 * Whole tables, page by page: each has to be whole and in its place, and none may be used twice. What LMDB would do
 * with a page that is both in use and free is to overwrite it.
 */
#ifndef KV_PAGE_SURVEY_H
#define KV_PAGE_SURVEY_H

#include "page_tree.h"

struct page_survey {
	struct page_map *map;
	uint64_t last;         /* page */
	unsigned char *used;   /* a bit for each page; NULL: not noted */
	struct page_path path; /* says after -1 what is damaged */
};

/* False without memory; `noting` which pages are in use, which takes memory for all of them. */
bool page_survey_init(struct page_survey *survey, struct page_map *map, uint64_t last, bool noting);
void page_survey_done(struct page_survey *survey);

/* 0; -1: damaged. Any other number is `visit`'s, and ends it. */
typedef int page_visit(void *context, const struct page_node *node);
int page_survey_tree(struct page_survey *survey, const struct page_tree *tree, page_visit *visit, void *context);

/* The table of free pages. `*beyond`: how many of them are from page `from` on. 0 or -1. */
int page_survey_free(struct page_survey *survey, const struct page_table *table, bool whole, uint64_t from,
		     uint64_t *beyond);

#endif
