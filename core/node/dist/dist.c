/* SPDX-License-Identifier: MIT */
/*
 * The links' thread. Each turn of its loop: sockets are read and what they brought is run; then the check phase tells
 * the providers that the wake-up ends and sends what every link has to say, in one piece each. The tick looks at
 * deadlines and at links that are silent, often while something waits and once a second otherwise.
 */
#include "node/dist/internal.h"

#include "base/scope.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

_Thread_local struct dist *current_dist;

int64_t dist_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the tick ---- */

static void on_tick(uv_timer_t *timer);

static void set_tick(struct dist *dist, uint64_t every_ms)
{
	if (dist->tick_every_ms == every_ms)
		return;
	dist->tick_every_ms = every_ms;
	if (every_ms == 0)
		uv_timer_stop(&dist->tick);
	else
		uv_timer_start(&dist->tick, on_tick, every_ms, every_ms);
}

void dist_hurry(struct dist *dist)
{
	set_tick(dist, TICK_MS);
}

static bool check_greeting(struct link *link, int64_t now)
{
	int64_t most = link->state == LINK_RESOLVING || link->state == LINK_CONNECTING ? CONNECT_MS : GREETING_MS;
	if (now - link->since_ms < most)
		return true;
	if (!link->ours && link->state >= LINK_SECURING)
		refusal_log(link->dist, link, "it proved nothing within five seconds");
	link_close(link, link->state >= LINK_SECURING ? "it does not answer the handshake" : "it does not answer");
	return false;
}

static void check_heartbeat(struct link *link, int64_t now)
{
	int64_t beat = link->dist->heartbeat_ms;
	if (now - link->heard_ms >= beat) {
		link_close(link, "it has been silent for too long");
	} else if (now - link->heard_ms >= beat / 3 && now - link->pinged_ms >= beat / 3) {
		link->pinged_ms = now;
		frame_put(&link->out, FRAME_PING, (struct slice){ 0 });
		link_touch(link);
	}
}

/* True when something has to be looked at again soon. */
static bool check_links(struct dist *dist, int64_t now)
{
	bool soon = false;
	for (struct link *link = dist->links, *next; link != NULL; link = next) {
		next = link->next;
		if (link->state == LINK_UP)
			check_heartbeat(link, now);
		else if (link->state < LINK_UP)
			soon |= check_greeting(link, now);
	}
	return soon;
}

static bool check_peers(struct dist *dist, int64_t now)
{
	bool soon = false;
	for (size_t i = 0; i < PEER_BUCKETS; i++) {
		struct peer *peer = atomic_load_explicit(&dist->peers[i], memory_order_acquire);
		for (; peer != NULL; peer = peer->next) {
			int64_t next = INT64_MAX;
			bool waits = peer_expire(peer, now, &next);
			soon |= next - now <= IDLE_TICK_MS + TICK_MS;
			if (peer->link != NULL || dist->stopping || now < peer->retry_at_ms)
				soon |= peer->link == NULL && (peer->wanted || waits);
			else if (waits || peer->wanted)
				link_open(peer);
		}
	}
	return soon;
}

static void on_tick(uv_timer_t *timer)
{
	struct dist *dist = timer->data;
	int64_t now = dist_now_ms();
	bool soon = check_links(dist, now);
	soon |= check_peers(dist, now);
	if (dist->accept_again_ms != 0 && now >= dist->accept_again_ms)
		dist_watch_listener(dist);
	soon |= dist->accept_again_ms != 0 || dist->stopping;
	set_tick(dist, soon ? TICK_MS : dist->links != NULL ? IDLE_TICK_MS : 0);
}

/* ---- one turn of the loop ---- */

static void take_work(struct dist *dist)
{
	pthread_mutex_lock(&dist->lock);
	struct peer *peer = dist->work;
	dist->work = NULL;
	pthread_mutex_unlock(&dist->lock);
	int64_t now = peer != NULL ? dist_now_ms() : 0;
	while (peer != NULL) {
		struct peer *next = peer->next_work; /* read first: it may be queued again at once */
		peer_work(peer, now);
		peer = next;
	}
}

static void flush_links(struct dist *dist)
{
	while (dist->dirty != NULL) {
		struct link *link = dist->dirty;
		dist->dirty = link->next_dirty;
		link->dirty = false;
		if (link->state == LINK_CLOSED)
			link_unref(link);
		else
			link_flush(link);
	}
}

static void begin_stop(struct dist *dist)
{
	dist->stopping = true;
	dist_close_listener(dist);
	for (struct link *link = dist->links, *next; link != NULL; link = next) {
		next = link->next;
		if (link->state < LINK_UP)
			link_close(link, "this node is stopping");
	}
	dist_hurry(dist);
}

static bool has_unsent(const struct dist *dist)
{
	for (const struct link *link = dist->links; link != NULL; link = link->next) {
		if (link->state == LINK_UP && (link_unsent(link) > 0 || link->backlog.size > 0))
			return true;
	}
	return false;
}

static void continue_stop(struct dist *dist)
{
	if (!dist->stopping)
		begin_stop(dist);
	bool late = dist_now_ms() >= atomic_load(&dist->stop_by_ms);
	if (late || (dist->running_calls == 0 && !has_unsent(dist)))
		uv_stop(&dist->loop);
}

static void on_check(uv_check_t *check)
{
	struct dist *dist = check->data;
	take_work(dist);
	do {
		serve_end_batch(dist);
		serve_collect(dist);
		flush_links(dist);
	} while (dist->provider_count > 0 || dist->dirty != NULL);
	if (atomic_load(&dist->stop_asked))
		continue_stop(dist);
}

static void on_wake(uv_async_t *wake)
{
	(void)wake; /* the check phase does it all */
}

void dist_wake(struct dist *dist)
{
	uv_async_send(&dist->wake);
}

/* ---- the thread ---- */

static void for_peers(struct dist *dist, void (*function)(struct peer *peer))
{
	for (size_t i = 0; i < PEER_BUCKETS; i++) {
		struct peer *peer = atomic_load_explicit(&dist->peers[i], memory_order_acquire);
		while (peer != NULL) {
			struct peer *next = peer->next;
			function(peer);
			peer = next;
		}
	}
}

static void close_handle(uv_handle_t *handle, void *context)
{
	struct dist *dist = context;
	bool own = handle == (uv_handle_t *)&dist->wake || handle == (uv_handle_t *)&dist->check ||
		   handle == (uv_handle_t *)&dist->tick || handle == (uv_handle_t *)&dist->listener;
	if (own && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_everything(struct dist *dist)
{
	pthread_mutex_lock(&dist->lock);
	dist->closed = true;
	pthread_mutex_unlock(&dist->lock);
	for_peers(dist, peer_close);
	for (struct link *link = dist->links, *next; link != NULL; link = next) {
		next = link->next;
		/* whoever asked for the stop over it waits for the end of the process */
		if (link->state == LINK_RELAY) {
			relay_drain(link);
			if (link->state == LINK_RELAY)
				link->fd = -1;
		}
		link_close(link, "this node is stopping");
	}
	serve_collect(dist);
	uv_walk(&dist->loop, close_handle, dist);
	uv_run(&dist->loop, UV_RUN_DEFAULT);
	pthread_mutex_lock(&dist->lock);
	dist->ended = true;
	pthread_mutex_unlock(&dist->lock);
}

static void *thread_main(void *context)
{
	struct dist *dist = context;
	current_dist = dist;
	uv_run(&dist->loop, UV_RUN_DEFAULT);
	close_everything(dist);
	current_dist = NULL;
	return NULL;
}

static int start_thread(struct dist *dist, struct error *err)
{
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int rc = pthread_create(&dist->thread, NULL, thread_main, dist);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return error_system(err, rc, "cannot start the thread of the links");
	pthread_setname_np(dist->thread, "dist");
	dist->running = true;
	return 0;
}

/* ---- making one ---- */

static int open_loop(struct dist *dist, struct error *err)
{
	int rc = uv_loop_init(&dist->loop);
	if (rc != 0)
		return error_system(err, -rc, "cannot make the loop of the links");
	rc = uv_async_init(&dist->loop, &dist->wake, on_wake);
	if (rc == 0)
		rc = uv_check_init(&dist->loop, &dist->check);
	if (rc == 0)
		rc = uv_timer_init(&dist->loop, &dist->tick);
	if (rc == 0)
		rc = uv_poll_init(&dist->loop, &dist->listener, dist->listen_fd);
	if (rc != 0)
		return error_system(err, -rc, "cannot watch the links");
	dist->check.data = dist->tick.data = dist->listener.data = dist->wake.data = dist;
	uv_check_start(&dist->check, on_check);
	rc = dist_watch_listener(dist);
	return rc == 0 ? 0 : error_system(err, -rc, "cannot watch the links");
}

static struct dist *allocate(const struct dist_options *options)
{
	struct dist *dist = calloc(1, sizeof(*dist));
	if (dist == NULL)
		return NULL;
	dist->listen_fd = -1;
	dist->host = options->host;
	dist->worker = options->worker;
	dist->heartbeat_ms = options->heartbeat_ms;
	dist->done_tail = &dist->done;
	pthread_mutex_init(&dist->lock, NULL);
	dist->name = strdup(options->name);
	dist->dir = options->dir != NULL ? strdup(options->dir) : NULL;
	dist->scratch = malloc(READ_BYTES);
	dist->plain = malloc(READ_BYTES);
	bool whole = dist->name != NULL && (dist->dir != NULL || options->dir == NULL) && dist->scratch != NULL &&
		     dist->plain != NULL;
	if (!whole || getrandom(&dist->instance, sizeof(dist->instance), 0) != sizeof(dist->instance)) {
		dist_free(dist);
		return NULL;
	}
	return dist;
}

int dist_new(const struct dist_options *options, struct dist **out, struct error *err)
{
	struct dist *dist = allocate(options);
	if (dist == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for links to other nodes");
	int rc = 0;
	if (strlen(options->name) > FRAME_NAME_MAX)
		rc = error_set(err, ERROR_LIMIT, "the name of the node is longer than %d bytes", FRAME_NAME_MAX);
	if (rc == 0 && dist->dir == NULL)
		rc = tls_open(options->tls_library, options->cookie, &dist->tls_api, &dist->tls, err);
	if (rc == 0)
		rc = dist_listen(dist, options, err);
	if (rc == 0)
		rc = open_loop(dist, err);
	if (rc == 0)
		rc = start_thread(dist, err);
	if (rc != 0) {
		dist_free(dist);
		return rc;
	}
	*out = dist;
	return 0;
}

uint16_t dist_listening_port(const struct dist *dist)
{
	return dist->port;
}

void dist_stop(struct dist *dist, int64_t timeout_ms)
{
	if (dist == NULL || !dist->running)
		return;
	atomic_store(&dist->stop_by_ms, dist_now_ms() + timeout_ms);
	atomic_store(&dist->stop_asked, true);
	dist_wake(dist);
	pthread_join(dist->thread, NULL);
	dist->running = false;
	uv_loop_close(&dist->loop);
}

void dist_free(struct dist *dist)
{
	if (dist == NULL)
		return;
	if (dist->listen_fd >= 0)
		close(dist->listen_fd);
	for_peers(dist, peer_free);
	while (dist->links != NULL) { /* held by calls that were never answered */
		struct link *next = dist->links->next;
		free(dist->links);
		dist->links = next;
	}
	serve_done(dist);
	frame_items_done(&dist->items);
	if (dist->tls_api != NULL)
		dist->tls_api->context_free(dist->tls);
	pthread_mutex_destroy(&dist->lock);
	free(dist->scratch);
	free(dist->plain);
	free(dist->dir);
	free(dist->name);
	free(dist); /* the library stays open: OpenSSL does not like to be unloaded */
}
