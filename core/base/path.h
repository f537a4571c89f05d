/* SPDX-License-Identifier: MIT */
/* Paths as text; nothing here looks at the file system. Results live in the arena. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/arena.h"

/* "a/b"; `b` alone when it is absolute or `a` is empty. */
char *path_join(struct arena *arena, const char *a, const char *b);
/* Last component; "" after a trailing slash. Borrowed from `path`. */
const char *path_base(const char *path);
/* All before the last component, "." if nothing, "/" stays. */
char *path_dir(struct arena *arena, const char *path);
/* Without ".", "..", doubled and trailing slashes, by text alone ("a/../b" → "b", "../a" stays). */
char *path_clean(struct arena *arena, const char *path);
/* `path` made absolute against `base` (an absolute folder) and cleaned. */
char *path_absolute(struct arena *arena, const char *base, const char *path);
/* A relative path that never leaves its folder: no leading slash, no ".." above it, not empty. */
bool path_is_inside(const char *relative);
/* How `path` reads from folder `from` (both absolute): "../x/y". */
char *path_relative(struct arena *arena, const char *from, const char *path);

#endif
