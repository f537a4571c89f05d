/* SPDX-License-Identifier: MIT */
/*
 * zstd gives equal bytes for one level, job size and overlap with any number of workers but none; without workers it
 * depends on how the input is fed. So there is always at least one.
 */
#include "pack/compress.h"
#include "pack/part_file.h"

#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zstd.h>

/*
 * A job is what one worker compresses at a time, and memory grows with it. Quick levels gain nothing from long ones; at
 * the slow ones a small bundle is a single job, which packs best.
 */
enum { JOB_BYTES = 8 << 20, SLOW_JOB_BYTES = 16 << 20, SLOW_LEVEL = 10, WORKERS_MAX = 8, OVERLAP_LOG = 8 };

struct compressor {
	struct arena arena;
	const char *path, *temporary;
	ZSTD_CCtx *context;
	struct digest digest;
	char *buffer;
	size_t buffer_bytes;
	uint64_t written;
	int fd;
};

static int processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return count > WORKERS_MAX ? WORKERS_MAX : count;
}

static int zstd_error(size_t result, const char *path, struct error *err)
{
	return error_set(err, ERROR_FAILED, "cannot compress '%s': %s", path, ZSTD_getErrorName(result));
}

static int set_up(struct compressor *compressor, int level, struct error *err)
{
	const struct {
		ZSTD_cParameter parameter;
		int value;
	} settings[] = { { ZSTD_c_compressionLevel, level },
			 { ZSTD_c_checksumFlag, 1 },
			 { ZSTD_c_nbWorkers, processors() },
			 { ZSTD_c_jobSize, level < SLOW_LEVEL ? JOB_BYTES : SLOW_JOB_BYTES },
			 { ZSTD_c_overlapLog, OVERLAP_LOG } };
	compressor->context = ZSTD_createCCtx();
	compressor->buffer_bytes = ZSTD_CStreamOutSize();
	compressor->buffer = malloc(compressor->buffer_bytes);
	if (!compressor->context || !compressor->buffer)
		return error_system(err, ENOMEM, "cannot compress '%s'", compressor->path);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		size_t result = ZSTD_CCtx_setParameter(compressor->context, settings[i].parameter, settings[i].value);
		if (ZSTD_isError(result))
			return zstd_error(result, compressor->path, err);
	}
	return digest_begin(&compressor->digest, false, err);
}

int compressor_new(const char *path, int level, struct compressor **out, struct error *err)
{
	struct compressor *compressor = calloc(1, sizeof(*compressor));
	if (!compressor)
		return error_system(err, ENOMEM, "cannot compress '%s'", path);
	compressor->path = arena_string(&compressor->arena, path);
	compressor->fd = -1;
	int status = part_file_open(&compressor->arena, path, &compressor->fd, &compressor->temporary, err);
	if (status == 0)
		status = set_up(compressor, level, err);
	if (status < 0) {
		compressor_free(compressor);
		return status;
	}
	*out = compressor;
	return 0;
}

static int drain(struct compressor *compressor, ZSTD_inBuffer *input, ZSTD_EndDirective directive, bool *done,
		 struct error *err)
{
	ZSTD_outBuffer output = { compressor->buffer, compressor->buffer_bytes, 0 };
	size_t left = ZSTD_compressStream2(compressor->context, &output, input, directive);
	if (ZSTD_isError(left))
		return zstd_error(left, compressor->path, err);
	*done = directive == ZSTD_e_end ? left == 0 : input->pos == input->size;
	if (!output.pos)
		return 0;
	int status = fs_write_all(compressor->fd, compressor->buffer, output.pos, err);
	compressor->written += output.pos;
	return status < 0 ? error_wrap(err, "cannot write '%s'", compressor->temporary) : 0;
}

int compressor_write(struct compressor *compressor, const void *data, size_t size, struct error *err)
{
	ZSTD_inBuffer input = { data, size, 0 };
	int status = digest_add(&compressor->digest, data, size, err);
	for (bool done = size == 0; status == 0 && !done;)
		status = drain(compressor, &input, ZSTD_e_continue, &done, err);
	return status;
}

int compressor_finish(struct compressor *compressor, char sha256[DIGEST_HEX_BYTES], uint64_t *compressed_bytes,
		      struct error *err)
{
	ZSTD_inBuffer input = { 0 };
	int status = 0;
	for (bool done = false; status == 0 && !done;)
		status = drain(compressor, &input, ZSTD_e_end, &done, err);
	if (status == 0)
		status = digest_end(&compressor->digest, sha256, NULL, err);
	if (status < 0)
		return status;
	if (fchmod(compressor->fd, 0644) < 0 || fsync(compressor->fd) < 0)
		return error_system(err, errno, "cannot write '%s'", compressor->temporary);
	if (rename(compressor->temporary, compressor->path) < 0)
		return error_system(err, errno, "cannot rename '%s'", compressor->temporary);
	close(compressor->fd);
	compressor->fd = -1;
	if (compressed_bytes)
		*compressed_bytes = compressor->written;
	return 0;
}

void compressor_free(struct compressor *compressor)
{
	if (!compressor)
		return;
	if (compressor->fd >= 0) {
		close(compressor->fd);
		unlink(compressor->temporary);
	}
	ZSTD_freeCCtx(compressor->context);
	digest_done(&compressor->digest);
	free(compressor->buffer);
	arena_done(&compressor->arena);
	free(compressor);
}
