/* SPDX-License-Identifier: MIT */
/* A network of two workers for each test of a suite. */
#ifndef TEST_NET_SUITE_H
#define TEST_NET_SUITE_H

#include "fixture.h"

#include <criterion/criterion.h>

enum { PLENTY = 20000, OUTPUT_MAX = 1 << 20 };

extern struct t_net t;
void t_suite_start(void);
void t_suite_stop(void);
struct net_stats t_stats(void);

#define EXPECT(fd, text) \
	do { \
		const char *got_ = t_expect((fd), (text)); \
		cr_assert_null(got_, "expected '%s', got '%s'", (text), got_); \
	} while (0)

#endif
