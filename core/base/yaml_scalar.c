/* SPDX-License-Identifier: MIT */
#include "base/yaml_scalar.h"

#include "base/number.h"
#include "base/scope.h"

#include <math.h>
#include <strings.h>

static bool is_one_of(struct slice text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_is(text, words[i]))
			return true;
	}
	return false;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

enum outcome { NO_INTEGER, INTEGER, TOO_LARGE };

static enum outcome to_based(struct slice digits, int base, int64_t *out)
{
	int64_t number = 0;
	bool overflow = false;

	for (size_t i = 0; i < digits.size; i++) {
		int digit = digit_of(digits.data[i]);

		if (digit >= base)
			return NO_INTEGER;
		overflow |=
			__builtin_mul_overflow(number, base, &number) || __builtin_add_overflow(number, digit, &number);
	}
	*out = number;
	return digits.size == 0 ? NO_INTEGER : overflow ? TOO_LARGE : INTEGER;
}

static enum outcome to_integer(struct slice text, int64_t *out)
{
	struct slice digits = text;

	if (slice_starts(text, SLICE("0x")))
		return to_based((struct slice){ text.data + 2, text.size - 2 }, 16, out);
	if (slice_starts(text, SLICE("0o")))
		return to_based((struct slice){ text.data + 2, text.size - 2 }, 8, out);
	if (text.size && (text.data[0] == '+' || text.data[0] == '-'))
		digits = (struct slice){ text.data + 1, text.size - 1 };
	for (size_t i = 0; i < digits.size; i++) {
		if (digit_of(digits.data[i]) > 9)
			return NO_INTEGER;
	}
	if (digits.size == 0)
		return NO_INTEGER;
	if (text.data[0] == '+')
		text = digits;
	return slice_to_int64(text, out) ? INTEGER : TOO_LARGE;
}

static bool to_special_float(struct slice text, double *out)
{
	static const char *const nans[] = { ".nan", ".NaN", ".NAN" };
	static const char *const infinities[] = { ".inf", ".Inf", ".INF" };
	bool negative = text.size && text.data[0] == '-';

	if (is_one_of(text, nans, ARRAY_LEN(nans))) {
		*out = NAN;
		return true;
	}
	if (text.size && (negative || text.data[0] == '+'))
		text = (struct slice){ text.data + 1, text.size - 1 };
	if (!is_one_of(text, infinities, ARRAY_LEN(infinities)))
		return false;
	*out = negative ? -INFINITY : INFINITY;
	return true;
}

const char *yaml_scalar_resolve(struct slice text, struct value *out)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const trues[] = { "true", "True", "TRUE" };
	static const char *const falses[] = { "false", "False", "FALSE" };
	int64_t integer;
	double number;
	enum outcome outcome;

	out->type = VALUE_STRING;
	if (is_one_of(text, nulls, ARRAY_LEN(nulls))) {
		out->type = VALUE_NULL;
		return NULL;
	}
	if (is_one_of(text, trues, ARRAY_LEN(trues)) || is_one_of(text, falses, ARRAY_LEN(falses))) {
		out->type = VALUE_BOOL;
		out->boolean = text.data[0] == 't' || text.data[0] == 'T';
		return NULL;
	}
	outcome = to_integer(text, &integer);
	if (outcome == TOO_LARGE)
		return "does not fit into 64 bits; quote it if it is no number";
	if (outcome == INTEGER) {
		out->type = VALUE_INT;
		out->integer = integer;
	} else if (to_special_float(text, &number) || number_parse(text, &number)) {
		out->type = VALUE_FLOAT;
		out->number = number;
	}
	return NULL;
}

bool yaml_scalar_is_plain_string(struct slice text)
{
	static const char *const words[] = {
		"y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf"
	};
	char first = text.size ? text.data[0] : '0';

	if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' || first == '/'))
		return false;
	for (size_t i = 1; i < text.size; i++) {
		char c = text.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr("_./@+-", c))))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (text.size == strlen(words[i]) && strncasecmp(text.data, words[i], text.size) == 0)
			return false;
	}
	return true;
}
