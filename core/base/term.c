/* SPDX-License-Identifier: MIT */
#include "base/term.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { WORD_BYTES = 64 };

static enum term_color color = TERM_COLOR_AUTO;

bool term_color_parse(const char *word, enum term_color *out)
{
	static const char *const words[] = { "auto", "always", "never" };
	_Static_assert(sizeof(words) / sizeof(words[0]) == TERM_COLOR_COUNT, "one word a choice");

	for (int i = 0; i < TERM_COLOR_COUNT; i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum term_color)i;
			return true;
		}
	}
	return false;
}

void term_set_color(enum term_color when)
{
	color = when;
}

bool term_has_color(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");

	if (color != TERM_COLOR_AUTO)
		return color == TERM_COLOR_ALWAYS;
	if (no_color && no_color[0])
		return false;
	if (force && force[0] && strcmp(force, "0") != 0)
		return true;
	return term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
}

static const char *if_color(FILE *stream, const char *sequence)
{
	return term_has_color(stream) ? sequence : "";
}

const char *term_bold(FILE *stream)
{
	return if_color(stream, "\033[1m");
}

const char *term_red(FILE *stream)
{
	return if_color(stream, "\033[31m");
}

const char *term_green(FILE *stream)
{
	return if_color(stream, "\033[32m");
}

const char *term_yellow(FILE *stream)
{
	return if_color(stream, "\033[33m");
}

const char *term_reset(FILE *stream)
{
	return if_color(stream, "\033[0m");
}

bool term_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool term_ask(const char *question)
{
	char answer[64];
	struct slice word;

	fprintf(stderr, "%s [Yn] ", question);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin)) {
		fputc('\n', stderr);
		return false;
	}
	word = slice_trim(slice_of(answer));
	return word.size == 0 || (word.size == 1 && strncasecmp(word.data, "y", 1) == 0) ||
	       (word.size == 3 && strncasecmp(word.data, "yes", 3) == 0);
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
static unsigned edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned rows[3][WORD_BYTES + 1];

	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_size; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_size; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *term_suggest(const char *word, const char *const *names, size_t count)
{
	size_t size = strlen(word);
	unsigned best = size / 3 > 1 ? (unsigned)(size / 3) : 1;
	const char *nearest = NULL;

	if (size == 0 || size > WORD_BYTES)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_size = strlen(names[i]);
		unsigned distance;

		if (name_size > WORD_BYTES || name_size > size + best || size > name_size + best)
			continue;
		distance = edit_distance(word, size, names[i], name_size);
		if (distance > best || distance >= name_size || (nearest && distance == best))
			continue;
		best = distance;
		nearest = names[i];
	}
	return nearest;
}
