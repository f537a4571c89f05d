/* SPDX-License-Identifier: MIT */
/* The flags one by one; flags.c reads files and command lines of them. */
#ifndef NODE_FLAG_TABLE_H
#define NODE_FLAG_TABLE_H

#include "node/config/flags.h"

struct flag {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *doc;
	/* The message names neither the flag nor its place. */
	int (*parse)(struct arena *arena, struct flags *flags, const char *value, struct error *err);
};

const struct flag *flag_table(size_t *count);

#endif
