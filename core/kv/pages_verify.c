/* SPDX-License-Identifier: MIT */
/*
 * Looking at everything: what a checksum of one entry cannot see is an entry that is missing. So keys are counted
 * against what the directory says of their buckets, entries against what LMDB says of their table, and every page is
 * looked at, the free ones too. Far values are read, and their bytes counted against what the table of files says.
 */
#include "array.h"
#include "pages.h"

#include "page_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct expected {
	uint64_t id;
	int64_t count;
};

struct verify {
	struct pages *pages;
	struct page_meta meta;
	struct page_survey survey;
	struct values values; /* the files, as the snapshot names them */
	struct page_tree garbage;
	uint64_t entries; /* of the table that is being looked at */
	struct kv_error *err;
	struct expected *buckets; /* by id, once all are known */
	size_t count, capacity;
	bool sorted;
	size_t at; /* the one whose keys are being counted */
	int64_t seen;
};

static int by_id(const void *a, const void *b)
{
	const struct expected *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static int add_bucket(struct verify *verify, const struct page_entry *entry, struct kv_error *err)
{
	struct page_bucket page;
	struct expected *grown;

	if (entry->value.size != sizeof(page))
		return page_damaged(verify->pages, entry->value.data, err);
	memcpy(&page, entry->value.data, sizeof(page));
	grown = array_grow(verify->buckets, verify->count, &verify->capacity, sizeof(*grown));
	if (grown == NULL)
		return kv_fail(err, "out of memory");
	verify->buckets = grown;
	verify->buckets[verify->count++] = (struct expected){ page.id, page.count };
	return 0;
}

/* The directory comes first. */
static void names_end(struct verify *verify)
{
	if (!verify->sorted && verify->count > 0)
		qsort(verify->buckets, verify->count, sizeof(*verify->buckets), by_id);
	verify->sorted = true;
}

static int wrong_count(const struct verify *verify, struct kv_error *err)
{
	const struct expected *bucket = &verify->buckets[verify->at];

	return kv_fail(err, "kv store: '%.300s': bucket %llu has %lld keys and should have %lld: restore a backup",
		       verify->pages->file, (unsigned long long)bucket->id, (long long)verify->seen,
		       (long long)bucket->count);
}

/* All keys of buckets before `id` have been seen. */
static int pass_buckets(struct verify *verify, uint64_t id, struct kv_error *err)
{
	while (verify->at < verify->count && verify->buckets[verify->at].id < id) {
		if (verify->buckets[verify->at].count != verify->seen)
			return wrong_count(verify, err);
		verify->at++;
		verify->seen = 0;
	}
	return 0;
}

/* A bucket that the directory does not name has been dropped and is to be cleared away. */
static int check_dropped(const struct verify *verify, uint64_t id, struct kv_error *err)
{
	unsigned char bytes[PAGE_ID_MAX];
	const MDB_val key = { page_id_put(bytes, id), bytes };
	struct page_path path = { 0 };
	struct page_node node;
	int code = page_get(&path, &verify->garbage, &key, NULL, &node);

	if (code == 0)
		return kv_fail(err, "kv store: '%.300s': bucket %llu has keys and no name: restore a backup",
			       verify->pages->file, (unsigned long long)id);
	return code > 0 ? 0 : pages_path_damaged(verify->pages, &path, err);
}

/* A far value is looked at where it is, and counted against what its file's row says. */
static int check_value(struct verify *verify, const MDB_val *key, const MDB_val *stored, struct kv_error *err)
{
	struct kvrel_slice value;
	struct far_value far;

	if (!page_entry_far(key, stored, &far))
		return 0;
	if (value_resolve(&verify->values, &far, &value, err) != 0)
		return -1;
	values_find(&verify->values, far.segment)->seen += far.size;
	return 0;
}

static int check_files(const struct verify *verify, struct kv_error *err)
{
	const struct values *values = &verify->values;
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; i < set->count; i++) {
		const struct value_file *file = set->files[i];
		char what[128];

		if (file->seen == file->row.live)
			continue;
		snprintf(what, sizeof(what), "%llu bytes of values are in use and should be %llu: restore a backup",
			 (unsigned long long)file->seen, (unsigned long long)file->row.live);
		return value_fail(values, file->number, err, what);
	}
	return 0;
}

static int check_entry(struct verify *verify, const MDB_val *key, const MDB_val *value, struct kv_error *err)
{
	struct page_entry entry;

	if (pages_give_up(verify->pages))
		return kv_fail(err, "the store is stopping");
	if (!page_entry_split(key, value, &entry))
		return page_damaged(verify->pages, value->mv_data, err);
	if (check_value(verify, key, value, err) != 0)
		return -1;
	if (entry.bucket == 0)
		return add_bucket(verify, &entry, err);
	names_end(verify);
	if (pass_buckets(verify, entry.bucket, err) != 0)
		return -1;
	if (verify->at == verify->count || verify->buckets[verify->at].id != entry.bucket)
		return check_dropped(verify, entry.bucket, err);
	verify->seen++;
	return 0;
}

/* ---- tables -------------------------------------------------------------------------------------------------- */

static int visit_data(void *context, const struct page_node *node)
{
	struct verify *verify = context;

	verify->entries++;
	if (node->kind == PAGE_NODE_TABLE)
		page_damaged(verify->pages, node->value.mv_data, verify->err);
	else if (check_entry(verify, &node->key, &node->value, verify->err) == 0)
		return 0;
	return 1;
}

static int visit_other(void *context, const struct page_node *node)
{
	struct verify *verify = context;

	(void)node;
	verify->entries++;
	return 0;
}

static int check_tree(struct verify *verify, const struct page_tree *tree, const char *name, page_visit *visit)
{
	int code;

	verify->entries = 0;
	code = page_survey_tree(&verify->survey, tree, visit, verify);
	if (code < 0)
		return pages_path_damaged(verify->pages, &verify->survey.path, verify->err);
	if (code == 0 && verify->entries != tree->entries)
		return kv_fail(verify->err,
			       "kv store: '%.300s': table '%s' has %llu entries and should have %llu: restore a backup",
			       verify->pages->file, name, (unsigned long long)verify->entries,
			       (unsigned long long)tree->entries);
	return code == 0 ? 0 : -1;
}

static int check_named(struct verify *verify, const char *name, struct page_tree *tree, page_visit *visit)
{
	if (page_table_find(&verify->survey.path, &verify->pages->map, &verify->meta.tables[PAGE_TABLE_MAIN], name,
			    tree) < 0)
		return pages_path_damaged(verify->pages, &verify->survey.path, verify->err);
	return check_tree(verify, tree, name, visit);
}

static int check_state(struct verify *verify, const struct page_tree *tree)
{
	const MDB_val key = PAGE_STATE_KEY;
	struct page_state state;
	struct page_node node;

	if (page_get(&verify->survey.path, tree, &key, NULL, &node) != 1 || !page_state_get(&node.value, &state))
		return page_state_damaged(verify->err);
	if (state.bucket_count == (int64_t)verify->count)
		return 0;
	return kv_fail(verify->err, "kv store: '%.300s': it has %zu buckets and should have %lld: restore a backup",
		       verify->pages->file, verify->count, (long long)state.bucket_count);
}

static int check_all(struct verify *verify)
{
	struct page_tree main = page_tree_of(&verify->pages->map, &verify->meta.tables[PAGE_TABLE_MAIN]), tree;
	uint64_t beyond;

	if (page_survey_free(&verify->survey, &verify->meta.tables[PAGE_TABLE_FREE], true, UINT64_MAX, &beyond) != 0)
		return pages_path_damaged(verify->pages, &verify->survey.path, verify->err);
	if (check_tree(verify, &main, "main", visit_other) != 0 ||
	    check_named(verify, "garbage", &verify->garbage, visit_other) != 0 ||
	    check_named(verify, "data", &tree, visit_data) != 0)
		return -1;
	names_end(verify);
	if (pass_buckets(verify, UINT64_MAX, verify->err) != 0 || check_named(verify, "meta", &tree, visit_other) != 0)
		return -1;
	if (check_state(verify, &tree) != 0)
		return -1;
	return check_named(verify, "values", &tree, visit_other) == 0 ? check_files(verify, verify->err) : -1;
}

static int begin_values(struct verify *verify, MDB_txn *txn)
{
	const struct values *values = verify->pages->values;
	int code;

	verify->values.table = values->table;
	code = values_init(&verify->values, txn, values->dir, values->store);
	return code == 0 ? 0 : pages_fail(verify->err, "cannot read its table of values", code);
}

int pages_verify(struct pages *pages, struct kv_error *err)
{
	struct verify verify = { .pages = pages, .err = err };
	struct fault_watch watch = { .pages = pages, .values = &verify.values };
	MDB_txn *txn = NULL;
	int code = pages_begin(pages, &txn, &verify.meta, err);

	fault_begin(&watch);
	if (code == 0 && !page_survey_init(&verify.survey, &pages->map, verify.meta.last_page, true))
		code = kv_fail(err, "out of memory");
	if (code == 0)
		code = begin_values(&verify, txn);
	if (code == 0)
		code = check_all(&verify);
	if (fault_end(&watch))
		code = pages_lost(pages, err);
	page_survey_done(&verify.survey);
	values_done(&verify.values);
	if (txn != NULL)
		mdb_txn_abort(txn);
	free(verify.buckets);
	return code;
}
