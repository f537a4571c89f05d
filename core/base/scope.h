/* SPDX-License-Identifier: MIT */
/*
 * Scope-exit clean-up. An owning local carries one of these attributes and starts at NULL or -1 (or
 * zeroed); a value that escapes goes through TAKE_PTR or TAKE_FD, which leaves the local empty.
 *
 *	SCOPE_FREE char *text = NULL;
 *	SCOPE_FD int fd = -1;
 *	SCOPE(buf_done) struct buf out = { 0 };
 */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

#define SCOPE(done) __attribute__((cleanup(done)))

static inline void scope_free(void *slot)
{
	free(*(void **)slot);
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define SCOPE_FREE SCOPE(scope_free)
#define SCOPE_FD   SCOPE(scope_close)

#define TAKE_PTR(p) \
	({ \
		__typeof__(p) taken_ = (p); \
		(p) = NULL; \
		taken_; \
	})
#define TAKE_FD(fd) \
	({ \
		int taken_ = (fd); \
		(fd) = -1; \
		taken_; \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
