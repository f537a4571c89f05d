/* SPDX-License-Identifier: MIT */
/*
 * The user's end of a console: a read-eval-print loop over a control connection, on a terminal with line editing,
 * elsewhere as a script from stdin.
 */
#ifndef NODE_CONSOLE_H
#define NODE_CONSOLE_H

#include "base/error.h"

struct node;

/* Speaks over `fd` (borrowed) until the user leaves or the node does. Returns the exit code. `begin` is called when the
 * conversation begins: what comes before it waits for the node and for the end of a script, and is not interrupted by
 * the functions below, so that until then signals had better end the process. */
int console_run(int fd, void (*begin)(void));
/* For signal handlers: Ctrl-C was pressed; the terminal has another size; the console is to end as if the user left. */
void console_interrupt(void);
void console_resize(void);
void console_hang_up(void);
/* start_console: the same on a thread of the node itself, over a pair of sockets. Needs a terminal. */
int console_attach(struct node *node, struct error *err);
/* Waits for that thread. No-op without one. */
void console_detach(void);

#endif
