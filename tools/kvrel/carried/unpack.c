/* SPDX-License-Identifier: MIT */
/*
 * The archive is kvrel's own (tar.c) and its digest has been checked, so of tar only what kvrel writes is read: ustar
 * headers, and pax records for names that do not fit. Memory does not depend on the size of files.
 */
#include "unpack.h"

#include "digest_static.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <zstd.h>

enum { BLOCK = 512, IN_BYTES = 128 << 10, OUT_BYTES = 128 << 10, TEXT_MAX = 64 << 10, WINDOW_LOG_MAX = 27 };
#define START_DATA "releases/start.data"

struct stream {
	const struct payload *payload;
	uint64_t taken; /* of the compressed bytes */
	ZSTD_DCtx *context;
	ZSTD_inBuffer in;
	char *in_bytes, *out_bytes;
	size_t out_at, out_size;
};

struct entry {
	const char *path;
	const char *target;
	mode_t mode;
	uint64_t size;
	int64_t time;
	char type;
};

struct unpacking {
	struct arena *arena;
	struct stream stream;
	const char *folder;
	struct buf start_data;
	int64_t start_time;
};

static int damaged(const char *why, struct error *err)
{
	return error_set(err, ERROR_INTEGRITY, "the archive in this file is damaged: %s; fetch it again", why);
}

static int refill_input(struct stream *stream, struct error *err)
{
	uint64_t left = stream->payload->size - stream->taken;
	size_t wanted = left < IN_BYTES ? (size_t)left : IN_BYTES;
	ssize_t got;
	if (wanted == 0)
		return damaged("it ends too early", err);
	do
		got = pread(stream->payload->fd, stream->in_bytes, wanted,
			    (off_t)(stream->payload->offset + stream->taken));
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? error_system(err, errno, "cannot read this file") : damaged("it was cut short", err);
	stream->taken += (uint64_t)got;
	stream->in = (ZSTD_inBuffer){ stream->in_bytes, (size_t)got, 0 };
	return 0;
}

static int refill(struct stream *stream, struct error *err)
{
	ZSTD_outBuffer out = { stream->out_bytes, OUT_BYTES, 0 };
	while (out.pos == 0) {
		int status = stream->in.pos == stream->in.size ? refill_input(stream, err) : 0;
		if (status < 0)
			return status;
		size_t result = ZSTD_decompressStream(stream->context, &out, &stream->in);
		if (ZSTD_isError(result))
			return damaged(ZSTD_getErrorName(result), err);
	}
	stream->out_at = 0;
	stream->out_size = out.pos;
	return 0;
}

/* Up to `most` bytes, at least one. */
static int next_piece(struct stream *stream, size_t most, struct slice *out, struct error *err)
{
	int status = stream->out_at == stream->out_size ? refill(stream, err) : 0;
	if (status < 0)
		return status;
	size_t have = stream->out_size - stream->out_at;
	*out = (struct slice){ stream->out_bytes + stream->out_at, have < most ? have : most };
	stream->out_at += out->size;
	return 0;
}

static int read_exactly(struct stream *stream, char *out, size_t size, struct error *err)
{
	struct slice piece;
	for (size_t at = 0; at < size; at += piece.size) {
		int status = next_piece(stream, size - at, &piece, err);
		if (status < 0)
			return status;
		memcpy(out + at, piece.data, piece.size);
	}
	return 0;
}

static uint64_t octal(const char *field, size_t size)
{
	uint64_t number = 0;
	for (size_t i = 0; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		number = number << 3 | (uint64_t)(field[i] - '0');
	return number;
}

static const char *text_field(struct arena *arena, const char *field, size_t size)
{
	return arena_copy(arena, (struct slice){ field, strnlen(field, size) });
}

static uint64_t padding(uint64_t size)
{
	return (BLOCK - size % BLOCK) % BLOCK;
}

static int skip_padding(struct stream *stream, uint64_t size, struct error *err)
{
	char rest[BLOCK];
	return read_exactly(stream, rest, (size_t)padding(size), err);
}

/* Records "LENGTH key=value\n" for the entry that follows. */
static int read_pax(struct unpacking *unpacking, uint64_t size, struct entry *next, struct error *err)
{
	SCOPE_FREE char *text = size <= TEXT_MAX ? malloc((size_t)size + 1) : NULL;
	if (!text)
		return damaged("a record is too long", err);
	int status = read_exactly(&unpacking->stream, text, (size_t)size, err);
	if (status == 0)
		status = skip_padding(&unpacking->stream, size, err);
	struct slice rest = { text, (size_t)size };
	while (status == 0 && rest.size) {
		char *end;
		text[size] = '\0';
		unsigned long length = strtoul(rest.data, &end, 10);
		if (length < 5 || length > rest.size || *end != ' ' || rest.data[length - 1] != '\n')
			return damaged("a record makes no sense", err);
		struct slice record = { end + 1, (size_t)(rest.data + length - 1 - (end + 1)) }, key, value;
		rest = (struct slice){ rest.data + length, rest.size - length };
		slice_split(record, '=', &key, &value);
		if (slice_is(key, "path"))
			next->path = arena_copy(unpacking->arena, value);
		else if (slice_is(key, "linkpath"))
			next->target = arena_copy(unpacking->arena, value);
		else if (slice_is(key, "size"))
			next->size = strtoull(arena_copy(unpacking->arena, value), NULL, 10);
	}
	return status;
}

/* 1: an entry; 0: the end. What pax records said before wins. */
static int read_header(struct unpacking *unpacking, struct entry *out, struct error *err)
{
	struct arena *arena = unpacking->arena;
	struct entry next = { .size = UINT64_MAX };
	for (;;) {
		char block[BLOCK];
		int status = read_exactly(&unpacking->stream, block, BLOCK, err);
		if (status < 0 || block[0] == '\0')
			return status;
		if (memcmp(block + 257, "ustar", 5) != 0)
			return damaged("a header makes no sense", err);
		uint64_t size = octal(block + 124, 12);
		if (block[156] == 'x') {
			status = read_pax(unpacking, size, &next, err);
			if (status < 0)
				return status;
			continue;
		}
		const char *prefix = text_field(arena, block + 345, 155);
		*out = (struct entry){ .type = block[156],
				       .mode = (mode_t)octal(block + 100, 8) & 0777,
				       .time = (int64_t)octal(block + 136, 12),
				       .size = next.size != UINT64_MAX ? next.size : size };
		out->path = next.path ? next.path : path_join(arena, prefix, text_field(arena, block, 100));
		out->target = next.target ? next.target : text_field(arena, block + 157, 100);
		out->path = path_clean(arena, out->path);
		return path_is_inside(out->path) ? 1 : damaged("an entry leads out of the bundle", err);
	}
}

static int set_time(const char *path, int64_t time, struct error *err)
{
	struct timespec times[2] = { { .tv_sec = time }, { .tv_sec = time } };
	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0
		       ? error_system(err, errno, "cannot set the time of '%s'", path)
		       : 0;
}

static int write_content(struct stream *stream, int fd, uint64_t size, struct error *err)
{
	struct slice piece;
	int status = 0;
	for (uint64_t left = size; left && status == 0; left -= piece.size) {
		status = next_piece(stream, left < OUT_BYTES ? (size_t)left : OUT_BYTES, &piece, err);
		if (status == 0)
			status = fs_write_all(fd, piece.data, piece.size, err);
		if (status < 0)
			return status;
	}
	return skip_padding(stream, size, err);
}

/* Always the same name: what a killed unpacker left is taken away by the next one. */
static const char *temporary_of(struct arena *arena, const char *path)
{
	return arena_printf(arena, "%s.unpacking", path);
}

static int create_temporary(const char *temporary, int *out, struct error *err)
{
	(void)unlink(temporary);
	*out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *out < 0 ? error_system(err, errno, "cannot create '%s'", temporary) : 0;
}

static int close_temporary(const char *temporary, int fd, mode_t mode, struct error *err)
{
	return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? error_system(err, errno, "cannot write '%s'", temporary) : 0;
}

static int put(const char *temporary, const char *path, int64_t time, struct error *err)
{
	int status = set_time(temporary, time, err);
	if (status == 0 && rename(temporary, path) < 0)
		status = error_system(err, errno, "cannot rename '%s' to '%s'", temporary, path);
	if (status < 0)
		(void)unlink(temporary);
	return status;
}

static int unpack_file(struct unpacking *unpacking, const struct entry *entry, const char *path, const char *temporary,
		       struct error *err)
{
	SCOPE_FD int fd = -1;
	int status = create_temporary(temporary, &fd, err);
	if (status == 0)
		status = write_content(&unpacking->stream, fd, entry->size, err);
	if (status == 0)
		status = close_temporary(temporary, fd, entry->mode, err);
	if (status < 0) {
		(void)unlink(temporary);
		return error_wrap(err, "cannot unpack '%s'", entry->path);
	}
	return put(temporary, path, entry->time, err);
}

/* Kept until all else is in place: it makes the version the one that starts. */
static int keep_start_data(struct unpacking *unpacking, const struct entry *entry, struct error *err)
{
	char text[BLOCK];
	if (entry->size > sizeof(text))
		return damaged("start.data is too long", err);
	int status = read_exactly(&unpacking->stream, text, (size_t)entry->size, err);
	if (status < 0)
		return status;
	buf_append(&unpacking->start_data, text, (size_t)entry->size);
	unpacking->start_time = entry->time;
	return skip_padding(&unpacking->stream, entry->size, err);
}

static int put_start_data(struct unpacking *unpacking, struct error *err)
{
	const char *path = path_join(unpacking->arena, unpacking->folder, START_DATA);
	const char *temporary = temporary_of(unpacking->arena, path);
	SCOPE_FD int fd = -1;
	int status = create_temporary(temporary, &fd, err);
	if (status == 0)
		status = fs_write_all(fd, unpacking->start_data.data, unpacking->start_data.size, err);
	if (status == 0)
		status = close_temporary(temporary, fd, 0644, err);
	if (status < 0) {
		(void)unlink(temporary);
		return error_wrap(err, "cannot unpack '" START_DATA "'");
	}
	status = put(temporary, path, unpacking->start_time, err);
	return status == 0 ? fs_sync_dir(path_dir(unpacking->arena, path), err) : status;
}

static int unpack_entry(struct unpacking *unpacking, const struct entry *entry, struct error *err)
{
	struct arena *arena = unpacking->arena;
	const char *path = path_join(arena, unpacking->folder, entry->path);
	const char *temporary = temporary_of(arena, path);
	if (strcmp(entry->path, START_DATA) == 0)
		return keep_start_data(unpacking, entry, err);
	if (entry->type == '5')
		return fs_make_dirs(path, entry->mode, err);
	if (entry->type == '0')
		return unpack_file(unpacking, entry, path, temporary, err);
	if (entry->type != '2')
		return damaged("an entry is of a kind that bundles have not", err);
	(void)unlink(temporary);
	if (symlink(entry->target, temporary) < 0)
		return error_system(err, errno, "cannot create link '%s'", temporary);
	return put(temporary, path, entry->time, err);
}

static int unpack_all(struct unpacking *unpacking, struct error *err)
{
	struct entry entry = { 0 };
	int status = fs_make_dirs(unpacking->folder, 0755, err);
	while (status == 0) {
		int more = read_header(unpacking, &entry, err);
		if (more <= 0)
			status = more;
		else
			status = unpack_entry(unpacking, &entry, err);
		if (more == 0)
			break;
	}
	return status == 0 ? put_start_data(unpacking, err) : status;
}

int payload_unpack(struct arena *arena, const struct payload *payload, const char *folder, struct error *err)
{
	struct unpacking unpacking = { .arena = arena, .folder = folder, .stream = { .payload = payload } };
	struct stream *stream = &unpacking.stream;
	stream->context = ZSTD_createDCtx();
	stream->in_bytes = malloc(IN_BYTES);
	stream->out_bytes = malloc(OUT_BYTES);
	int status;
	if (!stream->context || !stream->in_bytes || !stream->out_bytes ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(stream->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		status = error_system(err, ENOMEM, "cannot unpack the archive");
	else
		status = unpack_all(&unpacking, err);
	ZSTD_freeDCtx(stream->context);
	free(stream->in_bytes);
	free(stream->out_bytes);
	buf_done(&unpacking.start_data);
	return status;
}

int payload_check(const struct payload *payload, struct error *err)
{
	char sha256[DIGEST_HEX_BYTES];
	int status = digest_range(payload->fd, payload->offset, payload->size, sha256, err);
	if (status == 0 && strcmp(sha256, payload->sha256) != 0)
		status = damaged("its SHA-256 is another one", err);
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
		return damaged("its last bytes make no sense", err);
	*out = (struct payload){ .offset = offset,
				 .size = size,
				 .sha256 = arena_string(arena, sha256),
				 .name = arena_string(arena, name),
				 .version = arena_string(arena, version) };
	out->fd = TAKE_FD(fd);
	return 1;
}
