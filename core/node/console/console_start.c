/* SPDX-License-Identifier: MIT */
/* A console's beginning: with a terminal a conversation, with a script one text, with what is neither one line at a
 * time. */
#include "node/console/console_internal.h"

#include "base/scope.h"
#include "node/console/console_terminal.h"
#include "script/script.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = CONTROL_FRAME_MAX - 64, TAIL_MAX_BYTES = 1024, HELLO_MAX_BYTES = 4096 };

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
		   "Lua 5.4; help() lists it all, Tab completes, Ctrl-C interrupts, Ctrl-D leaves.\n",
		   SLICE_FMT(name), SLICE_FMT(version), SLICE_FMT(node),
		   (unsigned)pid[0] << 24 | (unsigned)pid[1] << 16 | (unsigned)pid[2] << 8 | pid[3], KVREL_VERSION);
	console_say(STDOUT_FILENO, buf_slice(&text));
}

/* A whole script runs as one text, so that its locals live; anything else is taken line by line. */
static bool is_script(struct slice text)
{
	struct script *script = script_new(&(struct script_options){ 0 }, NULL);
	bool compiles = script != NULL && script_compiles(script, text);
	script_free(script);
	return compiles;
}

static int send_request(struct console *console, struct error *err)
{
	if (console->terminal)
		return control_send(console->fd, CONTROL_CONSOLE, SLICE("terminal"), err);
	while (!console->end_of_input) {
		int rc = console_read_more(console, err); /* half a script is not to be run */
		if (rc != 0)
			return rc;
	}
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
	char frame[HELLO_MAX_BYTES];
	int rc = control_receive(console->fd, frame, sizeof(frame), &type, &hello, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERROR_FAILED, "the node closed the connection");
	if (type == CONTROL_DONE && hello.size > 1) /* it takes no more clients */
		return error_set(err, ERROR_TRY_AGAIN, "%.*s", (int)hello.size - 1, hello.data + 1);
	if (type != CONTROL_HELLO || hello.size < 5 || hello.data[0] != CONTROL_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "the node speaks another version of the control protocol");
	if (console->terminal)
		say_banner(hello);
	return send_request(console, err);
}

static int open_console(struct console *console, struct error *err)
{
	buf_init(&console->frames, CONSOLE_FRAMES_MAX);
	buf_init(&console->input, INPUT_MAX_BYTES);
	buf_init(&console->tail, TAIL_MAX_BYTES);
	console->terminal = isatty(STDIN_FILENO) == 1;
	console->edits = console->terminal && terminal_can_edit();
	console->history.fd = -1;
	if (console->edits)
		history_open(&console->history);
	edit_init(&console->edit, &console->history, terminal_columns());
	return console_open_signals(err);
}

int console_converse_over(int fd, int log_fd, void (*begin)(void))
{
	struct error err;
	struct console console = { .fd = fd, .log_fd = log_fd };
	int rc = open_console(&console, &err);
	if (rc == 0)
		rc = open_conversation(&console, &err);
	int code = 1;
	if (rc == 0) {
		if (begin != NULL)
			begin();
		code = console_converse(&console);
	} else {
		console_say(STDERR_FILENO, SLICE("ERROR: "));
		console_say(STDERR_FILENO, slice_of(err.message));
		console_say(STDERR_FILENO, SLICE("\n"));
	}
	edit_done(&console.edit);
	history_close(&console.history);
	buf_done(&console.input);
	buf_done(&console.log);
	buf_done(&console.tail);
	buf_done(&console.frames);
	return code;
}

int console_run(int fd, void (*begin)(void))
{
	return console_converse_over(fd, -1, begin);
}
