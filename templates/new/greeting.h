/* What the component does, apart from any node: easy to test. */
#ifndef GREETING_H
#define GREETING_H

#include <stddef.h>

/* Writes "GREETING, NAME!" without a terminator. Returns its size; nothing is written when that is more than `room`. */
size_t greeting_write(char *out, size_t room, const char *greeting, const char *name, size_t name_size);

#endif
