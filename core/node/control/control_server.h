/* SPDX-License-Identifier: MIT */
/*
 * The node's end of the control protocol (base/control.h). Lives on the main loop; every descriptor is non-blocking, so
 * a client that does not read or send costs its own session only. Expressions and consoles run on threads of their own
 * (session.h).
 */
#ifndef NODE_CONTROL_SERVER_H
#define NODE_CONTROL_SERVER_H

#include "base/error.h"

#include <stdbool.h>

struct control_server;
struct node;

/* All on the main thread. */
int control_server_new(struct node *node, struct control_server **out, struct error *err);
int control_server_listen(struct control_server *server, const char *dir, struct error *err);
/* Serves one connection that is already there; takes ownership of `fd`. */
int control_server_attach(struct control_server *server, int fd, struct error *err);
/* No new clients; sessions end, running expressions are interrupted. Connections stay open until the process ends: that
 * is how a client learns of the end. */
void control_server_stop(struct control_server *server);
/* The connection of the client that asked for a restart; -1 when none did. Ownership passes. */
int control_server_take_restart_client(struct control_server *server);
/* A session that did not end: its thread may still use the node, so nothing of it may be freed. */
bool control_server_has_stragglers(struct control_server *server);
/* NULL is fine. Connections of clients that wait for the end of the process stay open. */
void control_server_free(struct control_server *server);

/* A last word to who asked for the stop, while the main thread hangs: the process ends next. */
void control_server_tell_stopping(const struct control_server *server, const char *text);

#endif
