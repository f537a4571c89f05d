/* SPDX-License-Identifier: MIT */
#include "closure/ld_cache.h"

#include "base/fs.h"
#include "base/scope.h"

enum { CACHE_BYTES_MAX = 64 << 20, HEADER_BYTES = 48, ENTRY_BYTES = 24 };

static const char magic[] = "glibc-ld.so.cache1.1";

static uint32_t word(const char *at)
{
	uint32_t out;
	memcpy(&out, at, sizeof(out));
	return out;
}

static const char *string_at(struct arena *arena, struct slice file, uint32_t at)
{
	if (at >= file.size)
		return NULL;
	size_t length = strnlen(file.data + at, file.size - at);
	return length == file.size - at ? NULL : arena_copy(arena, (struct slice){ file.data + at, length });
}

int ld_cache_read(struct arena *arena, const char *path, struct ld_cache *out, struct error *err)
{
	SCOPE(buf_done) struct buf content = { 0 };
	struct error why;
	int status = fs_read(path, CACHE_BYTES_MAX, &content, &why);
	if (status == -ERROR_NOT_FOUND) {
		*out = (struct ld_cache){ 0 };
		return 0;
	}
	if (status < 0) {
		if (err)
			*err = why;
		return status;
	}
	/* Caches of older systems hold an old table first; the new one follows it and counts from its own start. */
	const char *start = content.size ? memmem(content.data, content.size, magic, sizeof(magic) - 1) : NULL;
	struct slice file = { start, start ? content.size - (size_t)(start - content.data) : 0 };
	if (file.size < HEADER_BYTES)
		return error_set(err, ERROR_INVALID, "'%s' is no cache of ldconfig that is understood", path);
	size_t count = word(file.data + 20);
	if (count > (file.size - HEADER_BYTES) / ENTRY_BYTES)
		return error_set(err, ERROR_INVALID, "'%s' is damaged: run ldconfig", path);
	struct ld_cache cache = { .entries = arena_array(arena, count + 1, sizeof(*cache.entries)) };
	for (size_t i = 0; i < count; i++) {
		const char *entry = file.data + HEADER_BYTES + i * ENTRY_BYTES;
		if (word(entry + 16) || word(entry + 20))
			continue;
		const char *soname = string_at(arena, file, word(entry + 4));
		const char *found = string_at(arena, file, word(entry + 8));
		if (!soname || !found)
			return error_set(err, ERROR_INVALID, "'%s' is damaged: run ldconfig", path);
		cache.entries[cache.count++] = (struct ld_cache_entry){ soname, found };
	}
	*out = cache;
	return 0;
}
