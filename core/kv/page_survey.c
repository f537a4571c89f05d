/* SPDX-License-Identifier: MIT */
#include "page_survey.h"

#include <stdlib.h>
#include <string.h>

bool page_survey_init(struct page_survey *survey, struct page_map *map, uint64_t last, bool noting)
{
	*survey = (struct page_survey){ .map = map, .last = last };
	if (noting)
		survey->used = calloc(last / 8 + 1, 1);
	return !noting || survey->used != NULL;
}

void page_survey_done(struct page_survey *survey)
{
	free(survey->used);
	survey->used = NULL;
}

/* False: one of them is in use already, or there is no such page. */
static bool note(struct page_survey *survey, uint64_t number, uint64_t count)
{
	const char *page = survey->map->at + number * survey->map->page_size;
	bool fine = number <= survey->last && count <= survey->last + 1 - number;

	for (uint64_t i = number; fine && survey->used != NULL && i < number + count; i++) {
		fine = (survey->used[i / 8] >> i % 8 & 1) == 0;
		survey->used[i / 8] |= (unsigned char)(1u << i % 8);
	}
	if (!fine)
		page_path_damaged(&survey->path, page, true);
	return fine;
}

/* The pages that the path came to newly. */
static bool note_path(struct page_survey *survey)
{
	for (unsigned i = 0; i < survey->path.depth; i++)
		if (!survey->path.levels[i].checked && !note(survey, survey->path.levels[i].page->number, 1))
			return false;
	return true;
}

static bool note_value(struct page_survey *survey, const struct page_node *node)
{
	const struct page_head *page;

	if (node->kind != PAGE_NODE_FAR)
		return true;
	page = (const struct page_head *)(const void *)((const char *)node->value.mv_data - PAGE_HEAD_BYTES);
	return note(survey, page->number, page->pages);
}

int page_survey_tree(struct page_survey *survey, const struct page_tree *tree, page_visit *visit, void *context)
{
	struct page_node node;
	int code = page_seek_first(&survey->path, tree, &node);

	while (code > 0) {
		if (!note_path(survey) || page_check_leaf(&survey->path) != 0 || !note_value(survey, &node))
			return -1;
		code = visit != NULL ? visit(context, &node) : 0;
		if (code != 0)
			return code;
		code = page_step(&survey->path, &node);
	}
	return code;
}

/* ---- free pages ---------------------------------------------------------------------------------------------- */

struct free_pages {
	struct page_survey *survey;
	bool whole;
	uint64_t from, beyond;
};

static int free_damaged(struct free_pages *free_pages, const struct page_node *node)
{
	return page_path_damaged(&free_pages->survey->path, node->value.mv_data, false);
}

/* The first and the last of so many, as far as that can be told by them. */
static bool are_in_file(const struct free_pages *free_pages, const char *numbers, uint64_t count)
{
	uint64_t highest, lowest;

	if (count == 0)
		return true;
	memcpy(&highest, numbers + sizeof(highest), sizeof(highest));
	memcpy(&lowest, numbers + count * sizeof(lowest), sizeof(lowest));
	return lowest >= 2 && lowest <= highest && highest <= free_pages->survey->last && highest - lowest >= count - 1;
}

/* How many, and their numbers from the highest to the lowest. */
static int visit_free(void *context, const struct page_node *node)
{
	struct free_pages *free_pages = context;
	uint64_t count, number, before = UINT64_MAX;

	if (node->kind == PAGE_NODE_TABLE || node->value.mv_size < sizeof(count))
		return free_damaged(free_pages, node);
	memcpy(&count, node->value.mv_data, sizeof(count));
	if (count > (node->value.mv_size - sizeof(count)) / sizeof(number))
		return free_damaged(free_pages, node);
	if (!are_in_file(free_pages, node->value.mv_data, count))
		return free_damaged(free_pages, node);
	for (uint64_t i = 1; free_pages->whole && i <= count; i++, before = number) {
		memcpy(&number, (const char *)node->value.mv_data + i * sizeof(number), sizeof(number));
		if (number < 2 || number >= before || number > free_pages->survey->last)
			return free_damaged(free_pages, node);
		free_pages->beyond += number >= free_pages->from;
		if (!note(free_pages->survey, number, 1))
			return -1;
	}
	return 0;
}

int page_survey_free(struct page_survey *survey, const struct page_table *table, bool whole, uint64_t from,
		     uint64_t *beyond)
{
	struct free_pages free_pages = { survey, whole, from, 0 };
	struct page_tree tree = page_tree_of(survey->map, table);
	int code = page_survey_tree(survey, &tree, visit_free, &free_pages);

	*beyond = free_pages.beyond;
	return code;
}
