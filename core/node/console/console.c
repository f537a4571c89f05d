/* SPDX-License-Identifier: MIT */
/*
 * A console's conversation: what follows from each thing that happens. What is written while a line is being edited
 * goes above it. Where lines cannot be edited the kernel's line mode has to do.
 */
#include "node/console/console_internal.h"

#include "base/scope.h"
#include "node/console/console_terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CANDIDATES_MAX = 1024, FRAMES_READ_BYTES = 64 << 10 };

/* ---- the node's log ---- */

/* Whole lines only, so that none is torn. */
static void pass_log(struct console *console)
{
	char *room = buf_reserve(&console->log, CONSOLE_READ_BYTES);
	ssize_t got = room != NULL ? read(console->log_fd, room, CONSOLE_READ_BYTES) : 0;
	if (got <= 0)
		return;
	console->log.size += (size_t)got;
	const char *end = memrchr(console->log.data, '\n', console->log.size);
	if (end == NULL)
		return;
	size_t size = (size_t)(end + 1 - console->log.data);
	console_say_above(console, STDERR_FILENO, (struct slice){ console->log.data, size });
	buf_consume(&console->log, size);
}

/* ---- answering a prompt ---- */

static bool tell(struct console *console, enum control_type type, struct slice payload)
{
	return control_send(console->fd, type, payload, NULL) == 0;
}

/* The node tells how it went, then the conversation is over. Both ends stay open until then: on the way to another host
 * there is no telling who has nothing more to say from who is gone. */
static bool leave(struct console *console)
{
	console->left = true;
	console->prompted = false;
	terminal_restore();
	return tell(console, CONTROL_INPUT, (struct slice){ 0 });
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
			console_say(STDOUT_FILENO, SLICE("\n"));
		return !console->end_of_input || leave(console);
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
	console_flush(console);
	terminal_restore();
	kill(0, SIGTSTP);
	terminal_edit();
	edit_show(&console->edit);
}

/* The node asks afresh. */
static bool give_up_line(struct console *console)
{
	terminal_restore();
	buf_clear(&console->input);
	console->prompted = false;
	return tell(console, CONTROL_INTERRUPT, (struct slice){ 0 });
}

static bool refuse_line(struct console *console)
{
	SCOPE(buf_done) struct buf text = { 0 };
	buf_printf(&text, "the line is longer than %d bytes: nothing of it was run\n", EDIT_LINE_MAX);
	console_say(STDERR_FILENO, buf_slice(&text));
	return give_up_line(console);
}

static bool on_edit_event(struct console *console, enum edit_event event)
{
	struct slice line = buf_slice(&console->edit.line.text);
	console_flush(console);
	switch (event) {
	case EDIT_LINE:
		if (console->edit.cut)
			return refuse_line(console);
		if (console->edit.pasting)
			terminal_hold();
		else
			terminal_restore();
		history_add(&console->history, line);
		console->prompted = false;
		return tell(console, CONTROL_LINE, line);
	case EDIT_CANCEL:
		return give_up_line(console);
	case EDIT_COMPLETE:
		console->asked = true;
		return tell(console, CONTROL_COMPLETE, (struct slice){ line.data, console->edit.line.cursor });
	case EDIT_END:
		return leave(console);
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
	while (console->prompted && !console->asked && console->input.size > 0) {
		size_t used;
		enum edit_event event = edit_feed(&console->edit, buf_slice(&console->input), &used);
		buf_consume(&console->input, used);
		if (!on_edit_event(console, event))
			return false;
	}
	console_flush(console);
	return !console->end_of_input || !console->prompted || console->asked || leave(console);
}

/* Before the completions have come nothing but Ctrl-C counts: a node that hangs sends none. */
static bool use_interrupt(struct console *console)
{
	static const char key = KEY_CONTROL('C');
	struct slice ahead = buf_slice(&console->input);
	size_t used;
	if (ahead.size == 0 || memchr(ahead.data, key, ahead.size) == NULL)
		return true;
	console->asked = false;
	return on_edit_event(console, edit_feed(&console->edit, (struct slice){ &key, 1 }, &used));
}

/* False: the node is gone. */
static bool use_input(struct console *console)
{
	if (!console->prompted)
		return true;
	if (!console->asked && !(console->edits ? use_keys(console) : use_lines(console)))
		return false;
	return !console->asked || use_interrupt(console);
}

/* ---- what the node says ---- */

static void on_prompt(struct console *console, struct slice prompt)
{
	console->prompted = !console->left;
	console->runs = prompt.size == 0;
	console->interrupted = console->explained = false;
	if (console->edits && console->prompted) {
		edit_resize(&console->edit, terminal_columns());
		terminal_edit();
		console_begin_line(console, prompt);
	} else if (console->terminal && console->prompted) {
		console_say_prompt(console, prompt);
	}
}

static void on_completions(struct console *console, struct slice payload)
{
	SCOPE_FREE struct slice *words = calloc(CANDIDATES_MAX, sizeof(*words));
	size_t count = 0;
	struct slice first;
	struct slice rest;
	int64_t replace = 0;
	if (!console->asked) /* the line that they were for was given up */
		return;
	console->asked = false;
	slice_split(payload, '\0', &first, &rest);
	while (words != NULL && rest.size > 0 && count < CANDIDATES_MAX)
		slice_split(rest, '\0', &words[count++], &rest);
	if (slice_to_int64(first, &replace) && replace >= 0)
		edit_candidates(&console->edit, (size_t)replace, words, count);
	console_flush(console);
}

/* The node has had enough: of a script then something was not run. */
static int finish(struct console *console, struct slice payload)
{
	int code = payload.size > 0 ? (unsigned char)payload.data[0] : 1;
	terminal_restore();
	if (console_has_left(console))
		return 0;
	if (payload.size <= 1)
		return code;
	console_end_line(console);
	console_say(STDERR_FILENO, console->terminal ? SLICE("") : SLICE("ERROR: "));
	console_say(STDERR_FILENO, (struct slice){ payload.data + 1, payload.size - 1 });
	console_say(STDERR_FILENO, SLICE("\n"));
	return code == 0 && !console->terminal && !console->left ? 1 : code;
}

static int on_closed(struct console *console)
{
	terminal_restore();
	if (console_has_left(console))
		return 0;
	console_end_line(console);
	console_say(STDERR_FILENO, SLICE("the node closed the connection\n"));
	return 1;
}

/* Negative: go on; else the exit code. */
static int on_frame(struct console *console, char type, struct slice payload)
{
	if (type == CONTROL_DONE)
		return finish(console, payload);
	if (type == CONTROL_OUT || type == CONTROL_ERR)
		console_say_above(console, type == CONTROL_OUT ? STDOUT_FILENO : STDERR_FILENO, payload);
	else if (type == CONTROL_PROMPT)
		on_prompt(console, payload);
	else if (type == CONTROL_COMPLETIONS)
		on_completions(console, payload);
	return -1;
}

/* Never waits for the rest of a frame: a node that hangs would take Ctrl-C with it. The result as above. */
static int on_node(struct console *console)
{
	char *room = buf_reserve(&console->frames, FRAMES_READ_BYTES);
	ssize_t got = room != NULL ? recv(console->fd, room, FRAMES_READ_BYTES, MSG_DONTWAIT) : 0;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (got <= 0)
		return on_closed(console);
	console->frames.size += (size_t)got;
	for (;;) {
		char type;
		struct slice payload;
		size_t used;
		int rc = control_parse(buf_slice(&console->frames), &type, &payload, &used, NULL);
		if (rc <= 0)
			return rc < 0 ? on_closed(console) : -1;
		int code = on_frame(console, type, payload);
		if (code >= 0)
			return code;
		buf_consume(&console->frames, used);
	}
}

/* The expression is in a call of C, which is finished first. On a node's own terminal one may not leave by Ctrl-C: the
 * next one would stop the node. */
static void explain_interrupt(struct console *console)
{
	console->explained = true;
	console_end_line(console);
	console_say(STDERR_FILENO,
		    SLICE("the expression waits for a call that cannot be interrupted and ends after it"));
	console_say(STDERR_FILENO, console->log_fd < 0 ? SLICE("; Ctrl-C again leaves the console\n") : SLICE("\n"));
}

/* Ctrl-C outside the editor: of an expression, or of a line that the kernel edits. */
static bool on_interrupt(struct console *console)
{
	if (console->terminal) {
		console_say(STDOUT_FILENO, SLICE("\n")); /* behind the ^C that the terminal shows */
		console->edit.pasting = false;
	}
	buf_clear(&console->input); /* the rest of a script; the kernel, too, dropped what was typed ahead */
	buf_clear(&console->tail);
	if (console_has_left(console) || (console->explained && console->log_fd < 0))
		return false;
	console->interrupted = !console->prompted;
	if (console->terminal)
		console->prompted = false;
	return console->left || tell(console, CONTROL_INTERRUPT, (struct slice){ 0 });
}

int console_converse(struct console *console)
{
	int code = -1;
	bool connected = true;
	while (code < 0 && connected && !console_hung_up()) {
		connected = use_input(console);
		switch (connected ? console_wait(console) : CONSOLE_ERROR) {
		case CONSOLE_NODE:
			code = on_node(console);
			break;
		case CONSOLE_INPUT:
			(void)console_read_more(console, NULL);
			break;
		case CONSOLE_INTERRUPT:
			connected = on_interrupt(console);
			break;
		case CONSOLE_LOG:
			pass_log(console);
			break;
		case CONSOLE_LOOK:
			edit_resize(&console->edit, terminal_columns());
			console_flush(console);
			break;
		case CONSOLE_SILENCE:
			connected = !console_has_left(console);
			if (connected)
				explain_interrupt(console);
			break;
		case CONSOLE_ERROR:
			connected = false;
			break;
		}
	}
	terminal_restore();
	return code >= 0 ? code : console_has_left(console) ? 0 : 1;
}
