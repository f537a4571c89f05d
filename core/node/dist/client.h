/* SPDX-License-Identifier: MIT */
/*
 * A command for a node that is reached by name: the control protocol over TLS. For programs, not for nodes: it blocks.
 */
#ifndef NODE_DIST_CLIENT_H
#define NODE_DIST_CLIENT_H

#include "base/error.h"
#include "base/slice.h"

struct dist_client;

/* Connects and proves the cookie, both ways. NOT_FOUND: nobody listens where the node's name says. */
int dist_client_open(const char *node, struct slice cookie, struct dist_client **out, struct error *err);
void dist_client_free(struct dist_client *client);
/* Carries bytes between `fd` and the node until both are done; then frees the client and closes `fd`. */
void dist_client_run(struct dist_client *client, int fd);

#endif
