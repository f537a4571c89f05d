/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log as a file that does not grow for ever. The launcher opens it as stdout and stderr and names it in
 * KVREL_LOG_FILE; the node renames it to FILE.1 when it is full (FILE.1 to FILE.2 and so on) and puts a new one under
 * the same descriptors. Replacing a descriptor is atomic, so every other thread writes on without a lock and no line is
 * lost, whoever wrote it: a component, a library, a program that was started. Main thread only.
 */
#ifndef NODE_LOGFILE_H
#define NODE_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the file's name from the environment: children do not get it. Without one everything below does nothing. */
void logfile_begin(uint64_t max_bytes, unsigned files);
/* Other limits from now on. */
void logfile_limit(uint64_t max_bytes, unsigned files);
/* Is it full? Then the next one begins. Called now and then. */
void logfile_check(void);
/* Somebody else renamed it: a new one is made. False without a log file. */
bool logfile_reopen(void);
/* Names it again for the next image of this process. */
void logfile_hand_over(void);

#endif
