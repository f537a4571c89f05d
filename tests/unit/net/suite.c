/* SPDX-License-Identifier: MIT */
#include "suite.h"

struct t_net t;

void t_suite_start(void)
{
	t = t_net_start(2, PLENTY, OUTPUT_MAX);
}

void t_suite_stop(void)
{
	t_net_stop(&t);
}

struct net_stats t_stats(void)
{
	struct net_stats out;
	net_stats(t.net, &out);
	return out;
}
