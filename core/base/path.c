/* SPDX-License-Identifier: MIT */
#include "base/path.h"

char *path_join(struct arena *arena, const char *a, const char *b)
{
	size_t size = strlen(a);

	if (size == 0 || b[0] == '/')
		return arena_string(arena, b);
	return arena_printf(arena, a[size - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_dir(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return arena_string(arena, ".");
	while (slash > path && slash[-1] == '/')
		slash--;
	return arena_copy(arena, (struct slice){ path, slash == path ? 1 : (size_t)(slash - path) });
}

/* The next component of *path, empty at its end; *path moves behind it. */
static struct slice next_component(const char **path)
{
	const char *start = *path + strspn(*path, "/");
	size_t size = strcspn(start, "/");

	*path = start + size;
	return (struct slice){ start, size };
}

char *path_clean(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 2);
	size_t root = path[0] == '/', size = root;
	size_t kept = root; /* nothing before this is taken back by "..": the root and leading ".." */
	struct slice part;

	out[0] = '/';
	while ((part = next_component(&path)).size) {
		bool up = slice_is(part, "..");

		if (slice_is(part, "."))
			continue;
		if (up && size > kept) {
			while (size > kept && out[size - 1] != '/')
				size--;
			if (size > kept)
				size--;
			continue;
		}
		if (up && root)
			continue;
		if (size > root)
			out[size++] = '/';
		memcpy(out + size, part.data, part.size);
		size += part.size;
		if (up)
			kept = size;
	}
	if (size == 0)
		out[size++] = '.';
	out[size] = '\0';
	return out;
}

char *path_absolute(struct arena *arena, const char *base, const char *path)
{
	return path_clean(arena, path_join(arena, base, path));
}

bool path_is_inside(const char *relative)
{
	struct slice part;
	size_t depth = 0, parts = 0;

	if (relative[0] == '/')
		return false;
	while ((part = next_component(&relative)).size) {
		parts++;
		if (slice_is(part, "."))
			continue;
		if (!slice_is(part, ".."))
			depth++;
		else if (depth-- == 0)
			return false;
	}
	return parts > 0;
}

char *path_relative(struct arena *arena, const char *from, const char *path)
{
	const char *a = path_clean(arena, from), *b = path_clean(arena, path);
	char *out = arena_alloc(arena, 2 * strlen(a) + strlen(b) + 4);
	size_t size = 0;
	const char *next_a = a, *next_b = b;
	struct slice part;

	for (;;) {
		struct slice part_a = next_component(&next_a), part_b = next_component(&next_b);

		if (part_a.size == 0 || !slice_equal(part_a, part_b))
			break;
		a = next_a;
		b = next_b;
	}
	while ((part = next_component(&a)).size) {
		memcpy(out + size, size ? "/.." : "..", size ? 3 : 2);
		size += size ? 3 : 2;
	}
	while ((part = next_component(&b)).size) {
		if (size)
			out[size++] = '/';
		memcpy(out + size, part.data, part.size);
		size += part.size;
	}
	if (size == 0)
		out[size++] = '.';
	return out;
}
