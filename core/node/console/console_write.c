/* SPDX-License-Identifier: MIT */
/* What goes to the user's terminal, around the line that is being edited. */
#include "node/console/console_internal.h"

#include "base/fs.h"

#include <string.h>
#include <unistd.h>

void console_say(int fd, struct slice text)
{
	(void)fs_write_all(fd, text.data, text.size, NULL);
}

void console_flush(struct console *console)
{
	if (console->edit.out.size > 0)
		console_say(STDOUT_FILENO, buf_slice(&console->edit.out));
	buf_clear(&console->edit.out);
}

static void note_tail(struct console *console, struct slice text)
{
	const char *end = text.size > 0 ? memrchr(text.data, '\n', text.size) : NULL;
	if (end != NULL) {
		buf_clear(&console->tail);
		text = (struct slice){ end + 1, text.size - (size_t)(end + 1 - text.data) };
	}
	buf_append_slice(&console->tail, text);
}

/* A line begins in the first column: what was printed without a newline would be overwritten. */
static void end_tail(struct console *console)
{
	if (console->tail.size > 0 || console->tail.failed)
		console_say(STDOUT_FILENO, SLICE("\r\n"));
	buf_clear(&console->tail);
}

void console_say_above(struct console *console, int fd, struct slice text)
{
	edit_hide(&console->edit);
	console_flush(console);
	console_say(fd, text);
	note_tail(console, text);
	if (console->edit.open)
		end_tail(console);
	edit_show(&console->edit);
	console_flush(console);
}

void console_say_prompt(struct console *console, struct slice prompt)
{
	if (prompt.size > 0)
		end_tail(console);
	buf_clear(&console->tail);
	console_say(STDOUT_FILENO, prompt);
}

void console_end_line(struct console *console)
{
	bool open = console->edit.open;
	if (open)
		edit_end(&console->edit);
	console_flush(console);
	if (open)
		buf_clear(&console->tail);
	else if (console->terminal && console->prompted)
		console_say(STDOUT_FILENO, SLICE("\n"));
	else if (console->terminal)
		end_tail(console);
}

/* Behind io.write("Name? ") what io.read() gets is typed where that ends. */
void console_begin_line(struct console *console, struct slice prompt)
{
	if (prompt.size > 0 || console->tail.failed || !edit_begin_behind(&console->edit, buf_slice(&console->tail))) {
		end_tail(console);
		edit_begin(&console->edit, prompt);
	}
	buf_clear(&console->tail);
	console_flush(console);
}
