/* SPDX-License-Identifier: MIT */
/*
 * Matching a pattern of Lua at one place of a text. It backtracks as Lua's own does, by recursion; a malformed pattern
 * raises, as does an interrupt.
 */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H

#include "base/slice.h"

#include <lua.h>

enum { CAPTURES_MAX = 32, SIZE_OPEN = -1, SIZE_POSITION = -2 };

struct matcher {
	lua_State *lua;
	struct slice subject;
	const char *end;         /* of the subject */
	const char *pattern_end; /* of the pattern */
	size_t steps;
	int depth;
	int level; /* captures so far */
	struct {
		const char *start;
		ptrdiff_t size; /* or SIZE_OPEN, SIZE_POSITION */
	} captures[CAPTURES_MAX];
};

void matcher_begin(struct matcher *m, lua_State *lua, struct slice subject, struct slice pattern);
/* Where the match of the pattern from p on that begins at s ends, or NULL. Captures are those of this match. */
const char *matcher_match(struct matcher *m, const char *s, const char *p);
/* Counts steps; now and then looks for an interrupt. */
void matcher_step(struct matcher *m, size_t weight);

#endif
