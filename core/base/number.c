/* SPDX-License-Identifier: MIT */
/*
 * The C library writes and reads the decimal point of the process' locale, which a console may have set. So both ways
 * go through the one character: it is replaced after writing and before reading.
 */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 300 };

static const char *decimal_point(void)
{
	return localeconv()->decimal_point;
}

/* "%.*g" with a plain '.'. */
static void format_digits(char out[NUMBER_BYTES], int digits, double number)
{
	const char *point = decimal_point();
	char *at;

	snprintf(out, NUMBER_BYTES, "%.*g", digits, number);
	at = strstr(out, point);
	if (at && strcmp(point, ".") != 0) {
		*at = '.';
		memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
	}
}

size_t number_format(char out[NUMBER_BYTES], double number)
{
	double again;

	for (int digits = 15; digits <= 17; digits++) {
		format_digits(out, digits, number);
		if (number_parse(slice_of(out), &again) && again == number)
			break;
	}
	if (isfinite(number) && !strpbrk(out, ".e"))
		strcat(out, ".0");
	return strlen(out);
}

static size_t skip_digits(struct slice text, size_t at)
{
	while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
		at++;
	return at;
}

static size_t skip_sign(struct slice text, size_t at)
{
	return at < text.size && (text.data[at] == '-' || text.data[at] == '+') ? at + 1 : at;
}

static bool is_number(struct slice text, size_t *point)
{
	size_t start = skip_sign(text, 0), at = skip_digits(text, start), digits = at - start;

	*point = text.size;
	if (at < text.size && text.data[at] == '.') {
		*point = at++;
		start = at;
		at = skip_digits(text, start);
		digits += at - start;
	}
	if (digits && at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
		start = skip_sign(text, at + 1);
		at = skip_digits(text, start);
		digits = at - start;
	}
	return digits && at == text.size;
}

bool number_parse(struct slice text, double *out)
{
	char copy[TEXT_BYTES + 16];
	size_t point;
	double number;

	if (text.size > TEXT_BYTES || !is_number(text, &point))
		return false;
	if (point == text.size)
		snprintf(copy, sizeof(copy), "%.*s", SLICE_FMT(text));
	else
		snprintf(copy, sizeof(copy), "%.*s%s%.*s", (int)point, text.data, decimal_point(),
			 (int)(text.size - point - 1), text.data + point + 1);
	number = strtod(copy, NULL);
	if (!isfinite(number))
		return false;
	*out = number;
	return true;
}
