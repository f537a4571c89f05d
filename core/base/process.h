/* SPDX-License-Identifier: MIT */
/* This process as its caller left it, and what /proc says of any. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/buf.h"

#include <sys/types.h>

/* At the start of a program, whatever its caller did to signals: one that is blocked could not end it, and who ignores
 * the end of children would never learn how they ended. */
void process_take_signals(void);

/* Closes the descriptors from `first` to `last`, as far as there are any, on kernels without close_range(2) as well. */
void process_close_range(int first, int last);

enum { PROCESS_STATE_FIELD = 3, PROCESS_START_FIELD = 22, PROCESS_ARGUMENTS_FIELD = 48 };

/* /proc/PID/stat from this field on, 3 or later, as a view into `text`; pid 0: this process. NULL: it is gone, or /proc
 * does not tell. */
const char *process_stat(pid_t pid, int field, struct buf *text);
/* When it began, in the kernel's ticks: with the process id it names one process for good, over every exec. 0: as
 * above, or it has ended and nobody has waited for it yet. */
unsigned long long process_start(pid_t pid);

#endif
