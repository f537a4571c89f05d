/* SPDX-License-Identifier: MIT */
/*
 * What one image of the node leaves to the next, when it executes the launcher again (restart) or its heart does. All
 * of it goes by the environment and, for the cookie, by a descriptor; the receiver takes it out of the environment at
 * once.
 */
#ifndef NODE_HANDOVER_H
#define NODE_HANDOVER_H

struct node;

/* A descriptor with the cookie, close-on-exec; -1 when the launcher finds the cookie by itself again. */
int handover_cookie(const struct node *node);
/* Makes the environment ready for the launcher: `reason` is why there is a next boot. cookie_fd as above. */
void handover_prepare(const struct node *node, const char *reason, int cookie_fd);
/* Why this image boots, from the one before; NULL: somebody started it. In the node's arena. */
const char *handover_take_reason(struct node *node);

#endif
