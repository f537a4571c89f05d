/* SPDX-License-Identifier: MIT */
/*
 * The terminal on stdin and stdout: one key at a time while a line is edited, as it was at all other times, so that
 * Ctrl-C is a signal while an expression runs and nothing has to be put back when the process dies then.
 */
#ifndef NODE_CONSOLE_TERMINAL_H
#define NODE_CONSOLE_TERMINAL_H

#include <stdbool.h>

/* Whether lines can be edited: a terminal on both ends that knows more than to scroll (TERM is set and not "dumb"). */
bool terminal_can_edit(void);
/* Nothing happens in the mode that it is in already. */
void terminal_edit(void);
void terminal_restore(void);
/* Between the lines of a paste: what comes is not shown, and Ctrl-C is a signal. Only where lines are being edited. */
void terminal_hold(void);
/* 80 when it does not tell. */
unsigned terminal_columns(void);

#endif
