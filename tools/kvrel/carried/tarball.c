/* SPDX-License-Identifier: MIT */
#include "tarball.h"

#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 512, IN_BYTES = 128 << 10, OUT_BYTES = 128 << 10, TEXT_MAX = 64 << 10, WINDOW_LOG_MAX = 27 };

static int refill_input(struct tarball *tarball, struct error *err)
{
	uint64_t left = tarball->payload->size - tarball->taken;
	size_t wanted = left < IN_BYTES ? (size_t)left : IN_BYTES;
	ssize_t got;
	if (wanted == 0)
		return payload_damaged("it ends too early", err);
	do
		got = pread(tarball->payload->fd, tarball->in_bytes, wanted,
			    (off_t)(tarball->payload->offset + tarball->taken));
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? error_system(err, errno, "cannot read this file")
			       : payload_damaged("it was cut short", err);
	tarball->taken += (uint64_t)got;
	tarball->in = (ZSTD_inBuffer){ tarball->in_bytes, (size_t)got, 0 };
	return 0;
}

static int refill(struct tarball *tarball, struct error *err)
{
	ZSTD_outBuffer out = { tarball->out_bytes, OUT_BYTES, 0 };
	while (out.pos == 0) {
		int status = tarball->in.pos == tarball->in.size ? refill_input(tarball, err) : 0;
		if (status < 0)
			return status;
		size_t result = ZSTD_decompressStream(tarball->context, &out, &tarball->in);
		if (ZSTD_isError(result))
			return payload_damaged(ZSTD_getErrorName(result), err);
	}
	tarball->out_at = 0;
	tarball->out_size = out.pos;
	return 0;
}

/* Up to `most` bytes, at least one. */
static int next_piece(struct tarball *tarball, size_t most, struct slice *out, struct error *err)
{
	int status = tarball->out_at == tarball->out_size ? refill(tarball, err) : 0;
	if (status < 0)
		return status;
	size_t have = tarball->out_size - tarball->out_at;
	*out = (struct slice){ tarball->out_bytes + tarball->out_at, have < most ? have : most };
	tarball->out_at += out->size;
	return 0;
}

static int read_exactly(struct tarball *tarball, char *out, size_t size, struct error *err)
{
	struct slice piece;
	for (size_t at = 0; at < size; at += piece.size) {
		int status = next_piece(tarball, size - at, &piece, err);
		if (status < 0)
			return status;
		memcpy(out + at, piece.data, piece.size);
	}
	return 0;
}

static int skip(struct tarball *tarball, uint64_t size, struct error *err)
{
	struct slice piece;
	for (uint64_t left = size; left; left -= piece.size) {
		int status = next_piece(tarball, left < OUT_BYTES ? (size_t)left : OUT_BYTES, &piece, err);
		if (status < 0)
			return status;
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

static uint64_t padding_of(uint64_t size)
{
	return (BLOCK - size % BLOCK) % BLOCK;
}

/* Records "LENGTH key=value\n" for the entry that follows. */
static int read_pax(struct tarball *tarball, uint64_t size, struct tarball_entry *next, struct error *err)
{
	SCOPE_FREE char *text = size <= TEXT_MAX ? malloc((size_t)size + 1) : NULL;
	if (!text)
		return payload_damaged("a record is too long", err);
	int status = read_exactly(tarball, text, (size_t)size, err);
	if (status == 0)
		status = skip(tarball, padding_of(size), err);
	struct slice rest = { text, (size_t)size };
	while (status == 0 && rest.size) {
		char *end;
		text[size] = '\0';
		unsigned long length = strtoul(rest.data, &end, 10);
		if (length < 5 || length > rest.size || *end != ' ' || rest.data[length - 1] != '\n')
			return payload_damaged("a record makes no sense", err);
		struct slice record = { end + 1, (size_t)(rest.data + length - 1 - (end + 1)) }, key, value;
		rest = (struct slice){ rest.data + length, rest.size - length };
		slice_split(record, '=', &key, &value);
		if (slice_is(key, "path"))
			next->path = arena_copy(tarball->arena, value);
		else if (slice_is(key, "linkpath"))
			next->target = arena_copy(tarball->arena, value);
		else if (slice_is(key, "size"))
			next->size = strtoull(arena_copy(tarball->arena, value), NULL, 10);
	}
	return status;
}

/* What pax records said before wins over the header. */
static int read_entry(struct tarball *tarball, const char *block, const struct tarball_entry *said,
		      struct tarball_entry *out, struct error *err)
{
	struct arena *arena = tarball->arena;
	const char *prefix = text_field(arena, block + 345, 155);
	struct tarball_entry entry = { .type = block[156],
				       .mode = (mode_t)octal(block + 100, 8) & 0777,
				       .time = (int64_t)octal(block + 136, 12),
				       .size = said->size != UINT64_MAX ? said->size : octal(block + 124, 12) };
	entry.path = said->path ? said->path : path_join(arena, prefix, text_field(arena, block, 100));
	entry.path = path_clean(arena, entry.path);
	entry.target = said->target ? said->target : text_field(arena, block + 157, 100);
	if (!path_is_inside(entry.path))
		return payload_damaged("an entry leads out of the bundle", err);
	tarball->left = entry.size;
	tarball->padding = padding_of(entry.size);
	*out = entry;
	return 1;
}

int tarball_next(struct tarball *tarball, struct tarball_entry *out, struct error *err)
{
	struct tarball_entry said = { .size = UINT64_MAX };
	int status = skip(tarball, tarball->left + tarball->padding, err);
	tarball->left = tarball->padding = 0;
	while (status == 0) {
		char block[BLOCK];
		status = read_exactly(tarball, block, BLOCK, err);
		if (status < 0 || block[0] == '\0')
			return status;
		if (memcmp(block + 257, "ustar", 5) != 0)
			return payload_damaged("a header makes no sense", err);
		if (block[156] != 'x')
			return read_entry(tarball, block, &said, out, err);
		status = read_pax(tarball, octal(block + 124, 12), &said, err);
	}
	return status;
}

int tarball_piece(struct tarball *tarball, struct slice *out, struct error *err)
{
	if (tarball->left == 0)
		return 0;
	int status = next_piece(tarball, tarball->left < OUT_BYTES ? (size_t)tarball->left : OUT_BYTES, out, err);
	if (status < 0)
		return status;
	tarball->left -= out->size;
	return 1;
}

int tarball_open(struct tarball *tarball, struct arena *arena, const struct payload *payload, struct error *err)
{
	*tarball = (struct tarball){ .arena = arena, .payload = payload };
	tarball->context = ZSTD_createDCtx();
	tarball->in_bytes = malloc(IN_BYTES);
	tarball->out_bytes = malloc(OUT_BYTES);
	if (!tarball->context || !tarball->in_bytes || !tarball->out_bytes ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(tarball->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		return error_system(err, ENOMEM, "cannot unpack the archive");
	return 0;
}

void tarball_done(struct tarball *tarball)
{
	ZSTD_freeDCtx(tarball->context);
	free(tarball->in_bytes);
	free(tarball->out_bytes);
}
