/* SPDX-License-Identifier: MIT */
/* What a test of a store on disk has: a folder of its own, and an engine that it opens there and closes. */
#ifndef TEST_KV_FIXTURE_H
#define TEST_KV_FIXTURE_H

#include "driver.h"

extern struct t_engine t;
extern char dir[256];
extern char data[300]; /* the name of the store's data file */

/* A suite's .init and .fini. */
void t_up(void);
void t_down(void);

#endif
