/* SPDX-License-Identifier: MIT */
#include "build/static_parts.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <stdlib.h>

enum { PARTS_MAX = 64, LIST_BYTES_MAX = 64 << 10, FIELDS = 6 };

static bool parse_line(struct arena *arena, struct slice line, const char *licences, struct static_part *out)
{
	const char *fields[FIELDS];
	for (size_t i = 0; i < FIELDS; i++) {
		struct slice field;
		if (!slice_split(line, ' ', &field, &line) && i + 1 < FIELDS)
			return false;
		fields[i] = arena_copy(arena, field);
	}
	const char *copyright = arena_printf(arena, "%s/%s/copyright", licences, fields[1]);
	*out = (struct static_part){ .program = fields[0],
				     .package = { .name = fields[1],
						  .version = fields[2],
						  .architecture = fields[3],
						  .source = fields[4],
						  .source_version = fields[5],
						  .copyright = fs_exists(copyright) ? copyright : NULL } };
	return true;
}

int static_parts_read(struct arena *arena, const char *runtime, const char *licences, struct static_part **out,
		      size_t *count, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	const char *path = path_join(arena, runtime, "static-parts");
	*out = arena_array(arena, PARTS_MAX, sizeof(**out));
	*count = 0;
	if (!fs_exists(path))
		return 0;
	int status = fs_read(path, LIST_BYTES_MAX, &text, err);
	if (status < 0)
		return status;
	struct slice rest = buf_slice(&text), line;
	while (slice_split(rest, '\n', &line, &rest))
		if (*count == PARTS_MAX || !parse_line(arena, line, licences, &(*out)[(*count)++]))
			return error_set(err, ERROR_INVALID, "'%s' is damaged: install kvrel again", path);
	return 0;
}

static bool has(const struct package_map *map, const char *name)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->packages[i].name, name) == 0)
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct package *)a)->name, ((const struct package *)b)->name);
}

void static_parts_add(struct arena *arena, const struct static_part *parts, size_t count, struct package_map *map)
{
	struct package *all = arena_array(arena, map->count + count + 1, sizeof(*all));
	struct package_map grown = *map;
	grown.packages = all;
	grown.linked = parts;
	grown.linked_count = count;
	if (map->count)
		memcpy(all, map->packages, map->count * sizeof(*all));
	for (size_t i = 0; i < count; i++)
		if (!has(&grown, parts[i].package.name))
			all[grown.count++] = parts[i].package;
	qsort(all, grown.count, sizeof(*all), by_name);
	*map = grown;
}
