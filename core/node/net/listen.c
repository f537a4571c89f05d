/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets. All of them are on the first worker's loop: one thread accepts, so that connections can be spread
 * by load; SO_REUSEPORT would spread them by hash and, worse, let a second node take half of a port that is in use.
 * TCP_NODELAY and keep-alive are set on the listener: Linux hands them down to what it accepts.
 */
#include "internal.h"

#include "base/log.h"
#include "base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 4096, ACCEPT_AT_ONCE = 64, KEEPALIVE_S = 300, EXHAUSTED_PAUSE_MS = 100, TELL_EVERY_MS = 1000 };

struct listener {
	struct listener *next;
	struct net *net;
	struct owner *owner;
	const struct kvrel_protocol *protocol;
	void *protocol_state;
	int fd;
	int status; /* of adopting it */
	bool accepts;
	uv_poll_t poll;
	uv_timer_t retry; /* accepting goes on after a pause */
	unsigned handles; /* open, of the two */
};

struct handoff {
	struct task task;
	int fd;
	const struct kvrel_protocol *protocol;
	void *protocol_state;
	struct owner *owner;
};

static void run_handoff(struct worker *worker, struct task *task)
{
	struct handoff *handoff = (struct handoff *)task;
	conn_open(worker, handoff->fd, handoff->protocol, handoff->protocol_state, handoff->owner);
	free(handoff);
}

static struct worker *least_loaded(struct net *net)
{
	struct worker *best = &net->workers[0];
	unsigned best_load = atomic_load_explicit(&best->load, memory_order_relaxed);
	for (unsigned i = 1; i < net->worker_count; i++) {
		unsigned load = atomic_load_explicit(&net->workers[i].load, memory_order_relaxed);
		if (load < best_load) {
			best = &net->workers[i];
			best_load = load;
		}
	}
	return best;
}

static bool due(uint64_t *told_ms, uint64_t now_ms)
{
	if (*told_ms != 0 && now_ms - *told_ms < TELL_EVERY_MS)
		return false;
	*told_ms = now_ms ? now_ms : 1;
	return true;
}

static void count_in(struct worker *worker, struct owner *owner)
{
	atomic_fetch_add_explicit(&owner->connections, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&worker->net->connections, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
}

static void refuse(struct listener *listener, int fd)
{
	struct net *net = listener->net;
	const struct kvrel_protocol *protocol = listener->protocol;
	bool polite = protocol->size >= sizeof(*protocol); /* tables of older components end before the text */
	if (polite && protocol->refusal.size > 0)
		(void)!send(fd, protocol->refusal.data, protocol->refusal.size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (atomic_load_explicit(&net->turned_away, memory_order_relaxed) < TURNED_AWAY_MAX) {
		count_in(current_worker, listener->owner);
		atomic_fetch_add_explicit(&net->turned_away, 1, memory_order_relaxed);
		conn_turn_away(current_worker, fd, protocol, listener->owner);
	} else {
		close(fd);
	}
	counter_add(&net->workers[0].counters.refused, 1);
	if (due(&net->refusal_told_ms, uv_now(&net->workers[0].loop)))
		log_warn(listener->owner->name, LOG_FIELDS(LOG_I("max_connections", net->max_connections)),
			 "connections refused: there are %u already", net->max_connections);
}

static void hand_out(struct listener *listener, int fd)
{
	struct net *net = listener->net;
	unsigned open = atomic_load_explicit(&net->connections, memory_order_relaxed) -
			atomic_load_explicit(&net->turned_away, memory_order_relaxed);
	if (open >= net->max_connections) {
		refuse(listener, fd);
		return;
	}
	struct worker *worker = least_loaded(net);
	struct handoff *handoff = worker == current_worker ? NULL : malloc(sizeof(*handoff));
	if (worker != current_worker && !handoff)
		worker = current_worker;
	count_in(worker, listener->owner);
	counter_add(&net->workers[0].counters.accepted, 1);
	if (!handoff) {
		conn_open(worker, fd, listener->protocol, listener->protocol_state, listener->owner);
		return;
	}
	*handoff = (struct handoff){ .task = { .run = run_handoff },
				     .fd = fd,
				     .protocol = listener->protocol,
				     .protocol_state = listener->protocol_state,
				     .owner = listener->owner };
	worker_post(worker, &handoff->task);
}

static void on_accept(uv_poll_t *poll, int status, int events);

static void on_retry(uv_timer_t *timer);

static void begin_accepting(struct listener *listener)
{
	if (uv_poll_start(&listener->poll, UV_READABLE, on_accept) != 0)
		uv_timer_start(&listener->retry, on_retry, EXHAUSTED_PAUSE_MS, 0);
}

static void open_reserve(struct net *net)
{
	if (net->reserve_fd < 0)
		net->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_retry(uv_timer_t *timer)
{
	struct listener *listener = timer->data;
	open_reserve(listener->net); /* somebody else may have been faster when it was needed */
	begin_accepting(listener);
}

/*
 * Out of descriptors or memory: the waiting client would keep the loop spinning. The reserve descriptor lets it be
 * accepted and closed, so that it learns; without one accepting pauses.
 */
static void exhausted(struct listener *listener, int errnum)
{
	struct net *net = listener->net;
	if (due(&net->exhaustion_told_ms, uv_now(&net->workers[0].loop)))
		log_warn(listener->owner->name, LOG_NONE, "cannot accept connections: %s", strerror(errnum));
	if (net->reserve_fd >= 0 && (errnum == EMFILE || errnum == ENFILE)) {
		close(net->reserve_fd);
		net->reserve_fd = -1;
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) { /* the system has no descriptor even where nobody waits */
			close(fd);
			counter_add(&net->workers[0].counters.refused, 1);
		}
		open_reserve(net);
		return;
	}
	uv_poll_stop(&listener->poll);
	uv_timer_start(&listener->retry, on_retry, EXHAUSTED_PAUSE_MS, 0);
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;
	(void)status, (void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			hand_out(listener, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			exhausted(listener, errno);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* ---- opening ---- */

static bool to_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*size = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*size = sizeof(*v6);
		return true;
	}
	return false;
}

static int cannot(struct error *err, const char *address, uint16_t port, int errnum)
{
	bool v6 = strchr(address, ':') != NULL;
	char place[INET6_ADDRSTRLEN + 16];
	snprintf(place, sizeof(place), v6 ? "[%.45s]:%u" : "%.45s:%u", address, (unsigned)port);
	if (errnum == EADDRINUSE)
		error_set(err, ERROR_SYSTEM, "cannot listen on %s: address already in use", place);
	else
		error_system(err, errnum, "cannot listen on %s", place);
	if (err)
		err->errnum = errnum;
	return -ERROR_SYSTEM;
}

static bool set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static int open_socket(const char *address, uint16_t port, uint16_t *out_port, struct error *err)
{
	struct sockaddr_storage where;
	socklen_t size = 0;
	if (!to_sockaddr(address, port, &where, &size))
		return error_set(err, ERROR_INVALID, "'%s' is no numeric IPv4 or IPv6 address to listen on", address);
	SCOPE_FD int fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cannot(err, address, port, errno);
	if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
	    !set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) || !set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S) ||
	    bind(fd, (struct sockaddr *)&where, size) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&where, &size) != 0)
		return cannot(err, address, port, errno);
	*out_port = ntohs(where.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&where)->sin6_port
						      : ((struct sockaddr_in *)&where)->sin_port);
	return TAKE_FD(fd);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct listener *listener = handle->data;
	if (--listener->handles == 0)
		free(listener);
}

static void close_listener(struct listener *listener)
{
	uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
	uv_close((uv_handle_t *)&listener->retry, on_handle_closed);
	close(listener->fd);
}

void listeners_close(struct worker *first, void *owner)
{
	struct net *net = first->net;
	if (first->index != 0)
		return;
	for (struct listener **slot = &net->listeners; *slot;) {
		struct listener *listener = *slot;
		if (owner && listener->owner != owner) {
			slot = &listener->next;
			continue;
		}
		*slot = listener->next;
		close_listener(listener);
	}
}

void listeners_accept(struct worker *first, void *owner)
{
	for (struct listener *listener = first->net->listeners; listener; listener = listener->next) {
		if (listener->owner == owner && !listener->accepts) {
			listener->accepts = true;
			begin_accepting(listener);
		}
	}
}

static void adopt(struct worker *first, void *context)
{
	struct listener *listener = context;
	listener->status = uv_poll_init(&first->loop, &listener->poll, listener->fd);
	if (listener->status != 0)
		return;
	uv_timer_init(&first->loop, &listener->retry);
	listener->poll.data = listener->retry.data = listener;
	listener->handles = 2;
	listener->next = first->net->listeners;
	first->net->listeners = listener;
}

int listener_open(struct net *net, struct owner *owner, const struct kvrel_protocol *protocol, void *protocol_state,
		  const char *address, uint16_t port, uint16_t *out_port, struct error *err)
{
	uint16_t bound = 0;
	SCOPE_FD int fd = open_socket(address, port, &bound, err);
	if (fd < 0)
		return fd;
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return error_set(err, ERROR_NO_MEMORY, "cannot listen on %s: out of memory", address);
	*listener = (struct listener){
		.net = net, .owner = owner, .protocol = protocol, .protocol_state = protocol_state, .fd = fd
	};
	worker_call(&net->workers[0], adopt, listener);
	if (listener->status != 0) {
		int status = listener->status;
		free(listener);
		return cannot(err, address, port, -status);
	}
	*out_port = bound;
	fd = -1;
	return 0;
}
