/* SPDX-License-Identifier: MIT */
/* What the log hears of connections that were refused: of few peers, of one again and again, of more than it keeps. */
#include "base/scope.h"
#include "node/dist/internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct dist dist;
static FILE *told;

static void set_up(void)
{
	told = tmpfile();
	cr_assert_not_null(told);
	log_setup(fileno(told), LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void tear_down(void)
{
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	fclose(told);
}

TestSuite(refusal, .init = set_up, .fini = tear_down, .timeout = 60);

static void refuse(const char *address)
{
	struct link link = { .dist = &dist };
	snprintf(link.address, sizeof(link.address), "%s", address);
	refusal_log(&dist, &link, "it proved nothing");
}

/* How many lines there are, and the last one. */
static int lines(char last[512])
{
	int count = 0;
	rewind(told);
	while (fgets(last, 512, told) != NULL)
		count++;
	return count;
}

static void a_minute_passes(void)
{
	for (size_t i = 0; i < REFUSALS_KEPT; i++)
		dist.refusals[i].told_ms -= REFUSAL_AGAIN_MS;
}

Test(refusal, is_told_once_a_peer_and_minute)
{
	char last[512];
	for (int i = 0; i < 100; i++) {
		char address[64];
		snprintf(address, sizeof(address), "10.0.0.%d:%d", i % 2, 1000 + i);
		refuse(address);
	}
	cr_expect_eq(lines(last), 2);
	cr_expect_not_null(strstr(last, "refused a connection: it proved nothing"), "%s", last);
	cr_expect_not_null(strstr(last, "10.0.0.1:1001"), "%s", last);
	a_minute_passes();
	refuse("10.0.0.1:9");
	cr_expect_eq(lines(last), 3);
	cr_expect_not_null(strstr(last, "; since the last one 98 were not told"), "%s", last);
}

Test(refusal, of_many_peers_fills_no_log)
{
	char last[512];
	for (int i = 0; i < 10000; i++) {
		char address[64];
		snprintf(address, sizeof(address), "[2001:db8::%x]:4000", i);
		refuse(address);
	}
	cr_expect_eq(lines(last), REFUSALS_KEPT);
	a_minute_passes();
	refuse("[2001:db8::ffff:1]:4000");
	cr_expect_eq(lines(last), REFUSALS_KEPT + 1);
}
