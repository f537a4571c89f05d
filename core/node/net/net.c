/* SPDX-License-Identifier: MIT */
/* The public functions of the network: start, listen, stop, count; see net.h. The work is in the files beside this one.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int init_idle(struct net *net)
{
	pthread_condattr_t attributes;
	if (pthread_mutex_init(&net->idle_lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0)
		return -1;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	int code = pthread_cond_init(&net->idle, &attributes);
	pthread_condattr_destroy(&attributes);
	return code;
}

int net_new(const struct net_options *options, struct net **out, struct error *err)
{
	assert(options->workers > 0);
	struct net *net = calloc(1, sizeof(*net));
	struct worker *workers = aligned_alloc(64, options->workers * sizeof(struct worker));
	if (!net || !workers || init_idle(net) != 0) {
		free(net);
		free(workers);
		return error_set(err, ERROR_NO_MEMORY, "out of memory for the network");
	}
	memset(workers, 0, options->workers * sizeof(struct worker));
	net->workers = workers;
	net->max_connections = options->max_connections;
	net->output_max_bytes = options->output_max_bytes;
	atomic_init(&net->look_closer, options->output_max_bytes);
	net->input_max_bytes = options->input_max_bytes ? options->input_max_bytes : INPUT_ALL_BYTES;
	net->idle_timeout_ms = (uint64_t)options->idle_timeout_ms;
	net->write_timeout_ms = (uint64_t)options->write_timeout_ms;
	net->thread_begin = options->thread_begin;
	net->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned i = 0; i < options->workers; i++) {
		net->worker_count = i;
		if (worker_start(&workers[i], net, i, err) != 0) {
			net_free(net);
			return err ? -(int)err->code : -ERROR_SYSTEM;
		}
	}
	net->worker_count = options->workers;
	*out = net;
	return 0;
}

static struct owner *find_owner(const struct net *net, const char *name)
{
	struct owner *owner = net->owners;
	while (owner && strcmp(owner->name, name) != 0)
		owner = owner->next;
	return owner;
}

static struct owner *keep_owner(struct net *net, const char *name)
{
	struct owner *owner = find_owner(net, name);
	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner) + strlen(name) + 1);
	if (!owner)
		return NULL;
	memcpy(owner->name, name, strlen(name) + 1);
	owner->next = net->owners;
	net->owners = owner;
	return owner;
}

int net_listen(struct net *net, const char *name, const struct kvrel_protocol *protocol, void *protocol_state,
	       const char *address, uint16_t port, uint16_t *out_port, struct error *err)
{
	struct owner *owner = keep_owner(net, name);
	if (!owner)
		return error_set(err, ERROR_NO_MEMORY, "cannot listen on %s: out of memory", address);
	return listener_open(net, owner, protocol, protocol_state, address, port, out_port, err);
}

void net_accept(struct net *net, const char *name)
{
	struct owner *owner = find_owner(net, name);
	if (owner)
		worker_call(&net->workers[0], listeners_accept, owner);
}

void net_stop_accepting(struct net *net)
{
	worker_call(&net->workers[0], listeners_close, NULL);
}

static void on_each_worker(struct net *net, void (*run)(struct worker *worker, void *context), void *context)
{
	for (unsigned i = 0; i < net->worker_count; i++)
		worker_call(&net->workers[i], run, context);
}

/* ---- draining ---- */

struct draining {
	const struct owner *owner; /* NULL: of all */
	bool unanswered;           /* one was cut off that was owed something */
};

static void drain_worker(struct worker *worker, void *context)
{
	const struct draining *draining = context;
	worker_turn(worker);
	if (!draining->owner)
		worker->draining = true;
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (!draining->owner || conn->owner == draining->owner)
			conn_drain(conn);
	}
}

static void cut_worker(struct worker *worker, void *context)
{
	struct draining *draining = context;
	worker_turn(worker);
	for (struct kvrel_conn *conn = worker->conns; conn; conn = conn->next) {
		if (conn->dead || (draining->owner && conn->owner != draining->owner))
			continue;
		if (!conn->lingering)
			draining->unanswered = true;
		conn_close(conn);
	}
}

static struct timespec deadline_in(int64_t timeout_ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += timeout_ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

static bool wait_for_none(struct net *net, const _Atomic unsigned *connections, int64_t timeout_ms)
{
	struct timespec deadline = deadline_in(timeout_ms);
	int code = 0;
	pthread_mutex_lock(&net->idle_lock);
	while (atomic_load_explicit(connections, memory_order_acquire) > 0 && code == 0)
		code = pthread_cond_timedwait(&net->idle, &net->idle_lock, &deadline);
	bool none = atomic_load_explicit(connections, memory_order_acquire) == 0;
	pthread_mutex_unlock(&net->idle_lock);
	return none;
}

static bool drain(struct net *net, const struct owner *owner, int64_t timeout_ms)
{
	struct draining draining = { .owner = owner };
	on_each_worker(net, drain_worker, &draining);
	if (!wait_for_none(net, owner ? &owner->connections : &net->connections, timeout_ms))
		on_each_worker(net, cut_worker, &draining);
	/* The last connection may have ended within a wake-up: when this returns its providers may stop. */
	on_each_worker(net, worker_finish, NULL);
	return !draining.unanswered;
}

bool net_drain(struct net *net, int64_t timeout_ms)
{
	return drain(net, NULL, timeout_ms);
}

bool net_close_owner(struct net *net, const char *name, int64_t timeout_ms)
{
	struct owner *owner = find_owner(net, name);
	if (!owner)
		return true;
	worker_call(&net->workers[0], listeners_close, owner);
	return drain(net, owner, timeout_ms);
}

/* ---- a guest ---- */

struct guest {
	void (*turn)(void *context);
	void *context;
};

static void take_guest(struct worker *worker, void *context)
{
	const struct guest *guest = context;
	worker->guest_turn = guest->turn;
	worker->guest_context = guest->context;
}

void net_set_guest(struct net *net, void (*turn)(void *context), void *context)
{
	struct guest guest = { turn, context };
	on_each_worker(net, take_guest, &guest);
}

struct uv_loop_s *net_loop(struct net *net)
{
	return &net->workers[0].loop;
}

struct visit {
	void (*run)(void *context);
	void *context;
};

static void pay_visit(struct worker *worker, void *context)
{
	const struct visit *visit = context;
	(void)worker;
	visit->run(visit->context);
}

void net_call(struct net *net, void (*run)(void *context), void *context)
{
	struct visit visit = { run, context };
	worker_call(&net->workers[0], pay_visit, &visit);
}

void net_free(struct net *net)
{
	if (!net)
		return;
	for (unsigned i = net->worker_count; i-- > 0;)
		worker_stop(&net->workers[i]);
	if (net->reserve_fd >= 0)
		close(net->reserve_fd);
	pthread_cond_destroy(&net->idle);
	pthread_mutex_destroy(&net->idle_lock);
	for (struct owner *owner = net->owners, *next; owner; owner = next) {
		next = owner->next;
		free(owner);
	}
	free(net->workers);
	free(net);
}

void net_stats(const struct net *net, struct net_stats *out)
{
	struct net_stats sum = { .connections = atomic_load_explicit(&net->connections, memory_order_relaxed) -
						atomic_load_explicit(&net->turned_away, memory_order_relaxed) };
	for (unsigned i = 0; i < net->worker_count; i++) {
		const struct counters *counters = &net->workers[i].counters;
		sum.accepted += atomic_load_explicit(&counters->accepted, memory_order_relaxed);
		sum.refused += atomic_load_explicit(&counters->refused, memory_order_relaxed);
		sum.requests += atomic_load_explicit(&counters->requests, memory_order_relaxed);
		sum.bytes_in += atomic_load_explicit(&counters->bytes_in, memory_order_relaxed);
		sum.bytes_out += atomic_load_explicit(&counters->bytes_out, memory_order_relaxed);
	}
	*out = sum;
}

/* ---- what protocols call ---- */

static void *conn_state(struct kvrel_conn *conn)
{
	return conn->protocol_state;
}

static char *peer_text(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	char host[INET6_ADDRSTRLEN] = "?";
	char *text = NULL;
	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
		return NULL;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer;
	bool is_v6 = peer.ss_family == AF_INET6;
	inet_ntop(peer.ss_family, is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
		  sizeof(host));
	unsigned port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
	if (is_v6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return asprintf(&text, "%s:%u", host + strlen("::ffff:"), port) < 0 ? NULL : text;
	return asprintf(&text, is_v6 ? "[%s]:%u" : "%s:%u", host, port) < 0 ? NULL : text;
}

static const char *conn_peer(struct kvrel_conn *conn)
{
	if (!conn->peer)
		conn->peer = peer_text(conn->fd);
	return conn->peer ? conn->peer : "?";
}

static void close_after(struct kvrel_conn *conn)
{
	conn->closing = true;
}

static void run_cut(struct worker *worker, struct task *task)
{
	struct kvrel_conn *conn = (struct kvrel_conn *)(void *)((char *)task - offsetof(struct kvrel_conn, cut));
	(void)worker;
	conn->cuts = false;
	conn->failed = true;
	worker_touch(conn);
}

/* A connection that ends meanwhile is kept until its worker has seen this. */
static void conn_cut(struct kvrel_conn *conn)
{
	if (atomic_exchange(&conn->cuts, true))
		return;
	conn->cut.run = run_cut;
	worker_post(conn->worker, &conn->cut);
}

void net_fill_api(struct kvrel_api *api)
{
	api->conn_state = conn_state;
	api->conn_peer = conn_peer;
	api->request = batch_request;
	api->request_aside = batch_request_aside;
	api->close_after = close_after;
	api->conn_cut = conn_cut;
	out_fill_api(api);
}
