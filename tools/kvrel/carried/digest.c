/* SPDX-License-Identifier: MIT */
/*
 * digest.h for small programs. libcrypto's modern interface looks algorithms up in providers, which would link all
 * of them (4 MB); the older one is SHA-256 alone.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest_static.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { READ_BYTES = 256 << 10 };

static int add_bytes(SHA256_CTX *sha256, int fd, uint64_t offset, uint64_t most, uint64_t *done, struct error *err)
{
	SCOPE_FREE char *buffer = malloc(READ_BYTES);
	if (!buffer)
		return error_system(err, ENOMEM, "cannot compute a digest");
	for (*done = 0; *done < most;) {
		uint64_t left = most - *done;
		ssize_t got = pread(fd, buffer, left < READ_BYTES ? (size_t)left : READ_BYTES, (off_t)(offset + *done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "cannot read");
		if (got == 0)
			break;
		SHA256_Update(sha256, buffer, (size_t)got);
		*done += (uint64_t)got;
	}
	return 0;
}

static void finish(SHA256_CTX *context, char sha256[DIGEST_HEX_BYTES])
{
	unsigned char bytes[SHA256_DIGEST_LENGTH];
	SHA256_Final(bytes, context);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		sha256[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		sha256[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	sha256[2 * sizeof(bytes)] = '\0';
}

int digest_range(int fd, uint64_t offset, uint64_t size, char sha256[DIGEST_HEX_BYTES], struct error *err)
{
	SHA256_CTX context;
	uint64_t done;
	SHA256_Init(&context);
	int status = add_bytes(&context, fd, offset, size, &done, err);
	if (status == 0 && done != size)
		status = error_set(err, ERROR_INTEGRITY, "the file was cut short");
	if (status == 0)
		finish(&context, sha256);
	return status;
}

int digest_file(const char *path, char sha256[DIGEST_HEX_BYTES], uint64_t *size_bytes, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	SHA256_CTX context;
	uint64_t done;
	if (fd < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	SHA256_Init(&context);
	int status = add_bytes(&context, fd, 0, INT64_MAX, &done, err);
	if (status < 0)
		return error_wrap(err, "'%s'", path);
	finish(&context, sha256);
	if (size_bytes)
		*size_bytes = done;
	return 0;
}
