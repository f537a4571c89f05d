/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <criterion/criterion.h>
#include <float.h>
#include <stdlib.h>

static const char *format(double number)
{
	static char text[NUMBER_BYTES];

	cr_assert_eq(number_format(text, number), strlen(text));
	return text;
}

Test(number, the_shortest_text_that_reads_back_is_written)
{
	cr_assert_str_eq(format(0.1), "0.1");
	cr_assert_str_eq(format(1), "1.0");
	cr_assert_str_eq(format(-2.5), "-2.5");
	cr_assert_str_eq(format(1e300), "1e+300");
	cr_assert_str_eq(format(0.1 + 0.2), "0.30000000000000004");
}

Test(number, every_number_survives_the_way_through_text)
{
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
		double number, again;

		memcpy(&number, &bits, sizeof(number));
		if (number - number != 0)
			continue;
		cr_assert(number_parse(slice_of(format(number)), &again), "%s", format(number));
		cr_assert_eq(memcmp(&number, &again, sizeof(number)), 0, "%a", number);
	}
}

Test(number, usual_notations_are_read)
{
	double n;

	cr_assert(number_parse(SLICE("-1.5e3"), &n) && n == -1500);
	cr_assert(number_parse(SLICE("+.5"), &n) && n == 0.5);
	cr_assert(number_parse(SLICE("5."), &n) && n == 5);
	cr_assert(number_parse(SLICE("1E-2"), &n) && n == 0.01);
}

Test(number, anything_else_is_refused)
{
	static const char *const wrong[] = { "",     ".",   "-",   "e5", "1e", "1e+",  "1,5",
					     "0x10", "inf", "nan", " 1", "1 ", "1..2", "1e999" };
	double n = 42;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(number_parse(slice_of(wrong[i]), &n), "%s", wrong[i]);
	cr_assert_eq(n, 42);
}
