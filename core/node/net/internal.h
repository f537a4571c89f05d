/* SPDX-License-Identifier: MIT */
/*
 * What the files of net/ share. Nothing outside this folder includes it.
 *
 *	listen.c  listening sockets, accepting, handing out     worker.c  threads, loops, tasks, one wake-up
 *	conn.c    one connection: reading, parsing, closing     batch.c   calls of a wake-up: collected, prefetched, run
 *	reply.c   reply slots: order, results that come late    output.c  bytes on their way out
 *	net.c     the public functions                          sweep.c   idle and stuck connections
 *	input.c   requests that are not whole yet               linger.c  connections that are over and still heard
 *
 * One thread rule carries it all: a worker's loop, connections, slots and buffers are touched by its own thread alone.
 * Other threads reach a worker through two lock-free stacks, `done` (slots with a late result) and `tasks`.
 *
 * One request, one slot. A slot holds the call that the provider sees, so a late completion finds its connection
 * without a lookup; the slots of a connection form a queue in the order of the requests. A result for the head of the
 * queue is encoded at once, straight from the provider's memory; any other is copied and waits for its turn.
 */
#ifndef NODE_NET_INTERNAL_H
#define NODE_NET_INTERNAL_H

#include "batch.h"
#include "input.h"
#include "node/net.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <uv.h>

enum {
	SEND_CONNS = 64,             /* clients that could work on a reply meanwhile: they get it */
	BATCHES_AT_ONCE = 64,        /* of long inputs, before others are looked at */
	CONN_SLOTS_MAX = 4096,       /* unanswered requests of one connection; over it reading pauses */
	READ_BYTES = 64 * 1024,      /* asked of one recv */
	READ_BYTES_MIN = 16 * 1024,  /* with less room left in the arena its batch is run first */
	OUT_BLOCK_BYTES = 1024,      /* first size of an output buffer: a sync may answer a thousand clients at once */
	OUT_BLOCK_KEEP = 256 * 1024, /* larger ones go back to the heap when sent */
	OUT_DROP_BYTES = 16 * 1024,  /* sent and not yet dropped from the front of one */
	OUT_POOL_BYTES = 2 << 20,    /* free output buffers of one worker */
	SLOT_POOL_MAX = 32 * 1024,   /* free slots of one worker */
	LATE_MAX = 64,               /* results for other workers before they are given */
	SLOT_INLINE_BYTES = 40,      /* a late result up to this size needs no heap */
	UNHEARD_BYTES = 64 << 20,    /* sent by a client that nobody listens to any more */
	INPUT_UNCOUNTED = 2 * READ_BYTES, /* room for an unfinished request that is no matter */
	INPUT_ALL_BYTES = 1 << 30,        /* of longer ones, of all connections */
	TURNED_AWAY_MAX = 256,            /* over the limit of connections, lingering; others are closed at once */
	PROVIDERS_MAX = 64,
};

struct worker;
struct listener;

struct owner {
	struct owner *next;
	_Atomic unsigned connections; /* as those of the net are counted */
	char name[];
};

enum slot_state { SLOT_RUNNING, SLOT_READY, SLOT_WRONG_ARGS /* and not yet answered */ };

/*
 * What every request touches comes first: two cache lines. In a slot of the pool the call's worker, complete, route and
 * next are set already, and `block` is NULL.
 */
struct slot {
	struct kvrel_call call; /* first: a call pointer is a slot pointer */
	struct kvrel_conn *conn;
	struct slot *next;       /* later request of the same connection */
	const struct net_op *op; /* NULL: there was nothing to ask */
	uint32_t tag;
	enum slot_state state;
	struct aside *aside;        /* outside the order: in no queue of its connection; NULL: a usual request */
	void *block;                /* of its result; of its arguments while it is postponed */
	struct slot *link;          /* in worker.done, in conn.postponed, or in the pool */
	size_t held;                /* bytes of `block`, or those that a provider keeps; 0: none */
	bool counted;               /* they are, in conn.held_bytes */
	bool has_result;            /* else encode() gets NULL */
	struct kvrel_result result; /* a copy; points into `block` or `bytes` */
	char bytes[SLOT_INLINE_BYTES];
};

struct out {
	struct kvrel_out bytes; /* first */
	size_t sent;            /* of bytes.size */
	uint64_t sent_total;
	struct worker *worker;
	bool failed; /* no memory: the connection is given up */
};

/* Something to do on a worker's thread. */
struct task {
	void (*run)(struct worker *worker, struct task *task);
	struct task *next;
};

struct kvrel_conn {
	struct worker *worker;
	const struct kvrel_protocol *protocol;
	void *protocol_state;
	int fd;
	int events;         /* what `poll` watches */
	bool closing : 1;   /* close_after(): nothing more is parsed, what still comes is discarded */
	bool drained : 1;   /* the node or the component stops: what is read is answered, what still comes discarded */
	bool eof : 1;       /* the peer sends nothing more */
	bool lingering : 1; /* closing or drained: answered and shut down */
	bool dead : 1;      /* socket closed; waits for calls that are still out */
	bool refused : 1;   /* request() said no during this receive() */
	bool failed : 1;    /* no memory, or the socket broke: to be closed */
	bool blocked : 1;   /* parsing stopped for want of room, not of bytes */
	bool poll_closed : 1; /* libuv has let go of `poll` */
	bool turned_away : 1; /* one too many: its protocol never heard of it */
	bool in_ready : 1, in_dirty : 1, in_settle : 1;
	struct slot *first, *last;
	unsigned slot_count;
	/* Looked at before each call is run, and so beside what its reply is written to. */
	struct slot *postponed; /* first of the calls that wait for room */
	size_t held_bytes;
	struct out out;
	struct input input;
	struct slot *last_postponed;
	struct kvrel_conn *next_ready, *next_dirty, *next_settle;
	struct kvrel_conn *prev, *next; /* worker.conns */
	uint64_t linger_until_ms;
	size_t unheard_bytes;
	uint64_t active_ms;      /* when something was last received or taken by the peer */
	uint64_t rest_ms;        /* when the beginning of the unfinished request came */
	uint64_t taken;          /* out.sent_total at the last sweep */
	uint64_t stuck_since_ms; /* sweeps have seen unsent output, and nothing taken of it; 0: they have not */
	struct owner *owner;     /* the listening component */
	char *peer;              /* made when asked for */
	struct aside *asides, *last_aside; /* to be asked as soon as there is room, oldest first */
	unsigned aside_count;              /* of those, and of what runs */
	unsigned asides_running;
	uv_poll_t poll;
	struct task cut;           /* of conn_cut() */
	_Atomic bool cuts;         /* it is posted and has not run */
	_Alignas(16) char state[]; /* protocol->conn_bytes */
};

struct conn_list {
	struct kvrel_conn *first, *last;
};

struct out_block {
	struct out_block *next;
	size_t capacity;
};

/* Written by the worker alone, read by anyone. */
struct counters {
	_Atomic uint64_t accepted, refused, requests, bytes_in, bytes_out;
};

struct worker {
	struct net *net;
	uint32_t index;
	pthread_t thread;
	bool running;
	bool draining;
	bool holding; /* writes wait for their providers */
	uv_loop_t loop;
	uv_async_t wake;
	uv_check_t check;
	uv_timer_t linger;
	uv_timer_t sweep;
	struct batch batch;
	uint64_t providers; /* bits of those that had a call in this wake-up */
	uint64_t ran;       /* bits of those that had one since the last batch_ran */
	const struct net_op *provider_ops[PROVIDERS_MAX];
	struct conn_list ready;  /* with input that can be parsed right now */
	struct conn_list dirty;  /* with output or a change of state to act on */
	struct conn_list settle; /* whose input buffers can be tidied once the batch has run */
	struct kvrel_conn *conns;
	unsigned lingering;

	void (*guest_turn)(void *context); /* NULL: there is no guest */
	void *guest_context;

	struct slot *late, *last_late; /* of other workers, answered on this one and not given yet */
	unsigned late_count;
	struct slot *slot_pool;
	unsigned slot_pool_count;
	struct out_block *out_pool;
	size_t out_pool_bytes;
	struct counters counters;
	uint64_t input_told_ms;
	_Atomic unsigned load; /* connections given to it and not yet closed */

	struct task resume;   /* of net_hold() */
	_Atomic bool resumes; /* it is posted and has not run */

	_Alignas(64) _Atomic(struct slot *) done;
	_Alignas(64) _Atomic(struct task *) tasks;
};

struct net {
	unsigned worker_count;
	unsigned max_connections;
	size_t output_max_bytes, input_max_bytes;
	_Atomic size_t look_closer;                 /* output_max_bytes; 0 while some provider's writes are held */
	_Atomic size_t input_held;                  /* by unfinished requests that are not small */
	uint64_t idle_timeout_ms, write_timeout_ms; /* 0: none */
	void (*thread_begin)(void);
	struct owner *owners; /* names of listening components, kept for connections */
	struct worker *workers;
	struct listener *listeners; /* of the first worker's thread */
	int reserve_fd;             /* given up for a moment when the process is out of descriptors */
	uint64_t refusal_told_ms, exhaustion_told_ms;
	_Atomic unsigned connections; /* those turned away among them, as long as they linger */
	_Atomic unsigned turned_away;
	pthread_mutex_t idle_lock;
	pthread_cond_t idle; /* connections became 0 */
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline size_t out_unsent(const struct out *out)
{
	return out->bytes.size - out->sent;
}

/* worker.c */
/* Looked at for each reply: a place that is known when the library is loaded, not looked up. */
extern _Thread_local struct worker *current_worker __attribute__((tls_model("initial-exec")));
int worker_start(struct worker *worker, struct net *net, uint32_t index, struct error *err);
void worker_stop(struct worker *worker); /* joins; no-op when it does not run */
void worker_post(struct worker *worker, struct task *task);
/* Runs `run` on the worker's thread and waits for it. Not from a worker. */
void worker_call(struct worker *worker, void (*run)(struct worker *worker, void *context), void *context);
/* Runs what is collected. Replies stay where they are. */
void worker_run(struct worker *worker);
/* Runs what is collected and sends what is answered. */
void worker_turn(struct worker *worker);
/* The same for all that comes of it, and tells the providers that the wake-up ends. */
void worker_finish(struct worker *worker, void *unused);
void worker_add_dirty(struct kvrel_conn *conn);
/* The connection has something to send, or a state to act on, before the wake-up ends. */
static inline void worker_touch(struct kvrel_conn *conn)
{
	if (!conn->in_dirty)
		worker_add_dirty(conn);
}
void worker_ready(struct kvrel_conn *conn);
void worker_settle(struct kvrel_conn *conn);

/* listen.c */
int listener_open(struct net *net, struct owner *owner, const struct kvrel_protocol *protocol, void *protocol_state,
		  const char *address, uint16_t port, uint16_t *out_port, struct error *err);
/* Those of one owner begin to accept. */
void listeners_accept(struct worker *first, void *owner);
/* Those of one owner, or all of them when it is NULL. */
void listeners_close(struct worker *first, void *owner);

/* conn.c */
/* Takes the descriptor, also when it fails. */
void conn_open(struct worker *worker, int fd, const struct kvrel_protocol *protocol, void *protocol_state,
	       struct owner *owner);
/* On the worker's list; NULL when there is no memory: the descriptor is closed then. */
struct kvrel_conn *conn_new(struct worker *worker, int fd, const struct kvrel_protocol *protocol, struct owner *owner,
			    bool turned_away);
void conn_parse(struct kvrel_conn *conn);
/* After its output moved: closes what is finished, resumes or pauses reading. */
void conn_advance(struct kvrel_conn *conn);
/* Answers what has arrived and ends: its node or component stops. */
void conn_drain(struct kvrel_conn *conn);
void conn_close(struct kvrel_conn *conn);
void conn_free_if_unused(struct kvrel_conn *conn);
/* Neither unsent output nor unanswered requests are over their limits. */
bool conn_has_room(const struct kvrel_conn *conn);

/* linger.c */
/* Takes the descriptor of a client that was told why. */
void conn_turn_away(struct worker *worker, int fd, const struct kvrel_protocol *protocol, struct owner *owner);
/* All is answered and sent: it is closed when the peer has closed, or after a while. */
void conn_linger(struct kvrel_conn *conn);
/* Reads what nobody will look at. */
void conn_discard(struct kvrel_conn *conn);
/* The peer has sent nothing for so long that a node which stops need not wait for it. */
bool conn_is_quiet(const struct kvrel_conn *conn);

/* sweep.c: connections that do nothing for too long */
void sweep_start(struct worker *worker); /* no-op while it runs */

/* postpone.c */
/* Cheap, for each call; postpone() looks closer. */
static inline bool call_may_wait(const struct kvrel_conn *conn, size_t look_closer)
{
	return conn->postponed || out_unsent(&conn->out) + conn->held_bytes >= look_closer;
}
/* False: it is to be run now after all. */
bool postpone(struct slot *slot);
/* Runs what there is room for; false when some must go on waiting. */
bool postponed_run(struct kvrel_conn *conn);
bool postponed_may_run(const struct kvrel_conn *conn);
/* The connection has ended. */
void postponed_drop(struct kvrel_conn *conn);
/* Task of net_hold(). */
void postponed_resume(struct worker *worker, struct task *task);

/* reply.c */
/* In no queue of the connection. */
struct slot *slot_new_aside(struct kvrel_conn *conn, struct aside *aside);
struct slot *slot_from_heap(struct worker *worker);
static inline struct slot *slot_make(struct kvrel_conn *conn, const struct net_op *op, uint32_t tag)
{
	struct worker *worker = conn->worker;
	struct slot *slot = worker->slot_pool;
	if (slot) {
		worker->slot_pool = slot->link;
		worker->slot_pool_count--;
	} else {
		slot = slot_from_heap(worker);
		if (!slot)
			return NULL;
	}
	memset(slot->call.scratch, 0, sizeof(slot->call.scratch));
	slot->call.op = op ? op->ref.op : NULL;
	slot->conn = conn;
	slot->next = NULL;
	slot->op = op;
	slot->tag = tag;
	slot->state = SLOT_RUNNING;
	slot->aside = NULL;
	return slot;
}

static inline struct slot *slot_new(struct kvrel_conn *conn, const struct net_op *op, uint32_t tag)
{
	struct slot *slot = slot_make(conn, op, tag);
	if (!slot)
		return NULL;
	if (conn->last)
		conn->last->next = slot;
	else
		conn->first = slot;
	conn->last = slot;
	conn->slot_count++;
	return slot;
}

void slot_complete(struct kvrel_call *call, const struct kvrel_result *result);
/* A result from the worker's own thread; NULL: encode() gets NULL. */
void slot_answer(struct slot *slot, const struct kvrel_result *result);
/* Takes the late results that other threads have left. */
void replies_collect(struct worker *worker);
/* Gives other workers what this one has for them. */
void replies_give(struct worker *worker);
void slot_pool_done(struct worker *worker);

/* output.c */
void out_fill_api(struct kvrel_api *api);
void out_release(struct out *out);
/* 0: sent, or as much as the socket takes; -1: the connection is gone. */
int out_send(struct out *out, int fd);
void out_pool_done(struct worker *worker);

#endif
