/* SPDX-License-Identifier: MIT */
/*
 * What a test's node offers to others: the operations of a table as those of a component whose name has one letter, and
 * no clients of the control protocol.
 */
#ifndef T_SERVING_H
#define T_SERVING_H

#include "base/error.h"
#include "node/dist/dist.h"

#include <unistd.h>

/* "t.echo" is the operation echo. `state` is what it gets. */
static inline int t_enter(const struct kvrel_op *ops, size_t count, void *state, struct slice name, struct dist_op *out,
			  struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (name.size > 2 && slice_is((struct slice){ name.data + 2, name.size - 2 }, ops[i].name)) {
			*out = (struct dist_op){ .op = &ops[i], .state = state };
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND, "no such operation");
}

static inline void t_leave(void *context, const struct dist_op *op)
{
	(void)context;
	(void)op;
}

static inline void t_control(void *context, int fd)
{
	(void)context;
	close(fd);
}

#endif
