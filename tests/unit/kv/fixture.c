/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>

struct t_engine t;
char dir[256], data[300];

void t_up(void)
{
	t_make_dir(dir);
	snprintf(data, sizeof(data), "%s/data.mdb", dir);
}

void t_down(void)
{
	t_remove(dir);
}
