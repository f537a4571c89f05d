/* SPDX-License-Identifier: MIT */
/*
 * What a component exports and what the node offers it: the one public header of kvrel.
 *
 * A component is a shared object plus a component.yaml. It exports one function, kvrel_component(), that returns a
 * table. The node looks at the table's ABI stamp before anything else, checks that the name is the one in the
 * component.yaml, and calls start() when all the components it depends on have started. Everything a component needs
 * it gets from the table of functions handed to start(): it links neither the node nor another component.
 *
 * Operations are how components offer something to each other, to consoles and to other nodes: a named function over
 * byte strings that completes now or later. kv offers "kv.put"; a front-end looks it up by name and submits calls.
 *
 *	front-end: receive() parses all complete requests of one read, one request() each
 *	node:      prefetch() of each call, then run() of each, then batch_ran() of the provider, before replies are
 *	           sent; batch_end() once a wake-up
 *	provider:  completes each call exactly once, at once or later, from any thread
 *	front-end: encode() of each result, on the connection's thread, in the order of the requests
 *
 * Threads. start, stop and config_changed run on the node's main thread, one at a time. receive, encode, prefetch, run,
 * batch_ran and batch_end run on worker threads; one connection stays on one worker for life. Calls of consoles and of
 * start-up code run with worker == KVREL_NO_WORKER on a thread of their own; batch_end follows each of them.
 *
 * Everything here is C, and stays layout-compatible within one KVREL_ABI: tables carry their size and only grow at the
 * end.
 */
#ifndef KVREL_COMPONENT_H
#define KVREL_COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVREL_ABI 0x4b560001u

struct kvrel_node;  /* one component's view of the node; valid from start() until stop() returns */
struct kvrel_conn;  /* one connection of a front-end */
struct kvrel_value; /* a configuration value, read-only, valid until the next config_changed */
struct kvrel_api;

/* Borrowed bytes: no terminator, may hold NUL. */
struct kvrel_slice {
	const char *data;
	size_t size;
};

/* ---- results ------------------------------------------------------------------------------------------------ */

enum kvrel_status {
	KVREL_OK,
	KVREL_NOT_FOUND,  /* the container (kv: the bucket) does not exist; a missing key is OK with NIL */
	KVREL_WRONG_ARGS, /* number or form of the arguments */
	KVREL_ERROR       /* `bytes` says why, one line */
};

enum kvrel_kind { KVREL_NIL, KVREL_INT, KVREL_BYTES, KVREL_LIST, KVREL_PAIRS };

/* LIST has `count` items; PAIRS has `count` items too: key, value, key, value … Valid during the complete() call only.
 */
struct kvrel_result {
	enum kvrel_status status;
	enum kvrel_kind kind;
	int64_t integer;
	struct kvrel_slice bytes;
	const struct kvrel_result *items;
	size_t count;
};

/* Where encode() writes, with kvrel_out_room() and kvrel_out_add() below or the api's functions. The node's; bigger
 * than this. */
struct kvrel_out {
	char *data;
	size_t size; /* written so far */
	size_t capacity;
};

/* ---- operations ---------------------------------------------------------------------------------------------- */

#define KVREL_NO_WORKER  UINT32_MAX
#define KVREL_ASIDES_MAX 64 /* requests outside the order that one connection may have on their way */

struct kvrel_call;
struct kvrel_route;
typedef void kvrel_complete_fn(struct kvrel_call *call, const struct kvrel_result *result);

/*
 * One request on its way. Made by the node; a provider gets it in prefetch and run and owns it from run until it calls
 * call->complete(call, result), exactly once, from any thread, also from inside run.
 * args are valid until run returns: what is needed later must be copied.
 */
struct kvrel_call {
	const struct kvrel_slice *args;
	uint32_t arg_count;
	uint32_t worker;             /* which worker runs it, 0 … workers-1, or KVREL_NO_WORKER */
	kvrel_complete_fn *complete; /* set by whoever made the call */
	uint64_t scratch[4];         /* the provider's, from prefetch to completion; zero at first */
	struct kvrel_call *next;     /* the provider's, for its queues */
	const struct kvrel_op *op;   /* set by whoever made the call */
	/* Which nodes it has passed: NULL when it began on this one. Valid until run returns. */
	const struct kvrel_route *route;
};

enum kvrel_op_flags {
	KVREL_OP_READ = 1,
	KVREL_OP_WRITE = 2,
	KVREL_OP_WAITS = 4 /* perhaps for ever: for front-ends, not for consoles; stop() completes it */
};

struct kvrel_op {
	const char *name;   /* "put"; users see COMPONENT.put */
	const char *params; /* "bucket, key, value", for help and messages */
	const char *doc;    /* one sentence */
	uint16_t min_args;
	uint16_t max_args; /* UINT16_MAX: any number */
	uint32_t flags;
	/*
	 * May be NULL. Touches the memory that run() will need; must not block or complete. A call whose connection
	 * has no room for its reply is not run in this wake-up, or never: in a later one it begins here again.
	 */
	void (*prefetch)(void *state, struct kvrel_call *call);
	/* Must not block: what has to wait completes later. arg_count is within the limits above. */
	void (*run)(void *state, struct kvrel_call *call);
};

/* An operation bound to the running component that provides it. Owned by the node, valid until stop() returns. */
struct kvrel_op_ref {
	const struct kvrel_op *op;
	void *state;
};

/* ---- what a component exports --------------------------------------------------------------------------------- */

struct kvrel_component {
	uint32_t abi;  /* KVREL_ABI */
	uint32_t size; /* sizeof(struct kvrel_component) */
	const char *name;
	const struct kvrel_op *ops;
	size_t op_count;
	/*
	 * Starts; *state comes back in every later call. 0, or -1 after api->fail() said why. Blocks until the
	 * component is ready to serve: after a return of 0 a listener accepts and operations work.
	 */
	int (*start)(struct kvrel_node *node, const struct kvrel_api *api, void **state);
	/* Blocks until done. Listeners are closed and connections drained before the first component is stopped. */
	void (*stop)(void *state);
	/* May be NULL. One wake-up's calls have all been run; `worker` may be KVREL_NO_WORKER. */
	void (*batch_end)(void *state, uint32_t worker);
	/* May be NULL. A live setting has a new value. 0, or -1 after api->fail(): the old one comes back. */
	int (*config_changed)(void *state, const char *key);
	/*
	 * May be NULL. Some of a wake-up's calls have been run, and what they were answered is about to be sent: a
	 * provider that has collected something completes it here. batch_end comes later, perhaps after several of
	 * these; it may come without.
	 */
	void (*batch_ran)(void *state, uint32_t worker);
};

typedef const struct kvrel_component *kvrel_component_fn(void);
#define KVREL_COMPONENT_SYMBOL "kvrel_component"
/* What a component defines: KVREL_EXPORT const struct kvrel_component *kvrel_component(void) { … } */
#ifdef __cplusplus
#define KVREL_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define KVREL_EXPORT __attribute__((visibility("default")))
KVREL_EXPORT kvrel_component_fn kvrel_component; /* in C++ it would hide the type of this name */
#endif

/* ---- front-ends ------------------------------------------------------------------------------------------------ */

/*
 * A protocol over TCP. The node owns sockets and buffers; the protocol parses and encodes.
 * The `conn_bytes` of state of a connection are zeroed at its start.
 */
struct kvrel_protocol {
	uint32_t size; /* sizeof(struct kvrel_protocol) */
	const char *name;
	size_t conn_bytes;
	size_t input_max; /* an unconsumed rest longer than this closes the connection */
	/*
	 * New bytes, behind the rest that earlier calls left. Parses as many complete requests as there are, calls
	 * api->request() for each, and returns how many bytes it consumed (their memory stays valid until the batch is
	 * done). Stops early when request() returns false; it is called again later with the rest, and never before the
	 * batch that holds its requests has run.
	 * api->close_after() ends the connection once everything so far is answered.
	 */
	size_t (*receive)(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input);
	/*
	 * Writes the reply to the request made with `tag`. Requests without an operation: result is NULL, or what was
	 * given to request() as BYTES. Other requests may have been parsed since: what it needs to know about its own
	 * is in the tag, not in the connection's state.
	 */
	void (*encode)(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		       struct kvrel_out *out);
	void (*opened)(struct kvrel_conn *conn, void *conn_state); /* may be NULL */
	void (*closed)(struct kvrel_conn *conn, void *conn_state); /* may be NULL */
	/* Sent to a connection that is refused because there are too many; may be empty. */
	struct kvrel_slice refusal;
};

/* ---- what the node offers --------------------------------------------------------------------------------------- */

enum kvrel_log_level { KVREL_DEBUG, KVREL_INFO, KVREL_NOTICE, KVREL_WARN, KVREL_FAILURE };

enum kvrel_value_type {
	KVREL_VALUE_NULL,
	KVREL_VALUE_BOOL,
	KVREL_VALUE_INT,
	KVREL_VALUE_FLOAT,
	KVREL_VALUE_STRING,
	KVREL_VALUE_LIST,
	KVREL_VALUE_MAP
};

enum kvrel_metric_type { KVREL_GAUGE, KVREL_COUNTER };

/* Valid during the call that gives it. */
struct kvrel_metric {
	const char *name; /* "kvrel_requests"; [a-z_]+, without a suffix for counters */
	const char *help; /* one sentence; lives as long as the node */
	enum kvrel_metric_type type;
	const char *label; /* NULL: none */
	struct kvrel_slice label_value;
	double value;
};
typedef void kvrel_metric_fn(void *context, const struct kvrel_metric *metric);

struct kvrel_api {
	uint32_t abi;
	uint32_t size;

	/* Says why start or config_changed returns -1; one line, shown to the operator. */
	void (*fail)(struct kvrel_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
	/* Any thread. A component that cannot go on says so and returns; its mode decides what the node does. */
	void (*failed)(struct kvrel_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
	void (*log)(struct kvrel_node *node, enum kvrel_log_level level, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

	/* Configuration of this component, checked against component.yaml: a key it declares with a default is never
	 * NULL. */
	const struct kvrel_value *(*config)(struct kvrel_node *node, const char *key);
	enum kvrel_value_type (*value_type)(const struct kvrel_value *value);
	bool (*value_bool)(const struct kvrel_value *value);
	/* Also what sizes (bytes), durations (milliseconds) and ports come as. */
	int64_t (*value_int)(const struct kvrel_value *value);
	struct kvrel_slice (*value_string)(const struct kvrel_value *value); /* NUL-terminated */
	size_t (*value_count)(const struct kvrel_value *value);
	const struct kvrel_value *(*value_item)(const struct kvrel_value *list, size_t index);
	const struct kvrel_value *(*value_get)(const struct kvrel_value *map, const char *key);
	/* "releases.yaml:12:7", for messages; into out. */
	const char *(*value_origin)(const struct kvrel_value *value, char *out, size_t out_size);

	const char *(*node_name)(struct kvrel_node *node); /* "foo@host" */
	const char *(*data_dir)(struct kvrel_node *node);  /* RELEASE_DATA, exists, writable, absolute */
	uint32_t (*worker_count)(struct kvrel_node *node);

	/* "kv.put": of a component that this one depends on; NULL after fail() otherwise. At start only. */
	const struct kvrel_op_ref *(*op)(struct kvrel_node *node, const char *name);
	/*
	 * Runs an operation outside a connection and waits for its result. Not on a worker thread. `take` gets the
	 * result while it is valid. Returns the status.
	 */
	enum kvrel_status (*call)(struct kvrel_node *node, const struct kvrel_op_ref *op,
				  const struct kvrel_slice *args, uint32_t arg_count,
				  void (*take)(void *context, const struct kvrel_result *result), void *context);

	/*
	 * Listens; the node accepts once start() has returned 0, spreads connections over the workers and closes the
	 * listener at stop, or when start() fails. address: numeric IPv4 or IPv6, port 0 takes a free one. The protocol
	 * table must live until stop(). Returns the port, or -1 after fail().
	 */
	int (*listen)(struct kvrel_node *node, const struct kvrel_protocol *protocol, void *protocol_state,
		      const char *address, uint16_t port);
	/* The protocol_state given to listen(). */
	void *(*conn_state)(struct kvrel_conn *conn);
	const char *(*conn_peer)(struct kvrel_conn *conn); /* "127.0.0.1:5000" */
	/*
	 * From receive() only. Takes the next reply slot of the connection. op NULL: there is nothing to ask; encode()
	 * gets a NULL result without arguments, or the bytes of args[0] (copied if they have to wait). args must point
	 * into the input or live until the batch is done; the array itself is copied. An argument count that the
	 * operation does not take is answered with WRONG_ARGS.
	 * False: there is no room, nothing was taken, return what is consumed so far.
	 */
	bool (*request)(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
			uint32_t arg_count, uint32_t tag);
	/* From receive() only: no more input is read; closes when all is answered and sent. */
	void (*close_after)(struct kvrel_conn *conn);

	/* From encode() only. */
	void (*out_bytes)(struct kvrel_out *out, const void *data, size_t size);
	/* Room for `size` bytes to write in place, then out_commit(what was used); NULL without memory. */
	char *(*out_reserve)(struct kvrel_out *out, size_t size);
	void (*out_commit)(struct kvrel_out *out, size_t used);

	/*
	 * Any thread but a worker's. Gives all figures of this node, its own first, then those of each component that
	 * has an operation `stats` without arguments that returns pairs of names and numbers.
	 */
	void (*metrics)(struct kvrel_node *node, kvrel_metric_fn *take, void *context);
	/* Any thread. Does the node serve? False with the reason, one line. */
	bool (*healthy)(struct kvrel_node *node, char *reason, size_t reason_size);

	/*
	 * From run() of this component's own operation. Hands the call to the same operation of another node,
	 * "foo@host": it is completed once, by that node's result or with an error. Its arguments are copied. Never
	 * repeated: when the link is lost after the request was sent, the error says that the outcome is unknown.
	 */
	void (*forward)(struct kvrel_node *node, struct kvrel_call *call, const char *target, uint32_t timeout_ms);

	/*
	 * From receive() and encode(). A request outside the order: encode() gets its result with `tag` whenever it
	 * comes, between the replies to others, for what is told without being asked for. The arguments are copied.
	 * While too much is unsent it waits. False: there are KVREL_ASIDES_MAX of this connection already, or no
	 * memory. The one whose result encode() has in hand counts no more.
	 */
	bool (*request_aside)(struct kvrel_conn *conn, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
			      uint32_t arg_count, uint32_t tag);

	/*
	 * First in each thread that a component makes: gives it a stack to report a crash from, so that one that used
	 * up its own is reported too. Taken back at the thread's end. Without it a crash of any other kind is still
	 * reported.
	 */
	void (*thread_begin)(struct kvrel_node *node);

	/*
	 * Any thread, as long as closed() has not returned: breaks a connection off, soon. What it has not been sent by
	 * then is lost; closed() follows as always.
	 */
	void (*conn_cut)(struct kvrel_conn *conn);

	/*
	 * From run() of an operation that completes the call later and keeps a large result for it meanwhile, `bytes`
	 * of it: once a call, before another thread can complete it. They count as unsent: who asks for more of them
	 * than there is room for waits. Not worth a call for a few KiB.
	 */
	void (*call_held)(struct kvrel_call *call, size_t bytes);

	/*
	 * Any thread. While `hold` is true no call of this component's operations with KVREL_OP_WRITE is run that a
	 * connection or another node brings: it waits, and with it what the same connection asked for behind it;
	 * others go on. For a provider that cannot take more for a while and need not refuse it. One that has begun
	 * may still follow, and calls of consoles do.
	 */
	void (*hold_writes)(struct kvrel_node *node, bool hold);
};

/* api->out_reserve() and out_commit() without a call for most replies. `size` is not 0. */
static inline char *kvrel_out_room(const struct kvrel_api *api, struct kvrel_out *out, size_t size)
{
	return size <= out->capacity - out->size ? out->data + out->size : api->out_reserve(out, size);
}

static inline void kvrel_out_add(struct kvrel_out *out, size_t used)
{
	out->size += used;
}

#ifdef __cplusplus
}
#endif
#endif
