/* SPDX-License-Identifier: MIT */
#include "number.h"

bool number_parse_unsigned(struct kvrel_slice text, uint64_t *out)
{
	uint64_t value = 0;

	if (text.size == 0 || (text.size > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = (unsigned char)text.data[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*out = value;
	return true;
}

bool number_parse(struct kvrel_slice text, int64_t *out)
{
	bool negative = text.size > 0 && text.data[0] == '-';
	uint64_t value;

	if (negative)
		text = (struct kvrel_slice){ text.data + 1, text.size - 1 };
	if (!number_parse_unsigned(text, &value) || (negative && value == 0) ||
	    value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

size_t number_print(int64_t number, char out[NUMBER_TEXT_MAX])
{
	char reversed[NUMBER_TEXT_MAX];
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	size_t digits = 0, size = 0;

	do {
		reversed[digits++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		out[size++] = '-';
	while (digits > 0)
		out[size++] = reversed[--digits];
	return size;
}
