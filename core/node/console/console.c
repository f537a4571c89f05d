/* SPDX-License-Identifier: MIT */
/*
 * One poll() waits for the user, the node, signals and, on a node's own terminal, its log, so that everything is seen
 * at an idle prompt, too. What is written while a line is being edited goes above it. Where lines cannot be edited the
 * kernel's line mode has to do.
 */
#include "node/console/console.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/console/console_edit.h"
#include "node/console/console_terminal.h"
#include "node/control/control_server.h"
#include "node/node.h"
#include "node/process/signals.h"
#include "script/script.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = CONTROL_FRAME_MAX - 64, READ_BYTES = 4096, CANDIDATES_MAX = 1024 };

struct console {
	int fd;
	int log_fd; /* -1: none; what the node logs, to be written here */
	bool terminal;
	bool edits;
	bool prompted; /* the node waits for a line */
	bool asked;    /* we wait for its completions */
	bool left;     /* the user does not want more */
	struct buf prompt;
	struct buf input; /* read from stdin and not used yet */
	struct buf log;   /* likewise of the log */
	bool end_of_input;
	struct edit edit;
	struct history history;
	char *frame;
};

/* ---- signals ---- */

static int wake_fd = -1;
static _Atomic bool hung_up;
#define WAKE_INTERRUPT UINT64_C(1)
#define WAKE_LOOK      (UINT64_C(1) << 32)

static void wake(uint64_t why)
{
	ssize_t ignored = write(wake_fd, &why, sizeof(why));
	(void)ignored;
}

void console_interrupt(void)
{
	wake(WAKE_INTERRUPT);
}

void console_resize(void)
{
	wake(WAKE_LOOK);
}

void console_hang_up(void)
{
	atomic_store(&hung_up, true);
	wake(WAKE_LOOK);
}

static void on_resize(int signal_number)
{
	int saved = errno;
	(void)signal_number;
	console_resize();
	errno = saved;
}

static int open_signals(struct error *err)
{
	if (wake_fd < 0)
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		return error_system(err, errno, "cannot make an eventfd");
	struct sigaction action = { .sa_handler = on_resize, .sa_flags = SA_RESTART };
	sigaction(SIGWINCH, &action, NULL);
	return 0;
}

/* ---- writing ---- */

static void say(int fd, struct slice text)
{
	(void)fs_write_all(fd, text.data, text.size, NULL);
}

static void flush_edit(struct console *console)
{
	if (console->edit.out.size > 0)
		say(STDOUT_FILENO, buf_slice(&console->edit.out));
	buf_clear(&console->edit.out);
}

/* Above the line that is being edited. */
static void say_above(struct console *console, int fd, struct slice text)
{
	edit_hide(&console->edit);
	flush_edit(console);
	say(fd, text);
	edit_show(&console->edit);
	flush_edit(console);
}

/* ---- waiting ---- */

enum event { EVENT_NODE, EVENT_INPUT, EVENT_INTERRUPT, EVENT_LOOK, EVENT_LOG, EVENT_ERROR };

static bool wants_input(const struct console *console)
{
	return console->prompted && !console->asked && !console->left && !console->end_of_input;
}

static enum event wait_event(const struct console *console)
{
	struct pollfd fds[] = {
		{ .fd = wake_fd, .events = POLLIN },
		{ .fd = console->log_fd, .events = POLLIN },
		{ .fd = console->fd, .events = POLLIN },
		{ .fd = wants_input(console) ? STDIN_FILENO : -1, .events = POLLIN },
	};
	while (poll(fds, ARRAY_LEN(fds), -1) < 0) {
		if (errno != EINTR)
			return EVENT_ERROR;
	}
	uint64_t why;
	if (fds[0].revents != 0 && read(wake_fd, &why, sizeof(why)) > 0)
		return why % WAKE_LOOK > 0 ? EVENT_INTERRUPT : EVENT_LOOK;
	if (fds[1].revents != 0)
		return EVENT_LOG;
	return fds[2].revents != 0 ? EVENT_NODE : EVENT_INPUT;
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

/* Whole lines only, so that none is torn. */
static void pass_log(struct console *console)
{
	char *room = buf_reserve(&console->log, READ_BYTES);
	ssize_t got = room != NULL ? read(console->log_fd, room, READ_BYTES) : 0;
	if (got <= 0)
		return;
	console->log.size += (size_t)got;
	const char *end = memrchr(console->log.data, '\n', console->log.size);
	if (end == NULL)
		return;
	size_t size = (size_t)(end + 1 - console->log.data);
	say_above(console, STDERR_FILENO, (struct slice){ console->log.data, size });
	buf_consume(&console->log, size);
}

/* ---- answering a prompt ---- */

static bool tell(struct console *console, enum control_type type, struct slice payload)
{
	return control_send(console->fd, type, payload, NULL) == 0;
}

/* The node tells how it went, then the conversation is over. */
static void leave(struct console *console)
{
	console->left = true;
	console->prompted = false;
	terminal_restore();
	shutdown(console->fd, SHUT_WR);
}

static bool take_line(struct console *console, struct slice *line)
{
	struct slice rest;
	if (slice_split(buf_slice(&console->input), '\n', line, &rest))
		return true;
	return console->end_of_input && line->size > 0; /* a last line without its end */
}

static bool use_lines(struct console *console)
{
	struct slice line;
	if (!take_line(console, &line)) {
		if (console->end_of_input && console->terminal)
			say(STDOUT_FILENO, SLICE("\n"));
		if (console->end_of_input)
			leave(console);
		return true;
	}
	console->prompted = false;
	bool sent = tell(console, CONTROL_LINE, line);
	buf_consume(&console->input, line.size < console->input.size ? line.size + 1 : line.size);
	return sent;
}

/* Not where the process is the node itself. */
static void suspend(struct console *console)
{
	if (console->log_fd >= 0)
		return;
	edit_hide(&console->edit);
	flush_edit(console);
	terminal_restore();
	kill(0, SIGTSTP);
	terminal_edit();
	edit_show(&console->edit);
}

static bool on_edit_event(struct console *console, enum edit_event event)
{
	struct slice line = buf_slice(&console->edit.line.text);
	flush_edit(console);
	switch (event) {
	case EDIT_LINE:
		terminal_restore();
		history_add(&console->history, line);
		console->prompted = false;
		return tell(console, CONTROL_LINE, line);
	case EDIT_CANCEL: /* the node asks afresh */
		terminal_restore();
		buf_clear(&console->input);
		console->prompted = false;
		return tell(console, CONTROL_INTERRUPT, (struct slice){ 0 });
	case EDIT_COMPLETE:
		console->asked = true;
		return tell(console, CONTROL_COMPLETE, (struct slice){ line.data, console->edit.line.cursor });
	case EDIT_END:
		leave(console);
		return true;
	case EDIT_SUSPEND:
		suspend(console);
		return true;
	case EDIT_NOTHING:
		break;
	}
	return true;
}

static bool use_keys(struct console *console)
{
	while (wants_input(console) && console->input.size > 0) {
		size_t used;
		enum edit_event event = edit_feed(&console->edit, buf_slice(&console->input), &used);
		buf_consume(&console->input, used);
		if (!on_edit_event(console, event))
			return false;
	}
	if (console->end_of_input && console->prompted && !console->asked)
		leave(console);
	flush_edit(console);
	return true;
}

/* False: the node is gone. */
static bool use_input(struct console *console)
{
	if (!console->prompted || console->asked)
		return true;
	return console->edits ? use_keys(console) : use_lines(console);
}

/* ---- what the node says ---- */

static void on_prompt(struct console *console, struct slice prompt)
{
	console->prompted = !console->left;
	if (console->edits && console->prompted) {
		edit_resize(&console->edit, terminal_columns());
		terminal_edit();
		edit_begin(&console->edit, prompt);
		flush_edit(console);
	} else if (console->terminal && console->prompted) {
		say(STDOUT_FILENO, prompt);
	}
}

static void on_completions(struct console *console, struct slice payload)
{
	SCOPE_FREE struct slice *words = calloc(CANDIDATES_MAX, sizeof(*words));
	size_t count = 0;
	struct slice first;
	struct slice rest;
	int64_t replace = 0;
	console->asked = false;
	slice_split(payload, '\0', &first, &rest);
	while (words != NULL && rest.size > 0 && count < CANDIDATES_MAX)
		slice_split(rest, '\0', &words[count++], &rest);
	if (slice_to_int64(first, &replace) && replace >= 0)
		edit_candidates(&console->edit, (size_t)replace, words, count);
	flush_edit(console);
}

static int finish(struct console *console, struct slice payload)
{
	bool open = console->edit.open;
	terminal_restore();
	if (payload.size > 1 && console->terminal && !console->left) {
		say(STDOUT_FILENO, open || !console->edits ? SLICE("\n") : SLICE(""));
		say(STDOUT_FILENO, (struct slice){ payload.data + 1, payload.size - 1 });
		say(STDOUT_FILENO, SLICE("\n"));
	}
	if (console->left && console->terminal)
		return 0; /* leaving is no failure, whatever was tried before */
	return payload.size > 0 ? (unsigned char)payload.data[0] : 1;
}

/* Negative: go on; else the exit code. */
static int on_frame(struct console *console)
{
	char type;
	struct slice payload;
	struct error err;
	int rc = control_receive(console->fd, console->frame, CONTROL_FRAME_MAX, &type, &payload, &err);
	if (rc <= 0) {
		if (console->left && console->terminal)
			return 0;
		terminal_restore();
		say(STDERR_FILENO, SLICE("the node closed the connection\n"));
		return 1;
	}
	if (type == CONTROL_DONE)
		return finish(console, payload);
	if (type == CONTROL_OUT || type == CONTROL_ERR)
		say_above(console, type == CONTROL_OUT ? STDOUT_FILENO : STDERR_FILENO, payload);
	else if (type == CONTROL_PROMPT)
		on_prompt(console, payload);
	else if (type == CONTROL_COMPLETIONS)
		on_completions(console, payload);
	return -1;
}

/* Ctrl-C outside the editor: of an expression, or of a line that the kernel edits. */
static bool on_interrupt(struct console *console)
{
	if (console->terminal)
		say(STDOUT_FILENO, SLICE("\n")); /* behind the ^C that the terminal shows */
	if (console->prompted && console->terminal) {
		buf_clear(&console->input);
		console->prompted = false;
	}
	return console->left || tell(console, CONTROL_INTERRUPT, (struct slice){ 0 });
}

static int converse(struct console *console)
{
	int code = -1;
	bool connected = true;
	while (code < 0 && connected && !atomic_load(&hung_up)) {
		connected = use_input(console);
		switch (connected ? wait_event(console) : EVENT_ERROR) {
		case EVENT_NODE:
			code = on_frame(console);
			break;
		case EVENT_INPUT:
			read_more(console);
			break;
		case EVENT_INTERRUPT:
			connected = on_interrupt(console);
			break;
		case EVENT_LOG:
			pass_log(console);
			break;
		case EVENT_LOOK:
			edit_resize(&console->edit, terminal_columns());
			flush_edit(console);
			break;
		case EVENT_ERROR:
			connected = false;
			break;
		}
	}
	terminal_restore();
	return code < 0 ? 1 : code;
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
		   "Lua 5.4; help() lists what there is, Tab completes, Ctrl-C ends an expression, Ctrl-D leaves.\n",
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
		return control_send(console->fd, CONTROL_CONSOLE, SLICE("terminal"), err);
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

static int open_console(struct console *console, struct error *err)
{
	console->frame = malloc(CONTROL_FRAME_MAX);
	if (console->frame == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a console");
	buf_init(&console->input, INPUT_MAX_BYTES);
	console->terminal = isatty(STDIN_FILENO) == 1;
	console->edits = console->terminal && terminal_can_edit();
	console->history.fd = -1;
	if (console->edits)
		history_open(&console->history);
	edit_init(&console->edit, &console->history, terminal_columns());
	return open_signals(err);
}

static int run_console(int fd, int log_fd)
{
	struct error err;
	struct console console = { .fd = fd, .log_fd = log_fd };
	int rc = open_console(&console, &err);
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
	edit_done(&console.edit);
	history_close(&console.history);
	buf_done(&console.input);
	buf_done(&console.log);
	free(console.frame);
	return code;
}

int console_run(int fd)
{
	return run_console(fd, -1);
}

/* ---- on the node's own terminal ---- */

static struct {
	const struct node *node;
	pthread_t thread;
	int fd;
	int log_fds[2]; /* never closed: another thread may be writing a record */
	bool running;
} attached = { .fd = -1, .log_fds = { -1, -1 } };

/* The log goes through the console, which knows where the line is that is being typed. */
static int take_log(const struct node *node, struct error *err)
{
	if (isatty(STDERR_FILENO) != 1)
		return 0;
	if (pipe2(attached.log_fds, O_CLOEXEC) != 0)
		return error_system(err, errno, "cannot make a pipe for the log");
	fcntl(attached.log_fds[0], F_SETFL, O_NONBLOCK);
	log_setup(attached.log_fds[1], log_level(), node->flags.log_format);
	return 0;
}

static void give_log_back(void)
{
	char rest[READ_BYTES];
	ssize_t got;
	if (attached.log_fds[0] < 0)
		return;
	log_setup(STDERR_FILENO, log_level(), attached.node->flags.log_format);
	while ((got = read(attached.log_fds[0], rest, sizeof(rest))) > 0)
		say(STDERR_FILENO, (struct slice){ rest, (size_t)got });
}

static void *run_attached(void *unused)
{
	(void)unused;
	(void)run_console(attached.fd, attached.log_fds[0]);
	give_log_back();
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
	int rc = open_signals(err);
	if (rc != 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return error_system(err, errno, "cannot make a pair of sockets");
	attached.node = node;
	rc = take_log(node, err);
	if (rc != 0)
		return rc;
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
