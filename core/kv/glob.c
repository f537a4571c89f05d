/* SPDX-License-Identifier: MIT */
#include "glob.h"

/*
 * One set like [^a-z]; *at stands behind the '['. An unclosed set ends with the pattern. As in Redis a range may end
 * with any byte, a ']' too, and one behind a backslash begins none.
 */
static bool set_match(struct kvrel_slice pattern, size_t *at, unsigned char byte)
{
	size_t i = *at;
	bool negated = i < pattern.size && pattern.data[i] == '^', found = false;

	if (negated)
		i++;
	for (; i < pattern.size && pattern.data[i] != ']'; i++) {
		bool escaped = pattern.data[i] == '\\' && i + 1 < pattern.size;
		unsigned char low, high;

		i += escaped;
		low = high = (unsigned char)pattern.data[i];
		if (!escaped && i + 2 < pattern.size && pattern.data[i + 1] == '-') {
			high = (unsigned char)pattern.data[i + 2];
			i += 2;
		}
		if (low > high) {
			unsigned char swap = low;

			low = high;
			high = swap;
		}
		found |= byte >= low && byte <= high;
	}
	*at = i < pattern.size ? i + 1 : i;
	return found != negated;
}

/* Matches one byte with the pattern element at *at, and steps over the element. '*' is not one. */
static bool element_match(struct kvrel_slice pattern, size_t *at, unsigned char byte)
{
	char element = pattern.data[(*at)++];

	switch (element) {
	case '?':
		return true;
	case '[':
		return set_match(pattern, at, byte);
	case '\\':
		if (*at < pattern.size)
			element = pattern.data[(*at)++];
		/* fall through */
	default:
		return (unsigned char)element == byte;
	}
}

/* Only the last star has to be reconsidered: an earlier one has nothing to gain from taking more. */
bool glob_match(struct kvrel_slice pattern, struct kvrel_slice text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;

	while (t < text.size) {
		size_t next = p;

		if (p < pattern.size && pattern.data[p] == '*') {
			star = ++p;
			star_text = t;
		} else if (p < pattern.size && element_match(pattern, &next, (unsigned char)text.data[t])) {
			p = next;
			t++;
		} else if (star != SIZE_MAX) {
			p = star;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.size && pattern.data[p] == '*')
		p++;
	return p == pattern.size;
}
