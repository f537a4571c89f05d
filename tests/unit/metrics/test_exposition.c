/* SPDX-License-Identifier: MIT */
#include "metrics/exposition.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct exposition exposition;
static char *text;

static void end(void)
{
	free(text);
	exposition_done(&exposition);
}

TestSuite(exposition, .fini = end);

static void add(enum kvrel_metric_type type, const char *name, const char *label, const char *label_value, double value)
{
	const struct kvrel_metric metric = {
		.name = name,
		.help = "Helps.",
		.type = type,
		.label = label,
		.label_value = { label_value, strlen(label_value) },
		.value = value,
	};
	exposition_add(&exposition, &metric);
}

static const char *write_it(void)
{
	size_t size = 0;
	text = exposition_text(&exposition, &size);
	cr_assert_not_null(text);
	cr_assert_eq(size, strlen(text));
	return text;
}

Test(exposition, of_nothing_is_its_end)
{
	cr_assert_str_eq(write_it(), "# EOF\n");
}

Test(exposition, keeps_the_samples_of_a_family_together)
{
	add(KVREL_GAUGE, "up", "component", "kv", 1);
	add(KVREL_COUNTER, "requests", NULL, "", 12);
	add(KVREL_GAUGE, "up", "component", "kv_server", 0);
	cr_assert_str_eq(write_it(), "# TYPE up gauge\n# HELP up Helps.\n"
				     "up{component=\"kv\"} 1\nup{component=\"kv_server\"} 0\n"
				     "# TYPE requests counter\n# HELP requests Helps.\nrequests_total 12\n# EOF\n");
}

Test(exposition, escapes_and_cuts_label_values)
{
	char long_value[1000];
	memset(long_value, '"', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	add(KVREL_GAUGE, "a", "l", "a\\b\"c\nd", 1);
	add(KVREL_GAUGE, "b", "l", long_value, 1);
	cr_assert_not_null(strstr(write_it(), "a{l=\"a\\\\b\\\"c\\nd\"} 1\n"));
	const char *cut = strstr(text, "b{l=\"");
	cr_assert_not_null(cut);
	cr_assert_not_null(strstr(cut, "\\\"\"} 1\n"));
}

Test(exposition, writes_whole_numbers_whole_and_others_exactly)
{
	add(KVREL_GAUGE, "a", NULL, "", 1099511627776.0);
	add(KVREL_GAUGE, "b", NULL, "", 0.25);
	add(KVREL_GAUGE, "c", NULL, "", 1e300);
	cr_assert_not_null(strstr(write_it(), "\na 1099511627776\n"));
	cr_assert_not_null(strstr(text, "\nb 0.25\n"));
	cr_assert_not_null(strstr(text, "\nc 1e+300\n"));
}
