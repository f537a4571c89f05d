/* SPDX-License-Identifier: MIT */
/*
 * What nodes say to each other, as bytes. Pure: no sockets, no state.
 *
 * A frame is u32 length (big-endian, of what follows), u8 type, payload. Numbers are big-endian. A link begins with a
 * HELLO each way, the opener's first; a channel for commands begins with CONTROL, is answered by CONTROL and carries
 *the bytes of base/control.h from then on. REFUSE may take the place of either answer: a line of text, then the end.
 *
 *	HELLO    u32 version, u64 instance, u16 name, u16 name     from and to; an instance is one life of a node
 *	CONTROL  u32 version, u16 name                             the node that is meant; empty in the answer
 *	REQUEST  u64 id, u64 trace, u32 timeout_ms, u8 name op, u8 count {u8 name} seen, u32 count {u32 bytes} arguments
 *	REPLY    u64 id, u8 status, value                          value: u8 kind, then i64 | u32 bytes | u32 count
 *{value} TWICE                                                      another link of the two is there already PING, PONG
 *is the link alive?
 *
 * Every length is checked against what is there before it is believed, so decoding allocates at most a small multiple
 *of the frame's own size, and a frame is at most FRAME_MAX bytes.
 */
#ifndef NODE_DIST_FRAME_H
#define NODE_DIST_FRAME_H

#include "base/buf.h"
#include "kvrel/component.h"

enum {
	FRAME_VERSION = 1,
	FRAME_HEADER_BYTES = 5,
	FRAME_MAX = 32 << 20,      /* payload and type */
	FRAME_GREETING_MAX = 1024, /* before both sides know each other */
	FRAME_NAME_MAX = 255,
	FRAME_SEEN_MAX = 32, /* nodes that a request may pass */
	FRAME_DEPTH_MAX = 4, /* of lists in a reply */
};

enum frame_type {
	FRAME_HELLO = 'H',
	FRAME_CONTROL = 'C',
	FRAME_REFUSE = 'X',
	FRAME_TWICE = '2',
	FRAME_REQUEST = 'Q',
	FRAME_REPLY = 'R',
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
/* False when it would be longer than FRAME_MAX; nothing is written then. */
bool frame_put_request(struct buf *out, const struct frame_request *request);
bool frame_put_reply(struct buf *out, uint64_t id, const struct kvrel_result *result);

/* The readers return false on anything that the writers would not write. Slices point into `payload`. */
bool frame_get_hello(struct slice payload, struct frame_hello *out);
bool frame_get_control(struct slice payload, uint32_t *version, struct slice *to);
/* Everything but the arguments; then as many arguments as the frame has room for are at `*args`, to be read by
 * frame_get_args(). */
bool frame_get_request(struct slice payload, struct frame_request *out, struct slice *args);
uint64_t frame_request_id(struct slice payload);
bool frame_get_args(struct slice args, struct kvrel_slice *out, uint32_t count);

/* Memory for the items of a reply, kept from one to the next. A zeroed one is empty. */
struct frame_items {
	struct kvrel_result *items;
	size_t count, capacity;
};
void frame_items_done(struct frame_items *items);
bool frame_get_reply(struct slice payload, uint64_t *id, struct kvrel_result *out, struct frame_items *items);

#endif
