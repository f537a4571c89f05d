/* SPDX-License-Identifier: MIT */
/*
 * Nodes that find and trust each other, and hand requests to each other.
 *
 * One thread owns all links, best one that runs requests anyway: one link per pair of nodes, opened when the first
 * request wants it, carrying requests and replies of both directions at once, each with an id. What all threads have
 * asked for since the last wake-up leaves in one piece; what has come in one read is run as one batch, like the
 * requests of a worker.
 *
 * sname: a Unix socket beside the control socket; the kernel says whose the other end is. name: TCP with TLS 1.3, the
 * cookie as its key (tls.h); launchers of other hosts use the same port for their commands.
 *
 * A request is never repeated. When it cannot be sent it is answered at once; when the link is lost after it was sent,
 * the answer says that the outcome is unknown. A request carries the nodes that it has passed: one that would come back
 * to any of them is a cycle. What is in flight to one node is bounded, and what is unsent to it never holds up another.
 */
#ifndef NODE_DIST_DIST_H
#define NODE_DIST_DIST_H

#include "base/buf.h"
#include "base/error.h"
#include "kvrel/component.h"

#include <stdbool.h>

struct dist;

/* An operation, bound to a component that cannot stop before it is left. */
struct dist_op {
	const struct kvrel_op *op;
	void *state;
	void (*batch_end)(void *state, uint32_t worker); /* may be NULL */
	void *handle;                                    /* the host's */
	const _Atomic bool *writes_held; /* requests that write wait as long as it says so; NULL: never */
};

/* What the links need of the node; called on the links' thread, leave() on any. */
struct dist_host {
	void *context;
	/* 0, or negative and why: no such operation, or it is not started. */
	int (*enter)(void *context, struct slice op, struct dist_op *out, struct error *err);
	void (*leave)(void *context, const struct dist_op *op);
	/* A client of the control protocol; takes the descriptor. */
	void (*control)(void *context, int fd);
};

/*
 * Where the links live: on a loop that runs on a thread of the host's. That thread calls dist_turn() at the end of each
 * wake-up; other threads of the host's may, too: what they forward is then announced once a wake-up. A zeroed seat: on
 * a thread of their own.
 */
struct dist_seat {
	struct uv_loop_s *loop;
	void *context;
	/* Runs it on the loop's thread, and waits. */
	void (*call)(void *context, void (*run)(void *argument), void *argument);
};

/*
 * So much may all links together hold, half of it in requests of this node that wait to be answered. Enough for several
 * of the largest frames at once and for thousands of links. Over it requests are refused, and the links that hold most
 * are closed.
 */
#define DIST_MEMORY_BYTES ((size_t)512 << 20)
#define DIST_MEMORY_LEAST ((size_t)128 << 20)

struct dist_options {
	const char *name;        /* this node's */
	const char *dir;         /* sname: the folder of sockets; NULL: by name */
	const char *listen;      /* --dist-listen, or NULL */
	struct slice cookie;     /* by name; not kept */
	const char *tls_library; /* NULL: the one beside this library */
	uint32_t worker;         /* what calls say that run on the links' thread */
	int64_t heartbeat_ms;    /* a link that is silent for so long is lost */
	size_t memory_bytes;     /* see below; 0: DIST_MEMORY_BYTES */
	struct dist_seat seat;
	struct dist_host host;
};

/* Listens, on its seat or on a thread of its own. */
int dist_new(const struct dist_options *options, struct dist **out, struct error *err);
/* The port it listens on; 0 for sname. */
uint16_t dist_listening_port(const struct dist *dist);
/*
 * No new requests are taken; those that run are answered, within `timeout_ms`; then every link is closed, and whoever
 * waits for another node is told. Clients of the control protocol stay connected.
 */
void dist_stop(struct dist *dist, int64_t timeout_ms);
/* After the components have stopped. NULL is fine. */
void dist_free(struct dist *dist);

/* Any thread. Some writes are not held any more. */
void dist_resume(struct dist *dist);

/* Any thread; see struct dist_seat. Sends what was asked for. */
void dist_turn(struct dist *dist);

struct dist_request {
	const char *node;
	const char *component; /* "kv"; NULL: only an answer is asked for */
	const struct kvrel_op *op;
	uint32_t timeout_ms;
	bool direct; /* somebody names the node: it may route the request back here */
};
/* Any thread. Takes the call: it is completed once, at once or later, from any thread. Its arguments are copied. */
void dist_forward(struct dist *dist, struct kvrel_call *call, const struct dist_request *request);
/* Waits for the result; not on a worker thread. `take` as in call.h. */
enum kvrel_status dist_call(struct dist *dist, const struct dist_request *request, const struct kvrel_slice *args,
			    uint32_t arg_count, void (*take)(void *context, const struct kvrel_result *result),
			    void *context);
/* kvrel_api.call_held, for requests of other nodes; others are left alone. */
void dist_call_held(struct kvrel_call *call, size_t bytes);
/* Any thread. The names of the nodes that are linked now, each with a NUL behind it. */
void dist_list(struct dist *dist, struct buf *out);

/* What a call that came from another node carries; see component.h. */
struct kvrel_route {
	const struct slice *seen;
	uint32_t seen_count;
	uint64_t trace;
	int64_t deadline_ms; /* of dist_now_ms() */
};
int64_t dist_now_ms(void);

#endif
