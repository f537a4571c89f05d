/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

bool slice_ends(struct slice a, struct slice suffix)
{
	return a.size >= suffix.size &&
	       (suffix.size == 0 || memcmp(a.data + a.size - suffix.size, suffix.data, suffix.size) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	if (order)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_skip_bom(struct slice s)
{
	return slice_starts(s, SLICE("\xef\xbb\xbf")) ? (struct slice){ s.data + 3, s.size - 3 } : s;
}

struct slice slice_trim(struct slice a)
{
	while (a.size && is_space(a.data[0])) {
		a.data++;
		a.size--;
	}
	while (a.size && is_space(a.data[a.size - 1]))
		a.size--;
	return a;
}

bool slice_split(struct slice a, char separator, struct slice *head, struct slice *rest)
{
	const char *at = a.size ? memchr(a.data, separator, a.size) : NULL;

	if (!at) {
		*head = a;
		*rest = (struct slice){ a.size ? a.data + a.size : a.data, 0 };
		return false;
	}
	*head = (struct slice){ a.data, (size_t)(at - a.data) };
	*rest = (struct slice){ at + 1, a.size - head->size - 1 };
	return true;
}

bool slice_to_int64(struct slice a, int64_t *out)
{
	bool negative = a.size && a.data[0] == '-';
	size_t i = negative;
	int64_t number = 0;

	if (i == a.size)
		return false;
	for (; i < a.size; i++) {
		int digit = a.data[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* counts downwards, because the negative range is the larger one */
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_sub_overflow(number, digit, &number))
			return false;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, number, &number))
		return false;
	*out = number;
	return true;
}

/* Length of the sequence at `s`, 0 when it is not valid (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *s, size_t size)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		length = 2;
	} else if ((s[0] & 0xf0) == 0xe0) {
		length = 3;
		low = s[0] == 0xe0 ? 0xa0 : 0x80;
		high = s[0] == 0xed ? 0x9f : 0xbf;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		length = 4;
		low = s[0] == 0xf0 ? 0x90 : 0x80;
		high = s[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (size < length || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

size_t slice_utf8_prefix(struct slice a)
{
	size_t at = 0;

	while (at < a.size) {
		size_t length = utf8_sequence((const unsigned char *)a.data + at, a.size - at);

		if (length == 0)
			break;
		at += length;
	}
	return at;
}
