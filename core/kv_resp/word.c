/* SPDX-License-Identifier: MIT */
/* The words of a request: names in any case, numbers, patterns. */
#include "command.h"

#include <string.h>

static char lower_of(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool word_is(struct kvrel_slice word, const char *lower)
{
	if (word.size != strlen(lower))
		return false;
	for (size_t i = 0; i < word.size; i++) {
		if (lower_of(word.data[i]) != lower[i])
			return false;
	}
	return true;
}

bool word_is_integer(struct kvrel_slice word, int64_t *out)
{
	bool negative = word.size > 0 && word.data[0] == '-';
	size_t first = negative;
	if (word.size == first || word.size > 20 || (word.data[first] == '0' && word.size > 1))
		return false;
	uint64_t value = 0;
	for (size_t i = first; i < word.size; i++) {
		unsigned digit = (unsigned char)word.data[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (value > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

/*
 * "[a-z]" or "[^a-z]" at *at, which moves behind it; without its end it goes to the pattern's. As in Redis a range may
 * end with any byte, and one behind a backslash begins none.
 */
static bool set_has(const char **at, const char *end, char byte)
{
	const char *c = *at + 1;
	bool negated = c < end && *c == '^', found = false;
	for (c += negated; c < end && *c != ']'; c++) {
		bool escaped = *c == '\\' && end - c > 1;
		c += escaped;
		char first = lower_of(*c), last = first;
		if (!escaped && end - c > 2 && c[1] == '-') {
			last = lower_of(c[2]);
			c += 2;
		}
		found |= first <= last ? byte >= first && byte <= last : byte >= last && byte <= first;
	}
	*at = c < end ? c + 1 : end;
	return found != negated;
}

/* What stands at *at, which is no star, for one byte; *at moves behind it. */
static bool element_is(const char **at, const char *end, char byte)
{
	if (**at == '[')
		return set_has(at, end, byte);
	bool any = **at == '?';
	if (**at == '\\' && end - *at > 1)
		++*at;
	return lower_of(*(*at)++) == byte || any;
}

/* Only the last star has to be reconsidered: an earlier one has nothing to gain from taking more. */
bool word_matches(const char *lower, struct kvrel_slice pattern)
{
	const char *at = pattern.data, *end = at + pattern.size, *star = NULL, *resume = NULL;
	while (*lower) {
		const char *next = at;
		if (at < end && *at == '*') {
			star = ++at;
			resume = lower;
		} else if (at < end && element_is(&next, end, *lower)) {
			at = next;
			lower++;
		} else if (star) {
			at = star;
			lower = ++resume;
		} else {
			return false;
		}
	}
	while (at < end && *at == '*')
		at++;
	return at == end;
}
