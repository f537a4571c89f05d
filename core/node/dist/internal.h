/* SPDX-License-Identifier: MIT */
/*
 * What the files of dist/ share. Nothing outside this folder includes it.
 *
 *	dist.c     the public functions                               peer.c   another node: its link, when to try again
 *	lane.c     what a worker's threads ask of it                  waiting.c  requests that leave, and their replies
 *	listen.c   listening and accepting                            link.c   one connection: its life, bytes out
 *	greet.c    opening, proving, names; one link of two           serve.c  requests of other nodes
 *	relay.c    clients of the control protocol                    refusal.c  who was refused, once a minute
 *	loop.c     the thread or seat, its turns, the tick, the end
 *	forward.c  a request on its way to a peer                     link_input.c  bytes in, cut into frames
 *
 * Peers and their lanes are made by any thread and live as long as the dist; what a lane holds is behind a lock of its
 * own. Everything else is touched by the links' thread alone.
 */
#ifndef NODE_DIST_INTERNAL_H
#define NODE_DIST_INTERNAL_H

#include "base/log.h"
#include "node/dist/dist.h"
#include "node/dist/frame.h"
#include "node/dist/name.h"
#include "node/dist/tls.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum {
	PEER_BUCKETS = 64,
	PEERS_MAX = 4096,
	WINDOW_BYTES = 2 * FRAME_MAX,               /* requests to one node that are not answered yet */
	WAITING_BYTES = 256,                        /* what one costs there, besides its arguments */
	WAITING_MAX = WINDOW_BYTES / WAITING_BYTES, /* so no more than that of one node can wait here */
	BACKLOG_MAX = 2 * WINDOW_BYTES,             /* … while this one has too much to send */
	CREDIT_BYTES = 64 << 10,                    /* a lane takes of the window at a time */
	LANES_MAX = 8,
	LANE_SHIFT = 29, /* of its index in an id; below it is a place of its table */
	ANSWERS_MAX = 64,
	ABANDONED_MAX = 64 << 10, /* requests that wait for ever, of links that are gone */
	OUT_FULL_BYTES = 8 << 20, /* unsent on one link: its requests wait */
	READ_BYTES = 256 << 10,
	WIRE_BYTES = 128 << 10, /* encrypted and not sent yet */
	KEEP_BYTES = 256 << 10, /* larger empty buffers go back to the heap */
	DROP_BYTES = 256 << 10, /* sent and not yet dropped from the front of one */
	GREETINGS_MAX = 128,    /* accepted and unproven; over it the oldest one goes */
	GREETING_MS = 5000,
	CONNECT_MS = 5000,       /* to all addresses of a host together */
	CONNECT_LEAST_MS = 1000, /* … to one of many */
	PATIENCE_MS = 300,       /* requests wait for a link to a node that was not reached the last time */
	RETRY_FIRST_MS = 50,
	RETRY_MOST_MS = 5000,
	RETRY_TIMES = 20, /* by itself, after a link was lost; later on demand alone */
	TICK_MS = 50,
	IDLE_TICK_MS = 1000,
	REST_MS = 1000, /* a link that is silent for so long gives its memory back */
	BATCH_MAX = 64,
	FOUND_MAX = 16,
	RELAY_BYTES = 64 << 10,
	REASON_BYTES = 256,
	REFUSALS_KEPT = 64,
	REFUSAL_AGAIN_MS = 60 * 1000,
};

struct link;

/* A call that waits for another node. */
struct waiting {
	struct kvrel_call *call; /* NULL: free */
	int64_t deadline_ms;
	uint64_t order; /* among all requests of this lane; up to lane.taken they may have been sent */
	uint32_t size;
	uint32_t generation;
	uint32_t next_free;
	bool writes;
	bool patient; /* somebody names the node, and waits until it is known whether there is a link */
};

/*
 * What some threads ask of one node: those of one worker, or of several when there are many. Workers that had one table
 * and one outbox in common would wait for each other at every request.
 */
struct lane {
	struct peer *peer;
	uint32_t index;
	pthread_mutex_t lock;   /* of all that follows but next_work */
	struct buf outbox;      /* frames that the links' thread has not taken yet */
	struct frame_open open; /* its last one */
	struct waiting *waiting;
	uint32_t waiting_count; /* ever used */
	uint32_t waiting_capacity;
	uint32_t first_free; /* NO_PLACE: none */
	uint32_t waiting_now;
	size_t in_flight; /* bytes of requests that wait */
	size_t credit;    /* … that may wait: this lane's part of the window */
	uint64_t order, taken;
	int64_t next_deadline_ms; /* none of those that wait has an earlier one */
	bool queued;              /* in dist.work */
	bool stale;               /* `outbox` holds requests that nobody waits for any more */
	bool urgent;              /* one is not to wait for retry_at_ms */
	bool closed;              /* takes nothing more */
	struct lane *next_work;
};

struct peer {
	struct dist *dist;
	struct peer *next; /* in its bucket */
	char *name;
	size_t name_size;
	_Atomic(struct lane *) lanes[LANES_MAX]; /* made when first used; [0] is that of all threads but workers */
	_Atomic size_t credit;                   /* of all lanes */

	/* the links' thread */
	struct link *link; /* up, or on its way; NULL: none */
	bool wanted;       /* it was up: opened again by itself */
	bool held_off;     /* no failure: requests wait until retry_at_ms */
	unsigned failures;
	int64_t retry_at_ms;
	int64_t opened_ms;    /* when the link was begun that is on its way */
	int64_t told_ms;      /* when the log last heard that it is unreachable; 0: not since it was up */
	int64_t late_told_ms; /* … that it does not answer in time */
	char reason[REASON_BYTES];
	_Atomic bool up;
};

enum link_state { LINK_RESOLVING, LINK_CONNECTING, LINK_SECURING, LINK_GREETING, LINK_UP, LINK_RELAY, LINK_CLOSED };

/* The addresses of a host, of which `at` is being tried. */
struct attempt {
	unsigned count, at;
	struct dist_address addresses[DIST_ADDRESSES_MAX];
	char failures[REASON_BYTES]; /* of those before: "ADDRESS: REASON; …" */
};

struct link {
	struct dist *dist;
	struct link *prev, *next; /* dist.links, oldest first */
	struct link *next_dirty;
	struct peer *peer; /* accepted ones: once they said who they are */
	enum link_state state;
	bool ours; /* opened by this node */
	bool dirty;
	bool ending; /* closes when everything is sent */
	bool poll_open;
	int fd;
	int events;
	uv_poll_t poll;
	uv_getaddrinfo_t lookup;
	struct attempt *attempt; /* of the links that this node opens by name */
	struct tls_session *tls; /* NULL: a Unix socket */
	struct buf in;           /* not parsed yet */
	struct buf out;          /* frames; `out_sent` of it are gone */
	size_t out_sent;
	struct frame_open replies; /* the last frame of `out`, when it takes more of them */
	struct buf wire;           /* encrypted; `wire_sent` of it are gone */
	size_t wire_sent;
	size_t bytes;       /* the memory of these and of its requests, as dist.link_bytes counts it */
	bool resting;       /* nothing passed for a while: it has no memory that it does not need */
	struct buf backlog; /* whole REQUESTS frames that wait until `out` has room */
	int64_t since_ms, heard_ms, pinged_ms;
	uint64_t instance; /* of the other node's life */
	unsigned running;  /* its requests that are not answered yet; they hold the memory of the link */
	size_t held;       /* bytes of results that providers keep for those */
	char address[DIST_ADDRESS_BYTES];
	/* relay.c */
	int inner; /* the end of the pair that is not the control server's */
	int inner_events;
	uv_poll_t inner_poll;
	bool inner_open;
	struct buf inner_out;
};

/* A request of another node, from its arrival to its reply. */
struct incoming {
	struct kvrel_call call; /* first */
	struct link *link;
	struct dist_op op;
	uint64_t id;
	size_t held; /* of link.held */
	struct incoming *next;
	struct buf reply; /* made by another thread */
};

struct batch_entry {
	struct kvrel_route route;
	struct incoming *incoming;
	size_t args_at; /* in dist.args */
};

/* An operation that was asked for in this wake-up: it is looked up once, and its component left at the end. */
struct found_op {
	struct dist_op op;
	size_t size;
	char name[FRAME_NAME_MAX];
};

/* Replies of one read whose calls have left the table of their lane, which is held meanwhile. */
struct answers {
	struct lane *lane;
	unsigned count;
	struct {
		struct kvrel_call *call;
		struct kvrel_result result;
	} items[ANSWERS_MAX];
};

struct refusal {
	char host[DIST_ADDRESS_BYTES];
	int64_t told_ms;
};

struct dist {
	struct dist_host host;
	char *name;
	size_t name_size;
	char *dir;
	uint64_t instance;
	uint32_t worker;
	int64_t heartbeat_ms;
	uint16_t port;
	const struct tls_api *tls_api;
	struct tls_context *tls;

	struct dist_seat seat;
	pthread_t thread;
	bool running;
	uv_loop_t *loop;
	uv_loop_t own_loop;
	unsigned held; /* handles and lookups that libuv has not let go of */
	uv_sem_t gone; /* nothing of the links is on the loop any more */
	uv_async_t wake;
	uv_check_t check; /* on a loop of its own */
	uv_timer_t tick;
	uint64_t tick_every_ms;
	int listen_fd;
	uv_poll_t listener;
	int64_t accept_again_ms; /* out of descriptors until then */

	_Atomic(struct peer *) peers[PEER_BUCKETS]; /* only ever added to */
	unsigned peer_count;
	pthread_mutex_t lock;            /* adding peers, done, ended */
	_Atomic(struct lane *) work;     /* stack of those with something to send */
	_Atomic(struct incoming *) done; /* stack of those that other threads have answered */
	bool closed;                     /* no new peers and lanes */
	_Atomic size_t credit;           /* bytes of requests that may be on their way, of all lanes */
	size_t memory_bytes;             /* the most that all links may hold; half of it is for those requests */
	bool ended;                      /* the thread is gone: replies have nowhere to go */
	_Atomic bool stop_asked;
	_Atomic bool resumes; /* dist_resume() was called */
	_Atomic int64_t stop_by_ms;

	struct link *links, *last_link;
	struct link *dirty;
	size_t link_bytes; /* what all links hold */
	unsigned greetings;
	bool stopping;
	unsigned running_calls;
	unsigned abandoned; /* requests that run for links that are closed */
	struct batch_entry batch[BATCH_MAX];
	unsigned batch_count;
	struct kvrel_slice *args;
	size_t args_used, args_capacity;
	struct incoming *pool;
	unsigned pool_count;
	struct slice seen[BATCH_MAX * FRAME_SEEN_MAX]; /* of the batch's routes */
	unsigned seen_used;
	struct found_op found[FOUND_MAX];
	unsigned found_count;
	struct frame_items items;
	struct answers answers;
	struct refusal refusals[REFUSALS_KEPT];
	int64_t refusals_untold;
	_Atomic int64_t cycle_told_ms;
	uint64_t jitter; /* of the next delay; begins anywhere */
	_Atomic uint64_t traces;
	char *scratch, *plain; /* READ_BYTES each: what was read, and what TLS made of it */
};

/* Looked at for each reply: a place that is known when the library is loaded, not looked up. */
extern _Thread_local struct dist *current_dist __attribute__((tls_model("initial-exec")));

/* dist.c */
void dist_for_peers(struct dist *dist, void (*function)(struct peer *peer));

/* loop.c */
int dist_begin_loop(struct dist *dist, struct error *err);
void dist_end_loop(struct dist *dist, int64_t timeout_ms);
/* One more of libuv's handles or lookups is the links', or one less. */
void dist_hold(struct dist *dist);
void dist_release(struct dist *dist);
void dist_wake(struct dist *dist);
/* When this thread's wake-up ends, if it is one that tells. */
void dist_wake_at_end(struct dist *dist);
/* Something waits: the tick has to look often. */
void dist_hurry(struct dist *dist);

/* peer.c */
struct peer *peer_get(struct dist *dist, const char *name);
struct peer *peer_find(struct dist *dist, struct slice name);
void peer_free(struct peer *peer);
/* The links' thread: sends what the lane holds, or opens a link, or says why not. */
void peer_work(struct lane *lane, int64_t now);
/* The tick's, while a link is on its way: whoever has waited for long enough is told why the last one failed. */
void peer_check_patience(struct peer *peer, int64_t now);
/* Its link is gone: everything that waits is answered. */
void peer_lost(struct peer *peer, bool was_up, const char *reason);
void peer_up(struct peer *peer, struct link *link);
void peer_close(struct peer *peer);

/* lane.c; with the lane's lock held, unless something else is said */
enum { NO_PLACE = UINT32_MAX };
/* Of this node, without any lock; NULL: no memory, or the node is stopping. */
struct lane *lane_get(struct peer *peer, uint32_t worker);
/* … for each that there is. */
void lane_for_all(struct peer *peer, void (*function)(struct lane *lane, void *context), void *context);
void lane_free(struct lane *lane);
/* Why `size` more bytes may not be on their way; NULL: they may, and are counted. */
const char *lane_take_credit(struct lane *lane, size_t size);
/* A place in the table for a request of that size, whose credit goes back with it; NO_PLACE: there is no memory. */
uint32_t lane_take_place(struct lane *lane, uint32_t size);
struct kvrel_call *lane_free_place(struct lane *lane, uint32_t place);
/* The call that a reply is for, which leaves the table; NULL: nobody waits for it. */
struct kvrel_call *lane_answered(struct lane *lane, uint64_t id);
/*
 * Takes out every call whose deadline is over by `now`, or all but those that are patient, linked by their `next`. The
 * calls are ours, so their scratch is, too: [0] says whether it may have been sent, [1] whether it writes.
 */
struct kvrel_call *lane_take_out(struct lane *lane, int64_t now);
struct kvrel_call *lane_take_impatient(struct lane *lane);
/* Some requests were given up before they were sent: their callers know that, so they must not be sent any more. */
void lane_drop_given_up(struct lane *lane);
static inline uint64_t lane_id(const struct lane *lane, uint32_t place)
{
	return (uint64_t)lane->waiting[place].generation << 32 | (uint64_t)lane->index << LANE_SHIFT | place;
}

/* waiting.c */
void peer_forward(struct peer *peer, struct kvrel_call *call, const struct dist_request *request);
/* One reply of those that came in one read; answers_give() completes their calls. `result` lives until then. */
void answers_add(struct peer *peer, uint64_t id, const struct kvrel_result *result);
void answers_give(struct dist *dist);
/* True when calls waited for it; none of the others is due before `*next_ms`. */
bool peer_expire(struct peer *peer, int64_t now, int64_t *next_ms);
void peer_fail_waiting(struct peer *peer, const char *reason);
/* … but those that are patient; nothing of it was sent. */
void peer_fail_impatient(struct peer *peer, const char *reason);
void call_error(struct kvrel_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* link.c */
struct link *link_new(struct dist *dist, bool ours);
int link_watch_fd(struct link *link, int fd); /* takes it, also when it fails */
void link_touch(struct link *link);
/* Nothing passes: what it keeps for the next time goes back. */
void link_rest(struct link *link);
/* After its buffers have changed. When all links together hold too much, those that hold most are closed. */
void link_account(struct link *link);
void link_flush(struct link *link);
void link_close(struct link *link, const char *reason);
/* Sends what there is, then closes. */
void link_end(struct link *link);
void link_unref(struct link *link);
void link_watch(struct link *link);
/* Empty again; its memory is kept when it is little. */
void link_keep_small(struct buf *buf, size_t *sent);
static inline size_t link_unsent(const struct link *link)
{
	return link->out.size - link->out_sent + link->wire.size - link->wire_sent;
}

/* link_input.c */
void link_on_poll(uv_poll_t *handle, int status, int events);

/* open.c */
void link_open(struct peer *peer);
void link_connected(struct link *link);
/* Nobody is there: goes on to the next address, or closes the link. It may be gone then. */
void link_connect_failed(struct link *link, const char *reason);
/* How long its address may take, in milliseconds. */
int64_t link_connect_limit(const struct link *link);
void link_try_again_soon(struct link *link, const char *reason);

/* greet.c */
void link_say_hello(struct link *link, struct slice to);
void link_secure(struct link *link);
void link_greeted(struct link *link, char type, struct slice payload);
void link_refuse(struct link *link, const char *text);

/* listen.c */
int dist_listen(struct dist *dist, const struct dist_options *options, struct error *err);
int dist_watch_listener(struct dist *dist);
void dist_close_listener(struct dist *dist);

/* serve.c */
/* Of a REQUESTS frame. Returns how much of it is done; what is not, because too much is unsent, is a frame itself. */
size_t serve_requests(struct link *link, struct slice whole);
void serve_run(struct dist *dist);
void serve_end_batch(struct dist *dist);
void serve_collect(struct dist *dist);
void serve_done(struct dist *dist);

/* relay.c */
void relay_begin(struct link *link);
void relay_input(struct link *link);
void relay_watch(struct link *link);
void relay_drain(struct link *link);
void relay_close(struct link *link);

/* refusal.c */
void refusal_log(struct dist *dist, const struct link *link, const char *reason);

#endif
