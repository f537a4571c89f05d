/* SPDX-License-Identifier: MIT */
/*
 * The terminal stays in its line mode: the kernel edits the line, and nothing has to be put back when the process dies.
 * One poll() waits for the user, the node and Ctrl-C together, so that the end of the node is seen at an idle prompt.
 */
#include "node/console.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/control_server.h"
#include "node/node.h"
#include "node/signals.h"
#include "script/script.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = CONTROL_FRAME_MAX - 64, READ_BYTES = 4096 };

struct console {
	int fd;
	bool terminal;
	struct buf input; /* read from stdin and not used yet */
	bool end_of_input;
	bool failed; /* an expression did */
	char *frame;
};

static int interrupt_fd = -1;

void console_interrupt(void)
{
	uint64_t one = 1;
	ssize_t ignored = write(interrupt_fd, &one, sizeof(one));
	(void)ignored;
}

static int open_interrupts(struct error *err)
{
	if (interrupt_fd < 0)
		interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return interrupt_fd >= 0 ? 0 : error_system(err, errno, "cannot make an eventfd");
}

static void say(int fd, struct slice text)
{
	(void)fs_write_all(fd, text.data, text.size, NULL);
}

/* ---- waiting ---- */

enum event { EVENT_NODE, EVENT_INPUT, EVENT_INTERRUPT, EVENT_ERROR };

static enum event wait_event(const struct console *console, bool for_input)
{
	struct pollfd fds[] = {
		{ .fd = interrupt_fd, .events = POLLIN },
		{ .fd = console->fd, .events = POLLIN },
		{ .fd = for_input ? STDIN_FILENO : -1, .events = POLLIN },
	};
	while (poll(fds, ARRAY_LEN(fds), -1) < 0) {
		if (errno != EINTR)
			return EVENT_ERROR;
	}
	uint64_t count;
	if (fds[0].revents != 0 && read(interrupt_fd, &count, sizeof(count)) > 0)
		return EVENT_INTERRUPT;
	return fds[1].revents != 0 ? EVENT_NODE : EVENT_INPUT;
}

static void read_more(struct console *console)
{
	char *room = buf_reserve(&console->input, READ_BYTES);
	ssize_t got = room != NULL ? read(STDIN_FILENO, room, READ_BYTES) : 0;
	if (got > 0)
		console->input.size += (size_t)got;
	else if (got == 0 || errno != EINTR)
		console->end_of_input = true;
}

/* ---- the conversation ---- */

static bool take_line(struct console *console, struct slice *line)
{
	struct slice rest;
	if (slice_split(buf_slice(&console->input), '\n', line, &rest))
		return true;
	return console->end_of_input && line->size > 0; /* a last line without its end */
}

/* Ctrl-C at the prompt: the node asks afresh. */
static bool cancel_text(struct console *console)
{
	buf_clear(&console->input);
	say(STDOUT_FILENO, SLICE("\n"));
	return control_send(console->fd, CONTROL_INTERRUPT, (struct slice){ 0 }, NULL) == 0;
}

/* Answers a PROMPT with a line. False: the user leaves or the node went. */
static bool answer_prompt(struct console *console, struct slice prompt)
{
	struct slice line;
	if (console->terminal)
		say(STDOUT_FILENO, prompt);
	while (!take_line(console, &line)) {
		if (console->end_of_input)
			return false;
		enum event event = wait_event(console, true);
		if (event == EVENT_INPUT)
			read_more(console);
		else if (event == EVENT_INTERRUPT)
			return cancel_text(console);
		else
			return true; /* the node says something: that comes first */
	}
	bool sent = control_send(console->fd, CONTROL_LINE, line, NULL) == 0;
	size_t used = line.size < console->input.size ? line.size + 1 : line.size;
	buf_consume(&console->input, used);
	return sent;
}

static int finish(struct console *console, struct slice payload)
{
	if (payload.size > 1 && console->terminal) {
		say(STDOUT_FILENO, SLICE("\n"));
		say(STDOUT_FILENO, (struct slice){ payload.data + 1, payload.size - 1 });
		say(STDOUT_FILENO, SLICE("\n"));
	}
	return payload.size > 0 ? (unsigned char)payload.data[0] : 1;
}

static int leave(struct console *console)
{
	if (console->terminal)
		say(STDOUT_FILENO, SLICE("\n"));
	return console->failed && !console->terminal ? 1 : 0;
}

static int converse(struct console *console)
{
	for (;;) {
		enum event event = wait_event(console, false);
		if (event == EVENT_INTERRUPT) {
			if (control_send(console->fd, CONTROL_INTERRUPT, (struct slice){ 0 }, NULL) != 0)
				return 1;
			continue;
		}
		char type;
		struct slice payload;
		struct error err;
		int rc = control_receive(console->fd, console->frame, CONTROL_FRAME_MAX, &type, &payload, &err);
		if (rc <= 0) {
			say(STDERR_FILENO, SLICE("the node closed the connection\n"));
			return 1;
		}
		if (type == CONTROL_DONE)
			return finish(console, payload);
		if (type == CONTROL_ERR)
			console->failed = true;
		if (type == CONTROL_OUT || type == CONTROL_ERR)
			say(type == CONTROL_OUT ? STDOUT_FILENO : STDERR_FILENO, payload);
		if (type == CONTROL_PROMPT && !answer_prompt(console, payload))
			return leave(console);
	}
}

/* ---- the two ways ---- */

static void say_banner(struct slice hello)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct slice name;
	struct slice version;
	struct slice node;
	slice_split((struct slice){ hello.data + 5, hello.size - 5 }, ' ', &name, &version);
	slice_split(version, ' ', &version, &node);
	const unsigned char *pid = (const unsigned char *)hello.data + 1;
	buf_printf(&text,
		   "%.*s %.*s on %.*s, process %u (runtime %s)\n"
		   "Lua 5.4; help() lists what there is, Ctrl-C ends an expression, Ctrl-D leaves.\n",
		   SLICE_FMT(name), SLICE_FMT(version), SLICE_FMT(node),
		   (unsigned)pid[0] << 24 | (unsigned)pid[1] << 16 | (unsigned)pid[2] << 8 | pid[3], KVREL_VERSION);
	say(STDOUT_FILENO, buf_slice(&text));
}

/* A whole script runs as one text, so that its locals live; anything else is taken line by line. */
static bool is_script(struct slice text)
{
	lua_State *lua = luaL_newstate();
	if (lua == NULL)
		return false;
	bool compiles = luaL_loadbufferx(lua, text.data, text.size, "stdin", "t") == LUA_OK;
	lua_close(lua);
	return compiles;
}

static int send_request(struct console *console, struct error *err)
{
	if (console->terminal)
		return control_send(console->fd, CONTROL_CONSOLE, (struct slice){ 0 }, err);
	while (!console->end_of_input)
		read_more(console);
	if (console->input.failed)
		return error_set(err, ERROR_LIMIT, "stdin is longer than %d bytes", INPUT_MAX_BYTES);
	if (!is_script(buf_slice(&console->input)))
		return control_send(console->fd, CONTROL_CONSOLE, (struct slice){ 0 }, err);
	SCOPE(buf_done) struct buf request = { 0 };
	buf_append(&request, "\0stdin\0", 7);
	buf_append_slice(&request, buf_slice(&console->input));
	if (request.failed || memchr(console->input.data != NULL ? console->input.data : "", '\0', console->input.size))
		return error_set(err, ERROR_INVALID, "stdin holds NUL bytes");
	return control_send(console->fd, CONTROL_RPC, buf_slice(&request), err);
}

static int open_conversation(struct console *console, struct error *err)
{
	char type;
	struct slice hello;
	int rc = control_receive(console->fd, console->frame, CONTROL_FRAME_MAX, &type, &hello, err);
	if (rc < 0)
		return rc;
	if (rc == 0 || type != CONTROL_HELLO || hello.size < 5 || hello.data[0] != CONTROL_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "the node speaks another version of the control protocol");
	if (console->terminal)
		say_banner(hello);
	return send_request(console, err);
}

int console_run(int fd)
{
	struct error err;
	SCOPE_FREE char *frame = malloc(CONTROL_FRAME_MAX);
	struct console console = { .fd = fd, .terminal = isatty(STDIN_FILENO) == 1, .frame = frame };
	buf_init(&console.input, INPUT_MAX_BYTES);
	int rc = frame == NULL ? error_set(&err, ERROR_NO_MEMORY, "no memory for a console") : open_interrupts(&err);
	if (rc == 0)
		rc = open_conversation(&console, &err);
	int code = 1;
	if (rc == 0) {
		code = converse(&console);
	} else {
		say(STDERR_FILENO, SLICE("ERROR: "));
		say(STDERR_FILENO, slice_of(err.message));
		say(STDERR_FILENO, SLICE("\n"));
	}
	buf_done(&console.input);
	return code;
}

/* ---- on the node's own terminal ---- */

static struct {
	const struct node *node;
	pthread_t thread;
	int fd;
	bool running;
} attached = { .fd = -1 };

static void *run_attached(void *unused)
{
	(void)unused;
	(void)console_run(attached.fd);
	/* the session ends with its client; from here on Ctrl-C stops the node */
	shutdown(attached.fd, SHUT_RDWR);
	signals_redirect_interrupt(NULL);
	if (attached.node->state == NODE_RUNNING)
		say(STDOUT_FILENO, SLICE("The console is closed, the node goes on; Ctrl-C stops it.\n"));
	return NULL;
}

int console_attach(struct node *node, struct error *err)
{
	int fds[2];
	if (isatty(STDIN_FILENO) != 1)
		return error_set(err, ERROR_FAILED, "stdin is no terminal");
	int rc = open_interrupts(err);
	if (rc != 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return error_system(err, errno, "cannot make a pair of sockets");
	attached.node = node;
	attached.fd = fds[1];
	rc = control_server_attach(node->control, fds[0], err);
	if (rc != 0)
		return rc;
	int failed = pthread_create(&attached.thread, NULL, run_attached, NULL);
	if (failed != 0)
		return error_system(err, failed, "cannot start the console's thread");
	attached.running = true;
	signals_redirect_interrupt(console_interrupt);
	return 0;
}

void console_detach(void)
{
	if (!attached.running)
		return;
	shutdown(attached.fd, SHUT_RDWR);
	pthread_join(attached.thread, NULL);
	attached.running = false;
	close(TAKE_FD(attached.fd));
}
