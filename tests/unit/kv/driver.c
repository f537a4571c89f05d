/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include "kv.h"

#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(bool right, const char *what)
{
	if (!right) {
		fprintf(stderr, "test driver: %s\n", what);
		abort();
	}
}

void t_make_dir(char out[256])
{
	const char *base = getenv("TMPDIR");

	snprintf(out, 256, "%s/kv-test-XXXXXX", base != NULL ? base : "/tmp");
	check(mkdtemp(out) != NULL, "cannot make a folder");
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat, (void)type, (void)ftw;
	return remove(path);
}

void t_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void host_log(void *context, enum kvrel_log_level level, const char *message)
{
	struct t_engine *t = context;
	size_t used = strlen(t->log);

	(void)level;
	snprintf(t->log + used, sizeof(t->log) - used, "%s\n", message);
}

static void host_failed(void *context, const char *message)
{
	struct t_engine *t = context;

	snprintf(t->failed, sizeof(t->failed), "%s", message);
}

static void host_call_held(void *context, struct kvrel_call *call, size_t bytes)
{
	struct t_engine *t = context;

	(void)call;
	t->held += bytes;
}

static void host_hold_writes(void *context, bool hold)
{
	struct t_engine *t = context;

	check(t->holds != hold, "writes are held, or let go, twice");
	t->holds = hold;
	t->holds_begun += hold ? 1 : 0;
}

struct engine_options t_options(struct t_engine *t, const char *dir)
{
	return (struct engine_options){ .dir = dir,
					.workers = 2,
					.durability = ENGINE_ALWAYS,
					.map_size = 1ull << 32,
					.segment_size = T_SEGMENT_BYTES,
					.cache_size = 1 << 16,
					.list_max = 64 << 20,
					.checkpoint_ms = 3600 * 1000,
					.leave_out_all = true,
					.host = { t, host_log, host_failed, NULL, host_call_held, host_hold_writes } };
}

static void prepare(struct t_engine *t, const char *dir)
{
	memset(t, 0, sizeof(*t));
	snprintf(t->dir, sizeof(t->dir), "%s", dir);
	t->options = t_options(t, t->dir);
}

void t_open(struct t_engine *t, const char *dir, enum engine_durability durability)
{
	struct kv_error err = { "" };

	prepare(t, dir);
	t->options.durability = durability;
	check(engine_durable_open(&t->options, &t->engine, &err) == 0, err.message);
}

void t_open_memory(struct t_engine *t)
{
	struct kv_error err = { "" };

	prepare(t, "");
	check(engine_memory_open(&t->options, &t->engine, &err) == 0, err.message);
}

const char *t_open_fails(struct t_engine *t, const char *dir)
{
	static _Thread_local struct kv_error err;

	prepare(t, dir);
	check(engine_durable_open(&t->options, &t->engine, &err) != 0, "opened although it should not");
	return err.message;
}

void t_close(struct t_engine *t)
{
	t->engine->type->close(t->engine);
	t->engine = NULL;
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

struct t_waiting {
	struct kvrel_call call;
	const struct t_request *request;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
	char *text;
	size_t size;
};

/* As a text: a NUL is shown as \0. */
static void show_bytes(FILE *out, struct kvrel_slice bytes)
{
	const char *nul;

	while (bytes.size > 0 && (nul = memchr(bytes.data, '\0', bytes.size)) != NULL) {
		size_t before = (size_t)(nul - bytes.data);

		fwrite(bytes.data, 1, before, out);
		fputs("\\0", out);
		bytes = (struct kvrel_slice){ nul + 1, bytes.size - before - 1 };
	}
	if (bytes.size > 0)
		fwrite(bytes.data, 1, bytes.size, out);
}

static void show(FILE *out, const struct kvrel_result *result, bool quoted)
{
	switch (result->kind) {
	case KVREL_NIL:
		fputs("nil", out);
		break;
	case KVREL_INT:
		fprintf(out, "%lld", (long long)result->integer);
		break;
	case KVREL_BYTES:
		fprintf(out, quoted ? "'" : "%s", "");
		show_bytes(out, result->bytes);
		fprintf(out, quoted ? "'" : "%s", "");
		break;
	case KVREL_LIST:
		fputc('[', out);
		for (size_t i = 0; i < result->count; i++) {
			fputs(i > 0 ? ", " : "", out);
			show(out, &result->items[i], false);
		}
		fputc(']', out);
		break;
	case KVREL_PAIRS:
		fputc('{', out);
		for (size_t i = 0; i + 1 < result->count; i += 2) {
			fputs(i > 0 ? ", " : "", out);
			show(out, &result->items[i], false);
			fputs(": ", out);
			show(out, &result->items[i + 1], false);
		}
		fputc('}', out);
		break;
	}
}

static void complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	static const char *const statuses[] = { "OK", "NOT_FOUND", "WRONG_ARGS", "ERROR" };
	struct t_waiting *waiting = (struct t_waiting *)call;
	FILE *out;

	pthread_mutex_lock(&waiting->lock);
	check(!waiting->is_done, "a call was completed twice");
	if (result->status == KVREL_OK && waiting->request->done != NULL)
		waiting->request->done(waiting->request->context);
	out = open_memstream(&waiting->text, &waiting->size);
	fprintf(out, "%s%s", statuses[result->status], result->status == KVREL_NOT_FOUND ? "" : " ");
	if (result->status != KVREL_NOT_FOUND)
		show(out, result, result->status == KVREL_OK);
	fclose(out);
	waiting->is_done = true;
	pthread_cond_signal(&waiting->done);
	pthread_mutex_unlock(&waiting->lock);
}

static const struct kvrel_op *op_named(const char *name)
{
	for (size_t i = 0; i < kv_op_count; i++)
		if (strcmp(kv_ops[i].name, name) == 0)
			return &kv_ops[i];
	check(false, name);
	return NULL;
}

/* A router that keeps all buckets here. */
static struct router *all_local(void)
{
	static struct router *router;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct kv_error err;

	pthread_mutex_lock(&lock);
	if (router == NULL)
		check(router_new(NULL, NULL, NULL, &router, &err) == 0, "no router");
	pthread_mutex_unlock(&lock);
	return router;
}

/* The text of a thread's last call goes with the thread. */
static pthread_key_t last_text;
static pthread_once_t last_text_once = PTHREAD_ONCE_INIT;

static void make_last_text(void)
{
	check(pthread_key_create(&last_text, free) == 0, "no thread key");
}

static void waiting_init(struct t_waiting *waiting, uint32_t worker, const struct t_request *request)
{
	*waiting = (struct t_waiting){ .call = { .args = request->args,
						 .arg_count = request->arg_count,
						 .worker = worker,
						 .complete = complete },
				       .request = request,
				       .lock = PTHREAD_MUTEX_INITIALIZER,
				       .done = PTHREAD_COND_INITIALIZER };
}

static void await(struct t_waiting *waiting)
{
	pthread_mutex_lock(&waiting->lock);
	while (!waiting->is_done)
		pthread_cond_wait(&waiting->done, &waiting->lock);
	pthread_mutex_unlock(&waiting->lock);
}

/* Keeps the text for the thread and frees its last one. */
static const char *keep_text(char *text)
{
	pthread_once(&last_text_once, make_last_text);
	free(pthread_getspecific(last_text));
	pthread_setspecific(last_text, text);
	return text;
}

/* As a node does: prefetch all, run all, and twice a word on the end. */
static void run_batch(struct t_engine *t, uint32_t worker, const struct t_request *requests, uint32_t count,
		      struct t_waiting *waiting)
{
	const struct engine_type *type = t->engine->type;
	struct kv kv = { .engine = t->engine };

	atomic_init(&kv.router, all_local());
	for (uint32_t i = 0; i < count; i++) {
		const struct kvrel_op *op = op_named(requests[i].op);

		waiting_init(&waiting[i], worker, &requests[i]);
		waiting[i].call.op = op;
		check(requests[i].arg_count >= op->min_args && requests[i].arg_count <= op->max_args,
		      "wrong number of arguments");
		if (op->prefetch != NULL)
			op->prefetch(&kv, &waiting[i].call);
	}
	for (uint32_t i = 0; i < count; i++)
		op_named(requests[i].op)->run(&kv, &waiting[i].call);
	if (type->batch_ran != NULL && worker != KVREL_NO_WORKER)
		type->batch_ran(t->engine, worker);
	type->batch_end(t->engine, worker);
	for (uint32_t i = 0; i < count; i++)
		await(&waiting[i]);
}

const char *t_batch(struct t_engine *t, uint32_t worker, const struct t_request *requests, uint32_t count)
{
	struct t_waiting *waiting = calloc(count, sizeof(*waiting));
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	run_batch(t, worker, requests, count, waiting);
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, i > 0 ? "; %s" : "%s", waiting[i].text);
		free(waiting[i].text);
	}
	fclose(out);
	free(waiting);
	return keep_text(text);
}

const char *t_call_slices(struct t_engine *t, uint32_t worker, const char *op_name, const struct kvrel_slice *args,
			  uint32_t count)
{
	const struct t_request request = { .op = op_name, .args = args, .arg_count = count };
	struct t_waiting waiting;

	run_batch(t, worker, &request, 1, &waiting);
	return keep_text(waiting.text);
}

const char *t_call(struct t_engine *t, const char *op, ...)
{
	struct kvrel_slice slices[64];
	uint32_t count = 0;
	const char *arg;
	va_list args;

	va_start(args, op);
	while ((arg = va_arg(args, const char *)) != NULL && count < 64)
		slices[count++] = (struct kvrel_slice){ arg, strlen(arg) };
	va_end(args);
	return t_call_slices(t, 0, op, slices, count);
}
