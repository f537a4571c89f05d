/* SPDX-License-Identifier: MIT */
/* The limit of open files, which bounds the connections. */
#ifndef NODE_LIMITS_H
#define NODE_LIMITS_H

struct flags;

/* Raises the limit as far as --max-connections needs it; where the system does not allow that, says so and lowers
 * flags->max_connections to what fits. */
void limits_raise(struct flags *flags);

#endif
