/* SPDX-License-Identifier: MIT */
/*
 * The line that is being typed: UTF-8 with a cursor between characters, a piece that was cut out, and how wide text is
 * on a terminal. Pure: no terminal, no history. Widths are our own, because libc's need a locale and a bundle has none.
 */
#ifndef NODE_CONSOLE_LINE_H
#define NODE_CONSOLE_LINE_H

#include "base/buf.h"

struct line {
	struct buf text;
	size_t cursor; /* in bytes */
	struct buf cut;
};

void line_done(struct line *line);
void line_set(struct line *line, struct slice text); /* the cursor goes to its end */
void line_insert(struct line *line, struct slice text);
/* Removes from..to and puts the cursor there; `keep`: for line_paste(). */
void line_remove(struct line *line, size_t from, size_t to, bool keep);
void line_paste(struct line *line);
/* Exchanges the characters around the cursor. */
void line_transpose(struct line *line);

/* Positions around the cursor: one character, one word. */
size_t line_left(const struct line *line);
size_t line_right(const struct line *line);
size_t line_word_left(const struct line *line);
size_t line_word_right(const struct line *line);

/* The columns of the first character, whose length comes back too. Control characters are shown as ^X, wrong bytes as ?
 */
unsigned text_char_width(struct slice text, size_t *length);
unsigned text_width(struct slice text);

#endif
