/* SPDX-License-Identifier: MIT */
/* What lies behind the unpacker, by the trailer at the end of this very executable. */
#include "unpack.h"

#include "digest_static.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/stat.h>

int payload_damaged(const char *why, struct error *err)
{
	return error_set(err, ERROR_INTEGRITY, "the archive in this file is damaged: %s; fetch it again", why);
}

int payload_check(const struct payload *payload, struct error *err)
{
	char sha256[DIGEST_HEX_BYTES];
	int status = digest_range(payload->fd, payload->offset, payload->size, sha256, err);
	if (status == 0 && strcmp(sha256, payload->sha256) != 0)
		status = payload_damaged("its SHA-256 is another one", err);
	return status;
}

/* The name that the kernel was given serves where /proc is not mounted. */
static int open_executable(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const char *started = fd < 0 ? (const char *)getauxval(AT_EXECFN) : NULL;
	return started ? open(started, O_RDONLY | O_CLOEXEC) : fd;
}

int payload_find(struct arena *arena, struct payload *out, struct error *err)
{
	char trailer[TRAILER_BYTES + 1] = "", sha256[DIGEST_HEX_BYTES], name[128], version[128];
	unsigned long long offset, size;
	struct stat st;
	SCOPE_FD int fd = open_executable();
	if (fd < 0)
		return error_system(err, errno, "cannot read this program");
	if (fstat(fd, &st) < 0 || st.st_size < TRAILER_BYTES ||
	    pread(fd, trailer, TRAILER_BYTES, st.st_size - TRAILER_BYTES) != TRAILER_BYTES)
		return 0;
	if (strncmp(trailer, TRAILER_MAGIC, strlen(TRAILER_MAGIC)) != 0)
		return 0;
	if (sscanf(trailer + strlen(TRAILER_MAGIC), "%llu %llu %64s %127s %127s", &offset, &size, sha256, name,
		   version) != 5 ||
	    offset > (uint64_t)st.st_size || size != (uint64_t)st.st_size - TRAILER_BYTES - offset)
		return payload_damaged("its last bytes make no sense", err);
	*out = (struct payload){ .offset = offset,
				 .size = size,
				 .sha256 = arena_string(arena, sha256),
				 .name = arena_string(arena, name),
				 .version = arena_string(arena, version) };
	out->fd = TAKE_FD(fd);
	return 1;
}
