/* SPDX-License-Identifier: MIT */
/* A node that runs as a process of its own, and what can be asked of it: for the tests of the runtime as a whole, whose
 * suites have `begin` and `end` as .init and .fini. */
#ifndef TEST_NODE_BOOTED_H
#define TEST_NODE_BOOTED_H

#include "base/buf.h"
#include "base/control.h"
#include "base/scope.h"
#include "bundle.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bundle bundle;
static struct process node;
static const char *output;

static inline void begin(void)
{
	t_bundle_init(&bundle);
	node.pid = 0;
}

static inline void end(void)
{
	if (node.pid > 0)
		kill(node.pid, SIGKILL);
	t_bundle_done(&bundle);
}

static const char *const start[] = { "start", NULL };

static inline void boot(void)
{
	t_process_start(&node, start, true);
	const char *line = t_process_ready(&bundle, &node);
	cr_assert_str_eq(line, "ready\n");
}

static inline int stop(int signal_number)
{
	kill(node.pid, signal_number);
	int code = t_process_wait(&bundle, &node, &output);
	node.pid = 0;
	return code;
}

/* ---- the control socket ---- */

static char frame[CONTROL_FRAME_MAX];

static inline int open_client(void)
{
	char dir[4096];
	struct error err;
	int fd = -1;
	char type;
	struct slice hello;
	cr_assert(control_dir(dir, sizeof(dir), bundle.root, false, &err) == 0, "%s", err.message);
	cr_assert(control_connect(dir, "foo@here", &fd, &err) == 0, "%s", err.message);
	cr_assert(control_receive(fd, frame, sizeof(frame), &type, &hello, &err) == 1);
	cr_assert(type == CONTROL_HELLO && hello.data[0] == CONTROL_VERSION);
	cr_assert(slice_ends(hello, SLICE("foo 0.0.1 foo@here")));
	return fd;
}

/* The next frame's payload, in the arena; its type in *type. */
static inline const char *next(int fd, char *type)
{
	struct slice payload;
	struct error err;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	cr_assert(poll(&wait, 1, 20000) == 1, "no answer for 20 seconds");
	int rc = control_receive(fd, frame, sizeof(frame), type, &payload, &err);
	if (rc == 0) {
		*type = 0;
		return "";
	}
	cr_assert(rc == 1, "%s", err.message);
	return arena_copy(&bundle.arena, payload);
}

/* Everything up to DONE: what was printed, errors marked by '!'; the exit code at the end. */
static inline const char *conversation(int fd)
{
	SCOPE(buf_done) struct buf text = { 0 };
	for (;;) {
		char type;
		const char *payload = next(fd, &type);
		if (type == CONTROL_DONE || type == 0) {
			buf_printf(&text, type == 0 ? "gone" : "=%d", (unsigned char)payload[0]);
			return arena_copy(&bundle.arena, buf_slice(&text));
		}
		buf_printf(&text, "%s%s", type == CONTROL_ERR ? "!" : "", payload);
	}
}

static inline void send_rpc(int fd, const char *flags, const char *text)
{
	SCOPE(buf_done) struct buf request = { 0 };
	buf_append(&request, flags, strlen(flags) + 1);
	buf_append(&request, "(rpc)", 6);
	buf_append_string(&request, text);
	buf_append(&request, "\0one\0two", 8);
	cr_assert(control_send(fd, CONTROL_RPC, buf_slice(&request), NULL) == 0);
}

static inline const char *rpc(const char *text)
{
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", text);
	return conversation(fd);
}

#endif
