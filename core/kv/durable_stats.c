/* SPDX-License-Identifier: MIT */
/* kv.stats(): what an operator looks at. */
#include "durable.h"

#include "number.h"

#include <string.h>
#include <sys/stat.h>

enum { FIGURES_MAX = 32 };

struct figures {
	struct kvrel_result items[FIGURES_MAX * 2];
	char numbers[FIGURES_MAX][NUMBER_TEXT_MAX];
	size_t count;
};

static void add_text(struct figures *figures, const char *name, struct kvrel_slice text)
{
	struct kvrel_result *pair = &figures->items[figures->count++ * 2];

	pair[0] = (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { name, strlen(name) } };
	pair[1] = (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = text };
}

static void add_number(struct figures *figures, const char *name, uint64_t number)
{
	char *text = figures->numbers[figures->count];

	add_text(figures, name, (struct kvrel_slice){ text, number_print((int64_t)number, text) });
}

static void add_log(struct figures *figures, struct durable *store)
{
	struct memtable *newest;
	uint64_t unapplied, unsynced;

	pthread_mutex_lock(&store->write_lock);
	newest = atomic_load(&store->newest);
	unapplied = memtable_end(newest) - store->pages.state.applied;
	unsynced = memtable_end(newest) - atomic_load(&store->log.durable);
	pthread_mutex_unlock(&store->write_lock);
	add_number(figures, "log_bytes_unapplied", unapplied);
	add_number(figures, "log_bytes_unsynced", unsynced);
	add_number(figures, "log_segments", newest->id - atomic_load(&store->retired));
	add_number(figures, "log_bytes_written", atomic_load(&store->log.bytes));
	add_number(figures, "log_syncs", atomic_load(&store->log.syncs));
	add_number(figures, "log_failed", log_broken(&store->log));
	add_number(figures, "writes_held", atomic_load(&store->applier.crowded));
}

/* Left out when the place where commits are noted cannot be read. */
static void add_size(struct figures *figures, struct pages *pages)
{
	struct fault_watch watch = { .pages = pages };
	MDB_envinfo info;
	MDB_stat stat;
	bool known;

	fault_begin(&watch);
	known = mdb_env_info(pages->env, &info) == 0 && mdb_env_stat(pages->env, &stat) == 0;
	if (fault_end(&watch) || !known)
		return;
	add_number(figures, "store_bytes", ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize);
	add_number(figures, "store_bytes_max", info.me_mapsize);
}

static void add_pages(struct figures *figures, struct durable *store)
{
	add_size(figures, &store->pages);
	add_number(figures, "value_bytes", atomic_load(&store->pages.values->live_bytes));
	add_number(figures, "value_bytes_files", atomic_load(&store->pages.values->file_bytes));
	add_number(figures, "store_transactions", atomic_load(&store->applier.transactions));
	add_number(figures, "store_records_applied", atomic_load(&store->applier.records));
	add_number(figures, "store_records_overtaken", atomic_load(&store->applier.overtaken));
	add_number(figures, "store_stuck", atomic_load(&store->applier.stuck));
}

void run_stats(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	static const char *const durabilities[] = { "always", "everysec", "none" };
	const char *durability = durabilities[atomic_load(&store->log.durability)];
	struct figures figures = { .count = 0 };
	struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_PAIRS, .items = figures.items };

	(void)slot;
	add_text(&figures, "engine", (struct kvrel_slice){ "durable", 7 });
	add_text(&figures, "durability", (struct kvrel_slice){ durability, strlen(durability) });
	add_number(&figures, "buckets", (uint64_t)atomic_load(&store->bucket_count));
	add_log(&figures, store);
	add_pages(&figures, store);
	result.count = figures.count * 2;
	request->call->complete(request->call, &result);
}
