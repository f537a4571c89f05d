/* SPDX-License-Identifier: MIT */
#include "build/existing.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { MANIFEST_BYTES_MAX = 256 << 20, VERSIONS_MAX = 4096 };

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* A manifest that cannot be read is no reason to stop: what it would have named is then left alone. */
static void read_version(struct arena *arena, const char *root, const char *version, struct installed *out)
{
	const char *path = arena_printf(arena, "%s/releases/%s/manifest.json", root, version);
	SCOPE(buf_done) struct buf text = { 0 };
	*out = (struct installed){ .version = arena_string(arena, version) };
	if (fs_read(path, MANIFEST_BYTES_MAX, &text, NULL) < 0)
		return;
	out->readable = manifest_parse(arena, buf_slice(&text), path, &out->manifest, NULL) == 0;
}

static int by_version(const void *a, const void *b)
{
	const struct installed *x = a, *y = b;
	return strcmp(x->version, y->version);
}

int existing_read(struct arena *arena, const char *root, struct existing *out, struct error *err)
{
	struct existing existing = { .root = root };
	struct stat st;
	if (stat(root, &st) < 0) {
		if (errno != ENOENT)
			return error_system(err, errno, "cannot look at '%s'", root);
		if (lstat(root, &st) == 0)
			return error_set(err, ERROR_EXISTS,
					 "'%s' is a link that leads nowhere; remove it, or make the folder it names",
					 root);
		*out = existing;
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERROR_EXISTS, "'%s' is in the way: it is no folder", root);
	existing.present = true;
	const char *releases = path_join(arena, root, "releases");
	SCOPE(close_dir) DIR *dir = opendir(releases);
	if (!dir && errno != ENOENT)
		return error_system(err, errno, "cannot open '%s'", releases);
	existing.versions = arena_array(arena, VERSIONS_MAX, sizeof(*existing.versions));
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (!text_is_version(slice_of(entry->d_name)) || !fs_is_dir(path_join(arena, releases, entry->d_name)))
			continue;
		if (existing.count == VERSIONS_MAX)
			return error_set(err, ERROR_LIMIT, "'%s' holds over %d versions", releases, VERSIONS_MAX);
		read_version(arena, root, entry->d_name, &existing.versions[existing.count++]);
	}
	qsort(existing.versions, existing.count, sizeof(*existing.versions), by_version);
	*out = existing;
	return 0;
}

static bool is_empty_folder(const char *path)
{
	SCOPE(close_dir) DIR *dir = opendir(path);
	struct dirent *entry = NULL;
	while (dir && (entry = readdir(dir)) && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
		;
	return dir && !entry;
}

const char *existing_stranger(struct arena *arena, const struct existing *existing)
{
	static const char *const expected[] = { ".", "..", "data", "tmp", "lost+found" };
	if (!existing->present || existing->count)
		return NULL;
	SCOPE(close_dir) DIR *dir = opendir(existing->root);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		size_t i = 0;
		while (i < ARRAY_LEN(expected) && strcmp(entry->d_name, expected[i]) != 0)
			i++;
		/* killed before it made the folder of its version, an unpacker leaves this */
		bool begun = strcmp(entry->d_name, "releases") == 0 &&
			     is_empty_folder(path_join(arena, existing->root, "releases"));
		if (i == ARRAY_LEN(expected) && !begun)
			return arena_string(arena, entry->d_name);
	}
	return NULL;
}

const struct installed *existing_version(const struct existing *existing, const char *version)
{
	for (size_t i = 0; i < existing->count; i++)
		if (strcmp(existing->versions[i].version, version) == 0)
			return &existing->versions[i];
	return NULL;
}

const struct manifest_entry *existing_entry(const struct existing *existing, const char *path, const char *except)
{
	for (size_t i = 0; i < existing->count; i++) {
		const struct installed *version = &existing->versions[i];
		if (!version->readable || (except && strcmp(version->version, except) == 0))
			continue;
		const struct manifest_entry *entry = manifest_find(&version->manifest, path);
		if (entry)
			return entry;
	}
	return NULL;
}

/* What a bundle has besides the entries of its manifests. */
static bool is_unlisted(const struct existing *existing, const char *path)
{
	if (strcmp(path, "releases/start.data") == 0)
		return true;
	struct slice head, version, name;
	return slice_split(slice_of(path), '/', &head, &version) && slice_is(head, "releases") &&
	       slice_split(version, '/', &version, &name) && slice_is(name, "manifest.json") && existing->count;
}

struct foreign {
	const struct existing *existing;
	const char *folder;
	char path[4096];
	bool found;
};

static int visit(void *context, const char *relative, const struct stat *st, struct error *err)
{
	struct foreign *foreign = context;
	int length = snprintf(foreign->path, sizeof(foreign->path), "%s%s%s", foreign->folder,
			      *foreign->folder ? "/" : "", relative);
	const struct manifest_entry *entry = NULL;
	if (length > 0 && (size_t)length < sizeof(foreign->path))
		entry = existing_entry(foreign->existing, foreign->path, NULL);
	bool folder = entry && entry->kind == PLAN_DIR;
	if ((entry && folder == S_ISDIR(st->st_mode)) || is_unlisted(foreign->existing, foreign->path))
		return 0;
	foreign->found = true;
	/* found: no need to walk a data folder of any size; the caller tells this from a real failure */
	return error_set(err, ERROR_EXISTS, "'%s' was not made by kvrel", foreign->path);
}

int existing_has_foreign(const struct existing *existing, const char *folder, struct error *err)
{
	struct foreign foreign = { .existing = existing, .folder = folder };
	SCOPE(buf_done) struct buf path = { 0 };
	buf_printf(&path, "%s%s%s", existing->root, *folder ? "/" : "", folder);
	struct error why;
	int status = fs_walk(buf_string(&path), visit, &foreign, &why);
	if (foreign.found)
		return 1;
	if (status < 0 && err)
		*err = why;
	return status;
}
