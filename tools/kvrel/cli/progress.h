/* SPDX-License-Identifier: MIT */
/*
 * One line on stderr that says what is being done and for how long: only on a terminal that can move its cursor, only
 * while kvrel is in its foreground, and only after half a second, so that quick work stays silent. A thread draws it,
 * as the work itself has no moments to spare. Everything that prints while it runs goes through progress_pause() first.
 */
#ifndef KVREL_PROGRESS_H
#define KVREL_PROGRESS_H

/* Begins, or changes what the line says; the half second counts from the first call. */
void progress_say(const char *what);
/* Takes the line off the screen; it comes back at the next tick. */
void progress_pause(void);
/* Takes it off and ends the thread. No-op when there is none. */
void progress_end(void);

#endif
