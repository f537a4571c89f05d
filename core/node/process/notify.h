/* SPDX-License-Identifier: MIT */
/*
 * Who wants to know how the boot went: the service manager (a datagram to $NOTIFY_SOCKET), the daemon's parent (a line
 * on a descriptor), the client that asked for a restart (a frame on its connection, inherited through the exec).
 */
#ifndef NODE_NOTIFY_H
#define NODE_NOTIFY_H

#include "base/error.h"

struct notify {
	int ready_fd;   /* -1: nobody waits */
	int restart_fd; /* -1: nobody waits */
};

/* Takes ownership of `ready_fd` and of the descriptor named by the environment, and makes both close-on-exec. */
void notify_init(struct notify *notify, int ready_fd);
/* Once: the node serves, or it does not and why. Closes the descriptors. */
void notify_ready(struct notify *notify);
void notify_failed(struct notify *notify, const struct error *why);
/* A reload begins; READY=1 ends it. */
void notify_reloading(void);
/* A datagram for the service manager: "STOPPING=1". Nothing happens without $NOTIFY_SOCKET. */
void notify_manager(const char *state);
/* Leaves `client_fd` open for the next image of this process and names it in the environment. */
int notify_hand_over(int client_fd, struct error *err);

#endif
