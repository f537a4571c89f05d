/* SPDX-License-Identifier: MIT */
/* Where archives that are not compressed by zstd go: hashed, and kept in a file that appears when it is complete. */
#ifndef KVREL_FILE_SINK_H
#define KVREL_FILE_SINK_H

#include "build/digest.h"

#include "base/arena.h"

struct file_sink { /* zeroed with fd -1: hashes only */
	int fd;
	const char *path, *temporary;
	struct digest digest;
	uint64_t bytes;
};

/* `path` NULL: hash only. */
int file_sink_open(struct arena *arena, const char *path, struct file_sink *out, struct error *err);
/* A tar_write_fn; context is the sink. */
int file_sink_write(void *sink, const void *data, size_t size, struct error *err);
/* The file gets its name. `sha256`: of all that was written. */
int file_sink_finish(struct file_sink *sink, char sha256[DIGEST_HEX_BYTES], struct error *err);
/* Removes what is not finished. */
void file_sink_done(struct file_sink *sink);

#endif
