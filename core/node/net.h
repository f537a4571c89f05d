/* SPDX-License-Identifier: MIT */
/*
 * The node's network: worker threads, one event loop each, that own the sockets of all front-ends.
 *
 * A connection belongs to one worker for life: an input buffer, an ordered list of reply slots, a capped output buffer.
 * One wake-up: read what is there, let the protocol parse it all into calls, prefetch each, run each, encode the slots
 * that are ready in order, send once. A call that completes later, on any thread, is queued to its worker, which wakes
 * once for all of them. While its output or its unanswered requests are over their limits nothing is read from a
 * connection, and of what was read nothing is run.
 *
 * One thread (the first worker) accepts for all listeners and hands the sockets out. net_* functions are called on the
 * main thread.
 */
#ifndef NODE_NET_H
#define NODE_NET_H

#include "base/error.h"
#include "kvrel/component.h"

/*
 * An operation as the node binds it; `ref` first, so that a kvrel_op_ref pointer is one of these. batch_end may be
 * NULL. Every wake-up in which a call of this provider was prefetched or run ends with one batch_end(ref.state,
 * worker); batch_ran, NULL or not as well, comes before replies to what ran are sent.
 */
struct net_op {
	struct kvrel_op_ref ref;
	void (*batch_end)(void *state, uint32_t worker);
	void (*batch_ran)(void *state, uint32_t worker);
	uint32_t provider; /* index of the component, 0 … 63: one bit in the worker's set of providers to end */
	const _Atomic bool *writes_held; /* as long as it says so writes wait, see net_hold(); NULL: never */
};

struct net_options {
	unsigned workers;            /* at least 1 */
	unsigned max_connections;    /* over it: accepted and closed, logged once a second at most */
	size_t output_max_bytes;     /* unsent output of one connection; over it none of its requests is read or run */
	size_t input_max_bytes;      /* unfinished requests of all connections; 0: 1 GiB */
	const struct kvrel_api *api; /* handed through to nobody; for completeness of conn functions */
	int64_t idle_timeout_ms; /* a connection without a request or a reply for so long is closed, see net/sweep.c; 0:
				    never */
	int64_t write_timeout_ms;   /* one whose peer takes nothing of its replies for so long is cut off; 0: never */
	void (*thread_begin)(void); /* first thing on each worker's thread; may be NULL */
};

struct net;
int net_new(const struct net_options *options, struct net **out, struct error *err);
/*
 * `owner` is the listening component's name for the log. *port gets the port. EADDRINUSE is an error that names address
 * and port. Clients are accepted after net_accept() only: they never meet a component that fails to start after all.
 */
int net_listen(struct net *net, const char *owner, const struct kvrel_protocol *protocol, void *protocol_state,
	       const char *address, uint16_t port, uint16_t *out_port, struct error *err);
/* From now on the listeners of this owner accept. */
void net_accept(struct net *net, const char *owner);
/* Closes all listeners. Connections stay. */
void net_stop_accepting(struct net *net);
/*
 * Answers what has arrived, sends it, closes all connections; those that still talk are given a moment to hear it.
 * False when the deadline passed before all was answered (the rest is closed too).
 */
bool net_drain(struct net *net, int64_t timeout_ms);
/* The same for one component: its listeners and its connections. */
bool net_close_owner(struct net *net, const char *owner, int64_t timeout_ms);
/*
 * Any thread, one at a time: writes_held of some provider has changed. `some`: one or more say so now. Those that
 * waited are looked at again.
 */
void net_hold(struct net *net, bool some);
/*
 * Something else that lives on the workers' threads: `turn` is called at the end of each wake-up of each of them. The
 * first worker's loop takes its handles, which net_call() opens there and which are gone before the net is freed.
 */
void net_set_guest(struct net *net, void (*turn)(void *context), void *context);
struct uv_loop_s *net_loop(struct net *net);
void net_call(struct net *net, void (*run)(void *context), void *context);
/*
 * Stops and joins the workers; what is still connected is cut. Providers must have stopped before: a call that comes
 * back later has nowhere to go. NULL is fine.
 */
void net_free(struct net *net);

struct net_stats {
	uint64_t connections, accepted, refused, requests, bytes_in, bytes_out;
};
void net_stats(const struct net *net, struct net_stats *out);

/* kvrel_api.call_held, for requests of connections; false: it is none. */
bool net_call_held(struct kvrel_call *call, size_t bytes);

/* The connection part of struct kvrel_api, filled in by net.c. */
void net_fill_api(struct kvrel_api *api);

#endif
