/* SPDX-License-Identifier: MIT */
/* SHA-256 and SHA-1 (which SPDX demands of files) in lower-case hex. */
#ifndef KVREL_DIGEST_H
#define KVREL_DIGEST_H

#include "base/error.h"
#include "base/slice.h"

enum { DIGEST_HEX_BYTES = 65, DIGEST_SHA1_HEX_BYTES = 41 };

struct digest { /* of a stream; begin, any number of add, end */
	void *sha256;
	void *sha1; /* NULL: not asked for */
};
int digest_begin(struct digest *digest, bool with_sha1, struct error *err);
int digest_add(struct digest *digest, const void *data, size_t size, struct error *err);
/* Fills what was asked for (sha1 may be NULL) and frees. */
int digest_end(struct digest *digest, char sha256[DIGEST_HEX_BYTES], char sha1[DIGEST_SHA1_HEX_BYTES],
	       struct error *err);
void digest_done(struct digest *digest);

int digest_bytes(struct slice bytes, char sha256[DIGEST_HEX_BYTES], struct error *err);
int digest_file(const char *path, char sha256[DIGEST_HEX_BYTES], uint64_t *size_bytes, struct error *err);
/* Both in one reading. */
int digest_file_twice(const char *path, char sha256[DIGEST_HEX_BYTES], char sha1[DIGEST_SHA1_HEX_BYTES],
		      uint64_t *size_bytes, struct error *err);

#endif
