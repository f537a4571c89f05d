/* SPDX-License-Identifier: MIT */
/*
 * The loop of the links: a thread of its own, or a seat on a thread of the host's. A node gives it its first worker, so
 * that a request for another node goes to the link, and its reply to the client, without a change of thread.
 *
 * Each turn: sockets are read and what they brought is run; then dist_turn(), at the end of the wake-up, tells the
 * providers so and sends what every link has to say, in one piece each. The tick looks at deadlines and at links that
 * are silent, often while something waits and once a second otherwise.
 *
 * The end: everything is closed, and once libuv has let go of the last handle nothing of the links is left on the loop.
 */
#include "node/dist/internal.h"

#include "base/scope.h"

#include <signal.h>

_Thread_local struct dist *current_dist __attribute__((tls_model("initial-exec")));

/* Another thread that ends its wake-ups with dist_turn(): it wakes the links then, once for all it has asked for. */
static _Thread_local bool turns;
static _Thread_local struct dist *owed;

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
	int64_t most = link->state == LINK_RESOLVING    ? CONNECT_MS
		       : link->state == LINK_CONNECTING ? link_connect_limit(link)
							: GREETING_MS;
	if (now - link->since_ms < most)
		return true;
	if (link->state == LINK_CONNECTING) {
		link_connect_failed(link, "it does not answer");
		return false;
	}
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
		if (link->state == LINK_UP && now - link->heard_ms >= REST_MS)
			link_rest(link);
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
			if (peer->link != NULL && waits)
				peer_check_patience(peer, now);
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
	dist_wake(dist); /* timers run just before the loop waits: what they have left to send must not */
}

/* ---- one turn ---- */

static void take_work(struct dist *dist)
{
	if (atomic_load_explicit(&dist->work, memory_order_relaxed) == NULL)
		return;
	struct lane *lane = atomic_exchange_explicit(&dist->work, NULL, memory_order_acquire);
	int64_t now = dist_now_ms();
	while (lane != NULL) {
		struct lane *next = lane->next_work; /* read first: it may be queued again at once */
		peer_work(lane, now);
		lane = next;
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

/* Those whose requests wait look whether they still have to. */
static void resume_links(struct dist *dist)
{
	if (!atomic_exchange(&dist->resumes, false))
		return;
	for (struct link *link = dist->links; link != NULL; link = link->next) {
		if (link->backlog.size > 0)
			link_touch(link);
	}
}

void dist_resume(struct dist *dist)
{
	atomic_store(&dist->resumes, true);
	dist_wake(dist);
}

static void turn(struct dist *dist)
{
	resume_links(dist);
	do {
		take_work(dist);
		serve_end_batch(dist);
		serve_collect(dist);
		flush_links(dist);
	} while (dist->found_count > 0 || dist->dirty != NULL ||
		 atomic_load_explicit(&dist->work, memory_order_relaxed) != NULL);
}

static void continue_stop(struct dist *dist);

void dist_turn(struct dist *dist)
{
	if (current_dist == dist) {
		turn(dist);
		if (atomic_load(&dist->stop_asked))
			continue_stop(dist);
		return;
	}
	turns = true;
	if (owed != NULL)
		dist_wake(owed);
	owed = NULL;
}

static void on_check(uv_check_t *check)
{
	dist_turn(check->data);
}

static void on_wake(uv_async_t *wake)
{
	(void)wake; /* the end of the turn does it all */
}

void dist_wake(struct dist *dist)
{
	uv_async_send(&dist->wake);
}

void dist_wake_at_end(struct dist *dist)
{
	if (current_dist == dist)
		return;
	if (turns)
		owed = dist;
	else
		dist_wake(dist);
}

/* ---- the end ---- */

void dist_hold(struct dist *dist)
{
	dist->held++;
}

void dist_release(struct dist *dist)
{
	if (--dist->held > 0)
		return;
	pthread_mutex_lock(&dist->lock);
	dist->ended = true;
	pthread_mutex_unlock(&dist->lock);
	current_dist = NULL;
	uv_sem_post(&dist->gone);
}

static void on_closed(uv_handle_t *handle)
{
	dist_release(handle->data);
}

static void close_handles(struct dist *dist)
{
	uv_handle_t *const handles[] = {
		(uv_handle_t *)&dist->wake,
		(uv_handle_t *)&dist->check,
		(uv_handle_t *)&dist->tick,
		(uv_handle_t *)&dist->listener,
	};
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		if (handles[i]->type != UV_UNKNOWN_HANDLE)
			uv_close(handles[i], on_closed);
	}
	dist_release(dist);
}

static void close_everything(struct dist *dist)
{
	pthread_mutex_lock(&dist->lock);
	dist->closed = true;
	pthread_mutex_unlock(&dist->lock);
	dist_for_peers(dist, peer_close);
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
	close_handles(dist);
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
	if (dist->closed)
		return;
	if (!dist->stopping)
		begin_stop(dist);
	bool late = dist_now_ms() >= atomic_load(&dist->stop_by_ms);
	if (late || (dist->running_calls == 0 && !has_unsent(dist)))
		close_everything(dist);
}

/* ---- the beginning ---- */

static int open_handles(struct dist *dist)
{
	int rc = uv_async_init(dist->loop, &dist->wake, on_wake);
	dist_hold(dist); /* given back by close_handles() */
	dist->check.data = dist->tick.data = dist->listener.data = dist->wake.data = dist;
	if (rc != 0)
		return rc;
	dist_hold(dist);
	rc = uv_timer_init(dist->loop, &dist->tick);
	if (rc != 0)
		return rc;
	dist_hold(dist);
	rc = uv_poll_init(dist->loop, &dist->listener, dist->listen_fd);
	if (rc != 0)
		return rc;
	dist_hold(dist);
	dist->listener.data = dist;
	return dist_watch_listener(dist);
}

static int open_check(struct dist *dist)
{
	int rc = uv_check_init(dist->loop, &dist->check);
	if (rc != 0)
		return rc;
	dist_hold(dist);
	return uv_check_start(&dist->check, on_check);
}

static void *thread_main(void *context)
{
	struct dist *dist = context;
	current_dist = dist;
	uv_run(dist->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int start_thread(struct dist *dist)
{
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int rc = pthread_create(&dist->thread, NULL, thread_main, dist);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		pthread_setname_np(dist->thread, "dist");
	return -rc;
}

static int begin_thread(struct dist *dist)
{
	int rc = uv_loop_init(&dist->own_loop);
	if (rc != 0)
		return rc;
	dist->loop = &dist->own_loop;
	rc = open_handles(dist);
	if (rc == 0)
		rc = open_check(dist);
	if (rc == 0)
		rc = start_thread(dist);
	if (rc == 0)
		return 0;
	close_handles(dist);
	uv_run(dist->loop, UV_RUN_DEFAULT);
	uv_loop_close(dist->loop);
	return rc;
}

struct seating {
	struct dist *dist;
	int rc;
};

static void sit_down(void *context)
{
	struct seating *seating = context;
	current_dist = seating->dist;
	seating->rc = open_handles(seating->dist);
	if (seating->rc != 0)
		close_handles(seating->dist);
}

static int begin_on_seat(struct dist *dist)
{
	struct seating seating = { dist, 0 };
	dist->loop = dist->seat.loop;
	dist->seat.call(dist->seat.context, sit_down, &seating);
	if (seating.rc != 0)
		uv_sem_wait(&dist->gone);
	return seating.rc;
}

int dist_begin_loop(struct dist *dist, struct error *err)
{
	int rc = dist->seat.loop != NULL ? begin_on_seat(dist) : begin_thread(dist);
	if (rc != 0)
		return error_system(err, -rc, "cannot watch the links");
	dist->running = true;
	return 0;
}

void dist_end_loop(struct dist *dist, int64_t timeout_ms)
{
	atomic_store(&dist->stop_by_ms, dist_now_ms() + timeout_ms);
	atomic_store(&dist->stop_asked, true);
	dist_wake(dist);
	uv_sem_wait(&dist->gone);
	dist->running = false;
	if (dist->loop != &dist->own_loop)
		return;
	pthread_join(dist->thread, NULL);
	uv_loop_close(&dist->own_loop);
}
