/* SPDX-License-Identifier: MIT */
#include "node/dist/name.h"

#include <criterion/criterion.h>
#include <string.h>

Test(name, port_follows_from_the_part_before_the_host)
{
	struct dist_place a, b, c;
	cr_assert_eq(dist_place_of_node("foo@127.0.0.1", &a, NULL), 0);
	cr_assert_eq(dist_place_of_node("foo@::1", &b, NULL), 0);
	cr_assert_eq(dist_place_of_node("bar@127.0.0.1", &c, NULL), 0);
	cr_expect_eq(a.port, b.port);
	cr_expect_neq(a.port, c.port);
	cr_expect(a.port >= 21000 && a.port <= 28999);
	cr_expect_str_eq(b.host, "::1");
	/* FNV-1a of "foo" is 0xa9f37ed7 */
	cr_expect_eq(a.port, 21000 + 0xa9f37ed7u % 8000);
}

Test(name, port_in_the_name_wins)
{
	struct dist_place place;
	cr_assert_eq(dist_place_of_node("foo@[::1]:4000", &place, NULL), 0);
	cr_expect_eq(place.port, 4000);
	cr_expect_str_eq(place.host, "::1");
	cr_assert_eq(dist_place_of_node("foo@db.example.org:1", &place, NULL), 0);
	cr_expect_eq(place.port, 1);
	cr_expect_str_eq(place.host, "db.example.org");
}

Test(name, refuses_what_is_no_place)
{
	struct dist_place place;
	struct error err;
	cr_expect_lt(dist_place_of_node("foo", &place, &err), 0);
	cr_expect_lt(dist_place_of_node("foo@", &place, &err), 0);
	cr_expect_lt(dist_place_of_flag("4370", &place, &err), 0);
	cr_expect_lt(dist_place_of_flag("0.0.0.0:70000", &place, &err), 0);
	cr_assert_eq(dist_place_of_flag("[::]:4370", &place, &err), 0);
	cr_expect_str_eq(place.host, "::");
	cr_expect_eq(place.port, 4370);
}
