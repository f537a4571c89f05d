/* SPDX-License-Identifier: MIT */
/* Nodes of a test by sname, in a folder of its own, and what a peer of the test's making says to them. */
#ifndef T_FIXTURE_H
#define T_FIXTURE_H

#include "base/buf.h"
#include "base/control.h"
#include "base/scope.h"
#include "node/dist/frame.h"

#include "serving.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

typedef int t_enter_fn(void *context, struct slice op, struct dist_op *out, struct error *err);

/* `memory` 0: as much as usual. */
static inline struct dist *t_start(const char *dir, const char *name, t_enter_fn *enter, size_t memory)
{
	const struct dist_options options = { .name = name,
					      .dir = dir,
					      .heartbeat_ms = 15000,
					      .memory_bytes = memory,
					      .host = { NULL, enter, t_leave, t_control } };
	struct dist *dist = NULL;
	struct error err;
	cr_assert_eq(dist_new(&options, &dist, &err), 0, "%s", err.message);
	return dist;
}

static inline void t_put_hello(struct buf *out, const char *from, const char *to)
{
	const struct frame_hello hello = {
		.version = FRAME_VERSION, .instance = 1, .from = slice_of(from), .to = slice_of(to)
	};
	frame_put_hello(out, &hello);
}

/* To that node; neither connecting nor what follows may take for ever. */
static inline int t_connect_to(const char *dir, const char *node)
{
	enum { MOST_S = 20, TIMES = 10 };
	const struct timeval limit = { .tv_sec = MOST_S };
	char socket_name[FRAME_NAME_MAX + 16];
	struct error err;
	int fd = -1;
	snprintf(socket_name, sizeof(socket_name), "%s.dist", node);
	int rc = control_connect(dir, socket_name, &fd, &err);
	for (int i = 1; i < TIMES && rc == -ERROR_TRY_AGAIN; i++)
		rc = control_connect(dir, socket_name, &fd, &err);
	cr_assert_eq(rc, 0, "%s", err.message);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

/* All of it, or false. */
static inline bool t_say(int fd, struct slice bytes)
{
	while (bytes.size > 0) {
		ssize_t n = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
		if (n < 0)
			return false;
		bytes.data += n;
		bytes.size -= (size_t)n;
	}
	return true;
}

static inline int t_count_replies(struct slice rest)
{
	SCOPE(frame_items_done) struct frame_items items = { 0 };
	struct kvrel_result result;
	uint64_t id;
	int count = 0;
	for (; rest.size > 0; count++)
		cr_assert(frame_get_reply(&rest, &id, &result, &items));
	return count;
}

/* Reads until there are so many replies, or to the end; how many there were, or -1 when it waits for more. */
static inline int t_hear(int fd, int replies_wanted)
{
	SCOPE(buf_done) struct buf in = { 0 };
	struct slice payload;
	size_t consumed;
	char piece[1 << 16];
	char type;
	int replies = 0;
	for (;;) {
		while (frame_next(buf_slice(&in), FRAME_MAX, &type, &payload, &consumed) == 1) {
			replies += type == FRAME_REPLIES ? t_count_replies(payload) : 0;
			buf_consume(&in, consumed);
		}
		if (replies == replies_wanted)
			return replies;
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			return n == 0 || errno == ECONNRESET ? replies : -1;
		buf_append(&in, piece, (size_t)n);
	}
}

#endif
