/* SPDX-License-Identifier: MIT */
#include "build/digest.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

enum { READ_BYTES = 256 << 10 };

static void to_hex(const unsigned char *bytes, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * size] = '\0';
}

/* Looking an algorithm up costs more than hashing a small file: once a process. */
static const EVP_MD *algorithm(bool sha1)
{
	static EVP_MD *found[2];
	if (!found[sha1])
		found[sha1] = EVP_MD_fetch(NULL, sha1 ? "SHA1" : "SHA256", NULL);
	return found[sha1];
}

static int begin(void **slot, bool sha1)
{
	const EVP_MD *md = algorithm(sha1);
	*slot = EVP_MD_CTX_new();
	return md && *slot && EVP_DigestInit_ex(*slot, md, NULL) == 1 ? 0 : -1;
}

static int failed(struct error *err)
{
	return error_set(err, ERROR_FAILED, "libcrypto cannot compute a digest");
}

int digest_begin(struct digest *digest, bool with_sha1, struct error *err)
{
	*digest = (struct digest){ 0 };
	if (begin(&digest->sha256, false) == 0 && (!with_sha1 || begin(&digest->sha1, true) == 0))
		return 0;
	digest_done(digest);
	return failed(err);
}

int digest_add(struct digest *digest, const void *data, size_t size, struct error *err)
{
	if (EVP_DigestUpdate(digest->sha256, data, size) != 1)
		return failed(err);
	return !digest->sha1 || EVP_DigestUpdate(digest->sha1, data, size) == 1 ? 0 : failed(err);
}

int digest_end(struct digest *digest, char sha256[DIGEST_HEX_BYTES], char sha1[DIGEST_SHA1_HEX_BYTES],
	       struct error *err)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	int status = 0;
	if (EVP_DigestFinal_ex(digest->sha256, bytes, &size) == 1)
		to_hex(bytes, size, sha256);
	else
		status = failed(err);
	if (digest->sha1 && sha1 && EVP_DigestFinal_ex(digest->sha1, bytes, &size) == 1)
		to_hex(bytes, size, sha1);
	else if (digest->sha1 && sha1)
		status = failed(err);
	digest_done(digest);
	return status;
}

void digest_done(struct digest *digest)
{
	EVP_MD_CTX_free(digest->sha256);
	EVP_MD_CTX_free(digest->sha1);
	*digest = (struct digest){ 0 };
}

int digest_bytes(struct slice bytes, char sha256[DIGEST_HEX_BYTES], struct error *err)
{
	SCOPE(digest_done) struct digest digest;
	int status = digest_begin(&digest, false, err);
	if (status == 0)
		status = digest_add(&digest, bytes.data, bytes.size, err);
	return status < 0 ? status : digest_end(&digest, sha256, NULL, err);
}

static int add_file(struct digest *digest, const char *path, uint64_t *size_bytes, struct error *err)
{
	/* opening a pipe would wait for who writes to it */
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	SCOPE_FREE char *buffer = malloc(READ_BYTES);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "'%s' is no regular file", path);
	if (!buffer)
		return error_system(err, ENOMEM, "cannot read '%s'", path);
	uint64_t size = 0;
	for (;;) {
		ssize_t got = read(fd, buffer, READ_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "cannot read '%s'", path);
		if (got == 0)
			break;
		int status = digest_add(digest, buffer, (size_t)got, err);
		if (status < 0)
			return status;
		size += (uint64_t)got;
	}
	if (size_bytes)
		*size_bytes = size;
	return 0;
}

int digest_file_twice(const char *path, char sha256[DIGEST_HEX_BYTES], char sha1[DIGEST_SHA1_HEX_BYTES],
		      uint64_t *size_bytes, struct error *err)
{
	SCOPE(digest_done) struct digest digest;
	int status = digest_begin(&digest, sha1 != NULL, err);
	if (status == 0)
		status = add_file(&digest, path, size_bytes, err);
	return status < 0 ? status : digest_end(&digest, sha256, sha1, err);
}

int digest_file(const char *path, char sha256[DIGEST_HEX_BYTES], uint64_t *size_bytes, struct error *err)
{
	return digest_file_twice(path, sha256, NULL, size_bytes, err);
}
