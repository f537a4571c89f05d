/* SPDX-License-Identifier: MIT */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is quoted in a message may hold anything: "foo\r" of an env.sh with DOS line ends, or what a terminal obeys. */
static void append_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\r')
			buf_append_string(out, "\\r");
		else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_append_char(out, *text);
	}
}

int report(const char *format, ...)
{
	static const char no_memory[] = "ERROR: out of memory\n";
	SCOPE(buf_done) struct buf message = { 0 };
	SCOPE(buf_done) struct buf line = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&message, format, args);
	va_end(args);
	buf_append_string(&line, "ERROR: ");
	append_escaped(&line, buf_string(&message));
	buf_append_char(&line, '\n');
	fflush(stdout);
	/* one write, so that lines of several processes do not mix */
	if (line.failed)
		(void)fs_write_all(STDERR_FILENO, no_memory, sizeof(no_memory) - 1, NULL);
	else
		(void)fs_write_all(STDERR_FILENO, line.data, line.size, NULL);
	return EXIT_FAILED;
}

int report_error(const struct error *err)
{
	return report("%s", err->message);
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	return *word && word[strspn(word, plain)] == '\0';
}

const char *shell_quote(struct arena *arena, const char *word)
{
	char *out, *to;

	if (is_plain(word))
		return word;
	out = to = arena_array(arena, strlen(word) + 1, 4);
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	}
	*to = '\'';
	return out;
}

int flush_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	return report("cannot write the output: %s", strerror(errno));
}
