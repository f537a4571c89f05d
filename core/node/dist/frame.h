/* SPDX-License-Identifier: MIT */
/*
 * What nodes say to each other, as bytes. Pure: no sockets, no state.
 *
 * A frame is u32 length (big-endian, of what follows), u8 type, payload. Numbers are big-endian. A link begins with a
 * HELLO each way, the opener's first; a channel for commands begins with CONTROL, is answered by CONTROL and carries
 *the bytes of base/control.h from then on. REFUSE may take the place of either answer: a line of text, then the end.
 *
 *	HELLO     u32 version, u64 instance, u16 name, u16 name     from and to; an instance is one life of a node
 *	CONTROL   u32 version, u16 name                             the node that is meant; empty in the answer
 *	REQUESTS  u64 trace, u32 timeout_ms, u8 name op, u8 count {u8 name} seen,
 *	          then to the end {u64 id, size count, {size bytes} arguments}
 *	REPLIES   to the end {u64 id, u8 status and kind, result}   result: nothing | i64 | size bytes | u32 count
 *{value} value: u8 kind, then u32 0 | i64 | u32 bytes | u32 count {value} TWICE another link of the two is there
 *already PING, PONG                                                  is the link alive?
 *
 * A size is one byte, or 0xff and four where that byte would not do. Requests that have all but their ids and arguments
 * in common share a frame: most of what a request says is said once in hundreds. The n-th of them bears the trace n
 * behind the first one's. Nothing refers to an earlier frame, so frames of several writers may follow each other.
 *
 * Every length is checked against what is there before it is believed, so decoding allocates at most a small multiple
 * of the frame's own size, and a frame is at most FRAME_MAX bytes.
 *
 * Two nodes must have the same FRAME_VERSION: the one that is asked refuses the other, and both say why. Commands from
 * other hosts do not depend on it: what is said on their channel has versions of its own.
 */
#ifndef NODE_DIST_FRAME_H
#define NODE_DIST_FRAME_H

#include "base/buf.h"
#include "kvrel/component.h"

enum {
	FRAME_VERSION = 2,   /* of links */
	CHANNEL_VERSION = 1, /* of channels for commands */
	FRAME_HEADER_BYTES = 5,
	FRAME_MAX = 32 << 20,      /* payload and type */
	FRAME_GREETING_MAX = 1024, /* before both sides know each other */
	FRAME_NAME_MAX = 255,
	FRAME_SEEN_MAX = 32, /* nodes that a request may pass */
	FRAME_DEPTH_MAX = 4, /* of lists in a reply */
	FRAME_ARGS_MAX = 1 << 20,
	FRAME_SHARED_MAX = 4096, /* a frame of this size takes no more requests, or replies */
};

enum frame_type {
	FRAME_HELLO = 'H',
	FRAME_CONTROL = 'C',
	FRAME_REFUSE = 'X',
	FRAME_TWICE = '2',
	FRAME_REQUESTS = 'Q',
	FRAME_REPLIES = 'R',
	FRAME_PING = 'p',
	FRAME_PONG = 'o',
};

struct frame_hello {
	uint32_t version;
	uint64_t instance;
	struct slice from;
	struct slice to;
};

struct frame_request {
	uint64_t id;
	uint64_t trace;      /* one for all the nodes that a request passes */
	uint32_t timeout_ms; /* what is left of it */
	struct slice op;     /* "kv.put"; empty: only an answer is asked for */
	struct slice seen[FRAME_SEEN_MAX];
	uint32_t seen_count;
	const struct kvrel_slice *args;
	uint32_t arg_count;
};

/* The first frame of `input`: 1, 0 when more bytes are needed, -1 when it is empty or longer than `max`. */
int frame_next(struct slice input, size_t max, char *type, struct slice *payload, size_t *consumed);

/* The writers append a whole frame; a buffer over its cap has `failed` set. */
void frame_put(struct buf *out, enum frame_type type, struct slice payload);
void frame_put_hello(struct buf *out, const struct frame_hello *hello);
void frame_put_control(struct buf *out, struct slice to);
/*
 * The last frame of a buffer, as long as more may be added to it: until something else is appended, or bytes are taken
 * out. A zeroed one: there is none. Whoever takes bytes out or puts others in clears it.
 */
struct frame_open {
	size_t at, end;
	uint64_t next_trace;
};
/* False when it would be longer than FRAME_MAX, or has too many arguments; nothing is written then. */
bool frame_add_request(struct buf *out, struct frame_open *open, const struct frame_request *request);
bool frame_add_reply(struct buf *out, struct frame_open *open, uint64_t id, const struct kvrel_result *result);

/* The readers return false on anything that the writers would not write. Slices point into `payload`. */
bool frame_get_hello(struct slice payload, struct frame_hello *out);
bool frame_get_control(struct slice payload, uint32_t *version, struct slice *to);
/* What all requests of the frame share; `*rest` are the requests, one at least. */
bool frame_get_shared(struct slice payload, struct frame_request *out, struct slice *rest);
/* The next request's id and number of arguments, which frame_get_args() reads next: as many as there may be room for.
 * The trace of the one behind it is one more. */
bool frame_get_request(struct slice *rest, struct frame_request *out);
bool frame_get_args(struct slice *rest, struct kvrel_slice *out, uint32_t count);
/*
 * Makes the last requests of a frame, `rest`, the first ones of a frame that begins within it; their own trace begins
 * with `trace`. Returns that frame. What was before them is overwritten.
 */
struct slice frame_cut(struct slice whole, struct slice rest, uint64_t trace);

/* Memory for the items of a reply, kept from one to the next. A zeroed one is empty. */
struct frame_items {
	struct kvrel_result *items;
	size_t count, capacity;
};
void frame_items_done(struct frame_items *items);
/* Nothing of them is needed any more: much memory goes back. */
void frame_items_rest(struct frame_items *items);
/* The next reply of a frame; `out` is valid until the next one that has items. */
bool frame_get_reply(struct slice *rest, uint64_t *id, struct kvrel_result *out, struct frame_items *items);

#endif
