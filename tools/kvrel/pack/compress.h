/* SPDX-License-Identifier: MIT */
/*
 * A file that is written compressed by zstd, with the digest of what went in. The bytes depend on the input and the
 * level alone: neither the number of processors nor the size of the pieces it comes in changes them. The file appears
 * under its name when it is complete.
 */
#ifndef KVREL_COMPRESS_H
#define KVREL_COMPRESS_H

#include "build/digest.h"

struct compressor;
int compressor_new(const char *path, int level, struct compressor **out, struct error *err);
int compressor_write(struct compressor *compressor, const void *data, size_t size, struct error *err);
/* Ends the stream and gives the file its name. `sha256`: of the input. */
int compressor_finish(struct compressor *compressor, char sha256[DIGEST_HEX_BYTES], uint64_t *compressed_bytes,
		      struct error *err);
/* Removes what is not finished. NULL allowed. */
void compressor_free(struct compressor *compressor);

#endif
