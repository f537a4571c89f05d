/* SPDX-License-Identifier: MIT */
/*
 * dpkg -S compares strings with dpkg's own spelling of a path: on a merged system the same file may be known with or
 * without /usr, so both are asked for. Its arguments are patterns. A diversion is no owner.
 */
#include "build/packages.h"

#include "build/cache.h"
#include "build/digest.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"

#include <stdio.h>

#define STATUS_FILE "/var/lib/dpkg/status"
enum { ANSWER_BYTES_MAX = 16 << 20 };

struct owner { /* one answer of dpkg -S */
	const char *path;
	const char *package; /* with ":amd64" */
};

struct asking {
	struct arena *arena;
	const char *const *files;
	size_t count;
	struct owner *owners;
	size_t owner_count;
	const char **of_file; /* package with architecture, by index of file */
	struct package_map map;
};

/* stderr says of every spelling that is not known that it is not known. */
static int ask(struct arena *arena, const char *command, const char **arguments, size_t count, struct buf *out,
	       struct error *err)
{
	const char **argv = arena_array(arena, count + 5, sizeof(*argv));
	const char *script = arena_printf(arena, "LC_ALL=C; export LC_ALL; exec %s \"$@\" 2>/dev/null", command);
	const char *const start[] = { "/bin/sh", "-c", script, "sh" };
	memcpy(argv, start, sizeof(start));
	memcpy(argv + 4, arguments, count * sizeof(*argv));
	buf_init(out, ANSWER_BYTES_MAX);
	int status, result = proc_run(&(struct proc_options){ .argv = argv, .out = out }, &status, err);
	/* 1: some are not known; above, nothing can be told, and nothing must be remembered */
	if (result == 0 && status > 1)
		return error_set(err, ERROR_FAILED,
				 "cannot ask which packages the libraries are from: '%s' ended with exit code %d",
				 command, status);
	return result;
}

static const char *as_pattern(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, 2 * strlen(path) + 1), *at = out;
	for (; *path; path++) {
		if (strchr("[*?\\", *path))
			*at++ = '\\';
		*at++ = *path;
	}
	return out;
}

/* The other spelling on a system where /lib is /usr/lib. */
static const char *other_spelling(struct arena *arena, const char *path)
{
	return strncmp(path, "/usr/", 5) == 0 ? path + 4 : arena_printf(arena, "/usr%s", path);
}

static void read_owners(struct asking *asking, struct slice text)
{
	struct slice line;
	asking->owners = arena_array(asking->arena, 2 * asking->count + 1, sizeof(*asking->owners));
	for (bool more = true; more && asking->owner_count < 2 * asking->count;) {
		more = slice_split(text, '\n', &line, &text);
		const char *colon = line.size ? memmem(line.data, line.size, ": ", 2) : NULL;
		if (!colon || slice_starts(line, SLICE("diversion by ")))
			continue;
		struct slice owners = { line.data, colon - line.data }, first, others;
		slice_split(owners, ',', &first, &others);
		asking->owners[asking->owner_count++] = (struct owner){
			.path = arena_copy(asking->arena, (struct slice){ colon + 2, line.size - owners.size - 2 }),
			.package = arena_copy(asking->arena, slice_trim(first)),
		};
	}
}

static const char *owner_of(const struct asking *asking, const char *path)
{
	for (size_t i = 0; i < asking->owner_count; i++)
		if (strcmp(asking->owners[i].path, path) == 0)
			return asking->owners[i].package;
	return NULL;
}

static int find_owners(struct asking *asking, struct error *err)
{
	struct arena *arena = asking->arena;
	const char **patterns = arena_array(arena, 2 * asking->count + 1, sizeof(*patterns));
	for (size_t i = 0; i < asking->count; i++) {
		patterns[2 * i] = as_pattern(arena, asking->files[i]);
		patterns[2 * i + 1] = as_pattern(arena, other_spelling(arena, asking->files[i]));
	}
	SCOPE(buf_done) struct buf out = { 0 };
	int status = ask(arena, "dpkg -S --", patterns, 2 * asking->count, &out, err);
	if (status < 0)
		return status;
	read_owners(asking, buf_slice(&out));
	asking->of_file = arena_array(arena, asking->count + 1, sizeof(*asking->of_file));
	for (size_t i = 0; i < asking->count; i++) {
		const char *owner = owner_of(asking, asking->files[i]);
		asking->of_file[i] = owner ? owner : owner_of(asking, other_spelling(arena, asking->files[i]));
	}
	return 0;
}

static struct package *package_named(const struct package_map *map, struct slice name)
{
	slice_split(name, ':', &name, &(struct slice){ 0 });
	for (size_t i = 0; i < map->count; i++)
		if (slice_is(name, map->packages[i].name))
			return &map->packages[i];
	return NULL;
}

static void read_package(struct asking *asking, struct slice line)
{
	struct package package = { 0 };
	const char **fields[] = { &package.name, &package.version, &package.architecture, &package.source,
				  &package.source_version };
	struct slice field;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		slice_split(line, '\t', &field, &line);
		*fields[i] = arena_copy(asking->arena, field);
	}
	if (!*package.name || package_named(&asking->map, slice_of(package.name)))
		return;
	const char *copyright = arena_printf(asking->arena, "/usr/share/doc/%s/copyright", package.name);
	package.copyright = fs_exists(copyright) ? copyright : NULL;
	asking->map.packages[asking->map.count++] = package;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct package *)a)->name, ((const struct package *)b)->name);
}

static void read_packages(struct asking *asking, struct slice text)
{
	struct slice line;
	asking->map.packages = arena_array(asking->arena, asking->count + 1, sizeof(*asking->map.packages));
	for (bool more = true; more && asking->map.count < asking->count;) {
		more = slice_split(text, '\n', &line, &text);
		read_package(asking, line);
	}
	qsort(asking->map.packages, asking->map.count, sizeof(*asking->map.packages), by_name);
}

static int find_packages(struct asking *asking, struct buf *out, struct error *err)
{
	const char **names = arena_array(asking->arena, asking->count + 1, sizeof(*names));
	size_t count = 0;
	for (size_t i = 0; i < asking->count; i++)
		if (asking->of_file[i])
			names[count++] = asking->of_file[i];
	if (!count)
		return 0;
	return ask(asking->arena,
		   "dpkg-query -W -f "
		   "'${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n' "
		   "--",
		   names, count, out, err);
}

/* What was answered: the packages' lines, an empty line, one owner a file. */
static void write_answer(const struct asking *asking, struct slice packages, struct buf *out)
{
	buf_append_slice(out, packages);
	buf_append_char(out, '\n');
	for (size_t i = 0; i < asking->count; i++)
		buf_printf(out, "%s\n", asking->of_file[i] ? asking->of_file[i] : "");
}

static bool read_answer(struct asking *asking, struct slice text)
{
	const char *end = text.size ? memmem(text.data, text.size, "\n\n", 2) : NULL;
	struct slice packages = { text.data, end ? end - text.data : 0 }, line;
	struct slice owners = end ? (struct slice){ end + 2, text.size - packages.size - 2 } : text;
	read_packages(asking, packages);
	asking->map.of_file = arena_array(asking->arena, asking->count + 1, sizeof(*asking->map.of_file));
	for (size_t i = 0; i < asking->count; i++) {
		if (!slice_split(owners, '\n', &line, &owners))
			return false;
		asking->map.of_file[i] = line.size ? package_named(&asking->map, line) : NULL;
	}
	return true;
}

/* NULL: no dpkg here. The state of its data base and the question together are the key. */
static const char *cache_file(struct arena *arena, const char *const *files, size_t count, const char *cache_dir)
{
	struct stat st;
	char name[DIGEST_HEX_BYTES];
	if (!cache_dir || stat(STATUS_FILE, &st) < 0)
		return NULL;
	SCOPE(buf_done) struct buf key = { 0 };
	buf_printf(&key, "packages 1 %lld %ld %lld\n", (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec,
		   (long long)st.st_size);
	for (size_t i = 0; i < count; i++)
		buf_printf(&key, "%s\n", files[i]);
	if (digest_bytes(buf_slice(&key), name, NULL) < 0)
		return NULL;
	return arena_printf(arena, "%s/%s.packages", cache_dir, name);
}

int packages_find(struct arena *arena, const char *const *files, size_t count, const char *cache_dir,
		  struct package_map *out, struct error *err)
{
	struct asking asking = { .arena = arena, .files = files, .count = count };
	SCOPE(buf_done) struct buf answer = { 0 };
	*out = (struct package_map){ .of_file = arena_array(arena, count + 1, sizeof(*out->of_file)) };
	if (!count || !fs_exists(STATUS_FILE))
		return 0;
	const char *file = cache_file(arena, files, count, cache_dir);
	if (!file || !cache_has(file) || fs_read(file, ANSWER_BYTES_MAX, &answer, NULL) < 0) {
		SCOPE(buf_done) struct buf packages = { 0 };
		buf_clear(&answer);
		int status = find_owners(&asking, err);
		if (status == 0)
			status = find_packages(&asking, &packages, err);
		if (status < 0)
			return status;
		write_answer(&asking, buf_slice(&packages), &answer);
		if (file)
			(void)fs_replace(file, buf_slice(&answer), 0644, NULL); /* asked again next time */
	}
	if (read_answer(&asking, buf_slice(&answer)))
		*out = asking.map;
	return 0;
}
