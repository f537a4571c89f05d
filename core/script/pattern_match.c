/* SPDX-License-Identifier: MIT */
#include "script/pattern.h"

#include "base/scope.h"
#include "script/internal.h"

#include <ctype.h>
#include <lauxlib.h>

enum { DEPTH_MAX = 200, STEPS_OF_A_LOOK = 4096 };

static const char *match(struct matcher *m, const char *s, const char *p);

void matcher_step(struct matcher *m, size_t weight)
{
	m->steps += weight;
	if (m->steps >= STEPS_OF_A_LOOK) {
		m->steps = 0;
		script_look(m->lua);
	}
}

/* ---- one character ---- */

static bool is_of_class(int c, int letter)
{
	static int (*const classes[])(int) = {
		['a'] = isalpha, ['c'] = iscntrl, ['d'] = isdigit, ['g'] = isgraph, ['l'] = islower,
		['p'] = ispunct, ['s'] = isspace, ['u'] = isupper, ['w'] = isalnum, ['x'] = isxdigit,
	};
	size_t class = (size_t)tolower(letter);

	if (class >= ARRAY_LEN(classes) || !classes[class])
		return letter == c;
	return (classes[class](c) != 0) != (isupper(letter) != 0);
}

/* Behind the set whose '[' is in front of p. A ']' that comes first is one of its characters. */
static const char *set_end(const struct matcher *m, const char *p)
{
	p += p < m->pattern_end && *p == '^';
	for (bool first = true; p < m->pattern_end; first = false) {
		if (*p == ']' && !first)
			return p + 1;
		p += *p == '%' && p + 1 < m->pattern_end ? 2 : 1;
	}
	luaL_error(m->lua, "malformed pattern (missing ']')");
	return NULL;
}

/* p is behind the '[', end is at the ']'. */
static bool is_in_set(int c, const char *p, const char *end)
{
	bool found = false, negated = *p == '^';

	for (p += negated; p < end && !found;) {
		if (*p == '%') {
			found = is_of_class(c, (unsigned char)p[1]);
			p += 2;
		} else if (p + 2 < end && p[1] == '-') {
			found = (unsigned char)p[0] <= c && c <= (unsigned char)p[2];
			p += 3;
		} else {
			found = (unsigned char)*p++ == c;
		}
	}
	return found != negated;
}

/* Behind what stands for one character at p. */
static const char *item_end(const struct matcher *m, const char *p)
{
	if (*p == '[')
		return set_end(m, p + 1);
	if (*p != '%')
		return p + 1;
	if (p + 1 == m->pattern_end)
		luaL_error(m->lua, "malformed pattern (ends with '%%')");
	return p + 2;
}

static bool is_matched(const struct matcher *m, const char *s, const char *p, const char *end)
{
	if (s >= m->end)
		return false;
	int c = (unsigned char)*s;

	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_of_class(c, (unsigned char)p[1]);
	case '[':
		return is_in_set(c, p + 1, end - 1);
	default:
		return (unsigned char)*p == c;
	}
}

/* ---- many ---- */

static const char *match_most(struct matcher *m, const char *s, const char *p, const char *end)
{
	const char *last = s;

	for (; is_matched(m, last, p, end); last++)
		matcher_step(m, 1);
	for (; last >= s; last--) {
		const char *found = match(m, last, end + 1);

		if (found)
			return found;
	}
	return NULL;
}

static const char *match_least(struct matcher *m, const char *s, const char *p, const char *end)
{
	for (;; s++) {
		const char *found = match(m, s, end + 1);

		if (found || !is_matched(m, s, p, end))
			return found;
	}
}

/* ---- captures and what is like them ---- */

static const char *open_capture(struct matcher *m, const char *s, const char *p)
{
	bool position = p + 1 < m->pattern_end && p[1] == ')';
	const char *found;

	if (m->level == CAPTURES_MAX)
		luaL_error(m->lua, "too many captures");
	m->captures[m->level].start = s;
	m->captures[m->level++].size = position ? SIZE_POSITION : SIZE_OPEN;
	found = match(m, s, p + 1 + position);
	m->level -= !found;
	return found;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
	int open = m->level - 1;
	const char *found;

	while (open >= 0 && m->captures[open].size != SIZE_OPEN)
		open--;
	if (open < 0)
		luaL_error(m->lua, "invalid pattern capture");
	m->captures[open].size = s - m->captures[open].start;
	found = match(m, s, p + 1);
	if (!found)
		m->captures[open].size = SIZE_OPEN;
	return found;
}

static const char *match_again(const struct matcher *m, const char *s, int digit)
{
	int which = digit - '1';

	if (which < 0 || which >= m->level || m->captures[which].size == SIZE_OPEN)
		luaL_error(m->lua, "invalid capture index %%%d", which + 1);
	ptrdiff_t size = m->captures[which].size;

	return size >= 0 && m->end - s >= size && memcmp(m->captures[which].start, s, (size_t)size) == 0 ? s + size
													 : NULL;
}

static const char *match_balanced(struct matcher *m, const char *s, const char *p)
{
	size_t depth = 1;

	if (m->pattern_end - p < 2)
		luaL_error(m->lua, "malformed pattern (missing arguments to '%%b')");
	if (s == m->end || *s != *p)
		return NULL;
	while (++s < m->end) {
		matcher_step(m, 1);
		if (*s == p[1] && --depth == 0)
			return s + 1;
		depth += *s == p[0] && p[0] != p[1];
	}
	return NULL;
}

/* Behind the set of %f, NULL when this is no such border. */
static const char *pass_frontier(const struct matcher *m, const char *s, const char *p)
{
	if (p >= m->pattern_end || *p != '[')
		luaL_error(m->lua, "missing '[' after '%%f' in pattern");
	const char *end = set_end(m, p + 1);
	int before = s > m->subject.data ? (unsigned char)s[-1] : 0, here = s < m->end ? (unsigned char)*s : 0;

	return !is_in_set(before, p + 1, end - 1) && is_in_set(here, p + 1, end - 1) ? end : NULL;
}

/* True when p began with one of %b, %f, %1 …: s is moved behind it, NULL when it does not match. */
static bool take_special(struct matcher *m, const char **s, const char **p)
{
	const char *at = *p;

	if (*at != '%' || at + 1 == m->pattern_end)
		return false;
	if (at[1] == 'b') {
		*s = match_balanced(m, *s, at + 2);
		*p = at + 4;
	} else if (at[1] == 'f') {
		*p = pass_frontier(m, *s, at + 2);
		*s = *p ? *s : NULL;
	} else if (isdigit((unsigned char)at[1])) {
		*s = match_again(m, *s, at[1]);
		*p = at + 2;
	} else {
		return false;
	}
	return true;
}

/* ---- the pattern from p on, at s: where the match ends, or NULL ---- */

static const char *match_items(struct matcher *m, const char *s, const char *p)
{
	while (s && p < m->pattern_end) {
		matcher_step(m, 1);
		if (*p == '(')
			return open_capture(m, s, p);
		if (*p == ')')
			return close_capture(m, s, p);
		if (*p == '$' && p + 1 == m->pattern_end)
			return s == m->end ? s : NULL;
		if (take_special(m, &s, &p))
			continue;
		const char *end = item_end(m, p);
		char suffix = end < m->pattern_end ? *end : '\0';

		if (suffix == '*')
			return match_most(m, s, p, end);
		if (suffix == '-')
			return match_least(m, s, p, end);
		bool matched = is_matched(m, s, p, end);

		if (suffix == '+')
			return matched ? match_most(m, s + 1, p, end) : NULL;
		if (suffix == '?') {
			const char *found = matched ? match(m, s + 1, end + 1) : NULL;

			if (found)
				return found;
			p = end + 1;
			continue;
		}
		s = matched ? s + 1 : NULL;
		p = end;
	}
	return s;
}

static const char *match(struct matcher *m, const char *s, const char *p)
{
	const char *found;

	if (m->depth++ == DEPTH_MAX)
		luaL_error(m->lua, "pattern too complex");
	found = match_items(m, s, p);
	m->depth--;
	return found;
}

const char *matcher_match(struct matcher *m, const char *s, const char *p)
{
	m->level = 0;
	m->depth = 0;
	return match(m, s, p);
}

void matcher_begin(struct matcher *m, lua_State *lua, struct slice subject, struct slice pattern)
{
	*m = (struct matcher){ .lua = lua, .subject = subject };
	m->end = subject.data + subject.size;
	m->pattern_end = pattern.data + pattern.size;
}
