/* SPDX-License-Identifier: MIT */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int report(const char *format, ...)
{
	char *message = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	fflush(stdout);
	/* one write, so that lines of several processes do not mix */
	dprintf(STDERR_FILENO, "ERROR: %s\n", message ? message : "out of memory");
	free(message);
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
