/* SPDX-License-Identifier: MIT */
/*
 * A worker: one thread, one loop, and the wake-up that all the speed comes from.
 *
 * libuv reports the sockets that are ready one by one. Each is read and parsed; the calls collect in the batch, which
 * is run when it is worth it (BATCH_RUN_CALLS). Replies go out for some connections together (SEND_CONNS): so early
 * that clients work on them while this thread goes on, so late that a client which reads many of them is woken once.
 * The check phase, after the last socket, runs what is left and tells each provider once that the wake-up ends: that is
 * where a store commits, one sync for all the writes of all the connections.
 */
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

_Thread_local struct worker *current_worker;

/* ---- lists of connections ---- */

void worker_add_dirty(struct kvrel_conn *conn)
{
	struct conn_list *list = &conn->worker->dirty;
	conn->in_dirty = true;
	conn->next_dirty = NULL;
	if (list->last)
		list->last->next_dirty = conn;
	else
		list->first = conn;
	list->last = conn;
}

void worker_ready(struct kvrel_conn *conn)
{
	struct conn_list *list = &conn->worker->ready;
	if (conn->in_ready)
		return;
	conn->in_ready = true;
	conn->next_ready = NULL;
	if (list->last)
		list->last->next_ready = conn;
	else
		list->first = conn;
	list->last = conn;
}

void worker_settle(struct kvrel_conn *conn)
{
	struct conn_list *list = &conn->worker->settle;
	if (conn->in_settle)
		return;
	conn->in_settle = true;
	conn->next_settle = list->first;
	list->first = conn;
}

static struct kvrel_conn *pop_dirty(struct worker *worker)
{
	struct kvrel_conn *conn = worker->dirty.first;
	if (!conn)
		return NULL;
	worker->dirty.first = conn->next_dirty;
	if (!conn->next_dirty)
		worker->dirty.last = NULL;
	conn->in_dirty = false;
	return conn;
}

static struct kvrel_conn *pop_ready(struct worker *worker)
{
	struct kvrel_conn *conn = worker->ready.first;
	if (!conn)
		return NULL;
	worker->ready.first = conn->next_ready;
	if (!conn->next_ready)
		worker->ready.last = NULL;
	conn->in_ready = false;
	return conn;
}

static struct kvrel_conn *pop_settle(struct worker *worker)
{
	struct kvrel_conn *conn = worker->settle.first;
	if (!conn)
		return NULL;
	worker->settle.first = conn->next_settle;
	conn->in_settle = false;
	return conn;
}

/* ---- one wake-up ---- */

/* What is left of long inputs waits for the next wake-up, and is not added to until then. */
static void leave_ready(struct worker *worker)
{
	for (struct kvrel_conn *conn = worker->ready.first; conn; conn = conn->next_ready)
		worker_touch(conn);
}

static void run_and_parse(struct worker *worker)
{
	unsigned batches = 0;
	do {
		batch_run(worker);
		if (++batches > BATCHES_AT_ONCE) {
			leave_ready(worker);
			return;
		}
		struct kvrel_conn *conn = NULL;
		while (worker->batch.count < BATCH_CALLS_MAX && (conn = pop_ready(worker)) != NULL) {
			if (conn->dead)
				conn_free_if_unused(conn);
			else
				conn_parse(conn);
		}
	} while (worker->batch.count > 0);
}

void worker_run(struct worker *worker)
{
	run_and_parse(worker);
	struct kvrel_conn *conn = NULL;
	while ((conn = pop_settle(worker)) != NULL)
		conn_tidy_input(conn);
	worker->batch.arena_used = 0;
}

/*
 * A client that reads as fast as it is sent to has room again as soon as something was sent: it goes on in the next
 * wake-up, when the loop has looked at the sockets of others.
 */
void worker_turn(struct worker *worker)
{
	struct kvrel_conn *conn = NULL;
	worker_run(worker);
	batch_ran_providers(worker);
	worker->batch.conns = 0;
	while ((conn = pop_dirty(worker)) != NULL)
		conn_advance(conn);
	if (worker->ready.first)
		uv_async_send(&worker->wake);
}

void worker_finish(struct worker *worker, void *unused)
{
	(void)unused;
	do {
		worker_turn(worker);
		batch_end_providers(worker);
		if (worker->guest_turn)
			worker->guest_turn(worker->guest_context);
	} while (worker->dirty.first);
	replies_give(worker);
}

static void on_check(uv_check_t *check)
{
	worker_finish(check->data, NULL);
}

/* ---- tasks ---- */

static void run_tasks(struct worker *worker)
{
	struct task *stack = atomic_exchange_explicit(&worker->tasks, NULL, memory_order_acquire);
	struct task *oldest = NULL;
	while (stack) {
		struct task *next = stack->next;
		stack->next = oldest;
		oldest = stack;
		stack = next;
	}
	while (oldest) {
		struct task *task = oldest;
		oldest = task->next; /* read first: running it may free it */
		task->run(worker, task);
	}
}

void worker_post(struct worker *worker, struct task *task)
{
	struct task *head = atomic_load_explicit(&worker->tasks, memory_order_relaxed);
	do
		task->next = head;
	while (!atomic_compare_exchange_weak_explicit(&worker->tasks, &head, task, memory_order_release,
						      memory_order_relaxed));
	if (!head)
		uv_async_send(&worker->wake);
}

struct awaited {
	struct task task;
	void (*run)(struct worker *worker, void *context);
	void *context;
	uv_sem_t done;
};

static void run_awaited(struct worker *worker, struct task *task)
{
	struct awaited *awaited = (struct awaited *)task;
	awaited->run(worker, awaited->context);
	uv_sem_post(&awaited->done);
}

void worker_call(struct worker *worker, void (*run)(struct worker *worker, void *context), void *context)
{
	struct awaited awaited = { .task = { .run = run_awaited }, .run = run, .context = context };
	if (uv_sem_init(&awaited.done, 0) != 0)
		abort(); /* only a wrong argument makes it fail */
	worker_post(worker, &awaited.task);
	uv_sem_wait(&awaited.done);
	uv_sem_destroy(&awaited.done);
}

static void on_wake(uv_async_t *wake)
{
	run_tasks(wake->data);
	replies_collect(wake->data);
}

/* ---- thread ---- */

static void *thread_main(void *arg)
{
	struct worker *worker = arg;
	current_worker = worker;
	if (worker->net->thread_begin)
		worker->net->thread_begin();
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	current_worker = NULL;
	return NULL;
}

/* A thread's own mistakes must reach it: blocked, they would end the process without a word. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int code = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return code;
	char name[16];
	snprintf(name, sizeof(name), "net-%u", worker->index);
	pthread_setname_np(worker->thread, name);
	worker->running = true;
	return 0;
}

static int open_handles(struct worker *worker)
{
	int status = uv_async_init(&worker->loop, &worker->wake, on_wake);
	if (status != 0)
		return status;
	uv_check_init(&worker->loop, &worker->check);
	uv_check_start(&worker->check, on_check);
	uv_timer_init(&worker->loop, &worker->linger);
	uv_timer_init(&worker->loop, &worker->sweep);
	worker->wake.data = worker->check.data = worker->linger.data = worker->sweep.data = worker;
	return 0;
}

static void close_handles(struct worker *worker)
{
	uv_close((uv_handle_t *)&worker->wake, NULL);
	uv_close((uv_handle_t *)&worker->check, NULL);
	uv_close((uv_handle_t *)&worker->linger, NULL);
	uv_close((uv_handle_t *)&worker->sweep, NULL);
}

int worker_start(struct worker *worker, struct net *net, uint32_t index, struct error *err)
{
	worker->net = net;
	worker->index = index;
	worker->resume.run = postponed_resume;
	if (batch_init(&worker->batch, err) != 0) {
		batch_done(&worker->batch);
		return error_wrap(err, "cannot start worker %u", index);
	}
	int status = uv_loop_init(&worker->loop);
	if (status == 0) {
		status = open_handles(worker);
		if (status == 0)
			status = -start_thread(worker);
		if (status == 0)
			return 0;
		if (worker->wake.data)
			close_handles(worker);
		uv_run(&worker->loop, UV_RUN_DEFAULT);
		uv_loop_close(&worker->loop);
	}
	batch_done(&worker->batch);
	return error_set(err, ERROR_SYSTEM, "cannot start worker %u: %s", index, uv_strerror(status));
}

static void close_all(struct worker *worker, void *unused)
{
	(void)unused;
	worker_finish(worker, NULL);
	listeners_close(worker, NULL);
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next)
		conn_close(conn);
	close_handles(worker);
}

/* The calls of what is left will never come back: their providers have stopped. */
static void free_leftovers(struct worker *worker)
{
	while (worker->conns) {
		struct kvrel_conn *conn = worker->conns;
		while (conn->first) {
			struct slot *slot = conn->first;
			conn->first = slot->next;
			if (slot->block)
				free(slot->block);
			free(slot);
		}
		conn->slot_count = 0;
		conn->asides_running = 0;
		conn->in_dirty = conn->in_ready = conn->in_settle = false;
		conn->cuts = false;
		conn_free_if_unused(conn);
	}
}

void worker_stop(struct worker *worker)
{
	if (!worker->running)
		return;
	worker_call(worker, close_all, NULL);
	pthread_join(worker->thread, NULL);
	worker->running = false;
	uv_loop_close(&worker->loop);
	replies_collect(worker);
	free_leftovers(worker);
	batch_done(&worker->batch);
	slot_pool_done(worker);
	out_pool_done(worker);
}
