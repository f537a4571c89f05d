/* SPDX-License-Identifier: MIT */
/* What a terminal may be shown: colour per stream (tty, NO_COLOR, CLICOLOR_FORCE, TERM=dumb, --color), a question,
 * near-miss names. */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include "base/slice.h"

#include <stdio.h>

enum term_color { TERM_COLOR_AUTO, TERM_COLOR_ALWAYS, TERM_COLOR_NEVER, TERM_COLOR_COUNT };
bool term_color_parse(const char *word, enum term_color *out);
void term_set_color(enum term_color when);
bool term_has_color(FILE *stream);
/* Escape sequences, "" where the stream gets no colour. */
const char *term_bold(FILE *stream);
const char *term_red(FILE *stream);
const char *term_green(FILE *stream);
const char *term_yellow(FILE *stream);
const char *term_reset(FILE *stream);

/* Whether there is someone to ask: a terminal on stdin and on stderr. */
bool term_can_ask(void);
/* "QUESTION [Yn] " on stderr; an empty answer means yes, the end of the input no. */
bool term_ask(const char *question);

/* The nearest of `names` to `word` within a third of its length (at least 1 edit, Damerau–Levenshtein, case ignored),
 * or NULL. */
const char *term_suggest(const char *word, const char *const *names, size_t count);

#endif
