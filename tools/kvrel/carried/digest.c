/* SPDX-License-Identifier: MIT */
/*
 * digest.h for the static checker. libcrypto's modern interface looks algorithms up in providers, which would link all
 * of them (4 MB); the older one is SHA-256 alone.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { READ_BYTES = 256 << 10 };

static int add_file(SHA256_CTX *sha256, int fd, char *buffer, const char *path, uint64_t *size_bytes, struct error *err)
{
	for (;;) {
		ssize_t got = read(fd, buffer, READ_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "read '%s'", path);
		if (got == 0)
			return 0;
		SHA256_Update(sha256, buffer, (size_t)got);
		*size_bytes += (uint64_t)got;
	}
}

int digest_file(const char *path, char sha256[DIGEST_HEX_BYTES], uint64_t *size_bytes, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	SCOPE_FREE char *buffer = malloc(READ_BYTES);
	unsigned char bytes[SHA256_DIGEST_LENGTH];
	SHA256_CTX context;
	uint64_t size = 0;
	if (fd < 0)
		return error_system(err, errno, "open '%s'", path);
	if (!buffer)
		return error_system(err, ENOMEM, "read '%s'", path);
	SHA256_Init(&context);
	int status = add_file(&context, fd, buffer, path, &size, err);
	if (status < 0)
		return status;
	SHA256_Final(bytes, &context);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		sha256[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		sha256[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	sha256[2 * sizeof(bytes)] = '\0';
	if (size_bytes)
		*size_bytes = size;
	return 0;
}
