/* SPDX-License-Identifier: MIT */
/* What is to be completed: a line of Lua up to the cursor, read as far as it says where the cursor is. */
#ifndef NODE_COMPLETE_LINE_H
#define NODE_COMPLETE_LINE_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>

enum { WORDS_MAX = 1000, CALLS_MAX = 16, LITERALS_MAX = 2 };

/* A bracket that is still open; with a path when it is a call. */
struct call {
	struct slice path; /* "kv.get" */
	unsigned argument; /* which one the cursor is in */
	struct slice literals[LITERALS_MAX];
};

struct completion {
	struct arena arena;
	struct slice prefix; /* what is there already of the word */
	char quote;          /* the word is inside quotes: this one; else 0 */
	struct call calls[CALLS_MAX];
	size_t depth;
	struct slice words[WORDS_MAX];
	size_t count;
};

/* Fills quote, prefix (inside quotes), calls and depth. False in a comment. */
bool complete_read_line(struct completion *completion, struct slice line);
/* "kv.get" or "s:rep" at the end of the text. */
struct slice complete_path_at_end(struct slice text);
bool complete_is_name_char(char c);

#endif
