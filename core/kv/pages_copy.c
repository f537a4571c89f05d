/* SPDX-License-Identifier: MIT */
/*
 * A compact copy of one snapshot, entry by entry. LMDB can copy pages, and faster; but it believes them: a damaged one
 * could end the process. This one is read as everything is, checked on the way, and written in order of keys.
 */
#include "pages.h"

#include "page_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_COMMIT_BYTES = 16 << 20 };

struct copy {
	struct pages *from;
	struct page_survey survey;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	MDB_cursor *cursor;
	const char *name; /* of the table */
	size_t bytes;     /* since the last commit */
	uint64_t entries;
	const char *file;
	struct kv_error *err;
};

static int cannot_write(const struct copy *copy, int code)
{
	char what[KV_ERROR_BYTES];

	snprintf(what, sizeof(what), "cannot write '%.300s'", copy->file);
	return pages_fail(copy->err, what, pages_write_error(copy->file, code));
}

static int begin(struct copy *copy)
{
	int code = mdb_txn_begin(copy->env, NULL, 0, &copy->txn);

	if (code != 0) {
		copy->txn = NULL;
		return cannot_write(copy, code);
	}
	code = mdb_dbi_open(copy->txn, copy->name, MDB_CREATE, &copy->table);
	if (code == 0)
		code = mdb_cursor_open(copy->txn, copy->table, &copy->cursor);
	return code == 0 ? 0 : cannot_write(copy, code);
}

static int commit(struct copy *copy)
{
	int code;

	mdb_cursor_close(copy->cursor);
	code = mdb_txn_commit(copy->txn);
	copy->txn = NULL;
	copy->bytes = 0;
	return code == 0 ? 0 : cannot_write(copy, code);
}

static int copy_entry(struct copy *copy, const struct page_node *node)
{
	MDB_val key = node->key, value = node->value;
	int code;

	if (pages_give_up(copy->from))
		return kv_fail(copy->err, "the store is stopping");
	code = mdb_cursor_put(copy->cursor, &key, &value, MDB_APPEND);
	if (code != 0)
		return cannot_write(copy, code);
	copy->entries++;
	copy->bytes += key.mv_size + value.mv_size;
	if (copy->bytes < COPY_COMMIT_BYTES)
		return 0;
	return commit(copy) == 0 ? begin(copy) : -1;
}

static int visit(void *context, const struct page_node *node)
{
	return copy_entry(context, node) == 0 ? 0 : 1;
}

static int visit_data(void *context, const struct page_node *node)
{
	struct copy *copy = context;

	if (node->kind == PAGE_NODE_TABLE || !page_entry_proves(&node->key, &node->value)) {
		page_damaged(copy->from, node->value.mv_data, copy->err);
		return 1;
	}
	return visit(context, node);
}

/* How far the log was durable says nothing of a copy, which has none. */
static int visit_meta(void *context, const struct page_node *node)
{
	const MDB_val durable = PAGE_DURABLE_KEY;
	struct copy *copy = context;

	if (node->key.mv_size != durable.mv_size || memcmp(node->key.mv_data, durable.mv_data, durable.mv_size) != 0)
		return visit(context, node);
	copy->entries++;
	return 0;
}

static int copy_table(struct copy *copy, const struct page_table *main, const char *name, page_visit *each)
{
	struct page_tree tree;
	int code;

	if (page_table_find(&copy->survey.path, &copy->from->map, main, name, &tree) < 0)
		return pages_path_damaged(copy->from, &copy->survey.path, copy->err);
	copy->name = name;
	copy->entries = 0;
	if (begin(copy) != 0)
		return -1;
	code = page_survey_tree(&copy->survey, &tree, each, copy);
	if (code < 0)
		return pages_path_damaged(copy->from, &copy->survey.path, copy->err);
	if (code > 0)
		return -1;
	if (copy->entries != tree.entries)
		return kv_fail(copy->err, "kv store: '%.300s': table '%s' lacks entries: restore a backup",
			       copy->from->file, name);
	return commit(copy);
}

static int copy_all(struct copy *copy, const struct page_table *main)
{
	if (copy_table(copy, main, "data", visit_data) != 0 || copy_table(copy, main, "garbage", visit) != 0 ||
	    copy_table(copy, main, "meta", visit_meta) != 0 || copy_table(copy, main, "values", visit) != 0)
		return -1;
	int code = mdb_env_sync(copy->env, 1);

	return code == 0 ? 0 : cannot_write(copy, code);
}

int pages_copy(struct pages *from, const struct page_meta *meta, const char *dir, uint64_t map_size,
	       struct kv_error *err)
{
	char file[4200];
	struct copy copy = { .from = from, .file = file, .err = err };
	struct fault_watch watch = { .pages = from };
	int code = mdb_env_create(&copy.env);

	snprintf(file, sizeof(file), "%s/data.mdb", dir);
	if (code != 0)
		return cannot_write(&copy, code);
	page_survey_init(&copy.survey, &from->map, meta->last_page, false);
	mdb_env_set_maxdbs(copy.env, 4);
	code = mdb_env_set_mapsize(copy.env, map_size);
	if (code == 0)
		code = mdb_env_open(copy.env, dir, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	fault_begin(&watch);
	code = code == 0 ? copy_all(&copy, &meta->tables[PAGE_TABLE_MAIN]) : cannot_write(&copy, code);
	if (fault_end(&watch))
		code = pages_lost(from, err);
	if (copy.txn != NULL)
		mdb_txn_abort(copy.txn);
	mdb_env_close(copy.env);
	return code;
}
