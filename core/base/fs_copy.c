/* SPDX-License-Identifier: MIT */
/*
 * One file copied: by the file system where it can share the bytes, by the kernel where it can, by hand otherwise.
 */
#include "base/fs.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

enum { COPY_CHUNK_BYTES = 128 * 1024 };

/* linux/fs.h is not there for every libc */
#define CLONE_WHOLE_FILE _IOW(0x94, 9, int)

static int copy_by_hand(int from, int to, struct error *err)
{
	SCOPE_FREE char *chunk = malloc(COPY_CHUNK_BYTES);

	if (!chunk)
		return error_set(err, ERROR_NO_MEMORY, "no memory to copy");
	for (;;) {
		ssize_t got = read(from, chunk, COPY_CHUNK_BYTES);
		int rc;

		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "read");
		rc = fs_write_all(to, chunk, (size_t)got, err);
		if (rc < 0)
			return rc;
	}
}

/* Both descriptors stand at the first byte that is still missing, whatever the kernel managed before it gave up. */
static int copy_bytes(int from, int to, struct error *err)
{
	if (ioctl(to, CLONE_WHOLE_FILE, from) == 0)
		return 0;
	for (;;) {
		ssize_t copied = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);

		if (copied > 0 || (copied < 0 && errno == EINTR))
			continue;
		if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return error_system(err, errno, "write");
		/* at the end, or (another file system, an old kernel, a file of /proc) not for us */
		return copy_by_hand(from, to, err);
	}
}

/* A new file under the name, whatever is there: never through a link, never into a file others have linked. */
static int create_fresh(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlink(path) == 0)
		fd = open(path, flags, 0600);
	return fd;
}

int fs_copy_file(const char *from, const char *to, mode_t mode, struct error *err)
{
	SCOPE_FD int in = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	SCOPE_FD int out = -1;
	struct stat st;
	int rc;

	if (in < 0 || fstat(in, &st) < 0)
		return error_system(err, errno, "cannot copy '%s'", from);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "cannot copy '%s': it is no regular file", from);
	out = create_fresh(to);
	if (out < 0)
		return error_system(err, errno, "cannot write '%s'", to);
	rc = copy_bytes(in, out, err);
	if (rc == 0 && fchmod(out, mode) < 0)
		rc = error_system(err, errno, "chmod");
	if (rc < 0) {
		unlink(to);
		return error_wrap(err, "cannot copy '%s' to '%s'", from, to);
	}
	return 0;
}
