/* SPDX-License-Identifier: MIT */
/*
 * Whole trees: walking and removing.
 *
 * Trees are walked without recursion and relative to open folders, never by following a link, so that neither the
 * depth of a tree nor the length of its paths nor someone who swaps a folder for a link meanwhile does harm. Folders
 * near the root stay open; deeper ones are entered again through "..", after which they must be the ones we left.
 */
#include "base/fs.h"

#include "base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { OPEN_FOLDERS = 64 };

struct entry {
	char *name;
	bool is_dir;
	bool skipped;
};

/* What is still to do in one folder: entries in byte order, a sub-folder once as "name" and once as "name/", which is
 * where its content stands in the order of whole paths ("a", "a-b", "a/c"). */
struct level {
	int fd; /* -1 while it is closed to save descriptors */
	dev_t dev;
	ino_t ino;
	struct entry *entries;
	size_t count;
	size_t next;
	size_t path_size; /* of the relative path of this folder, with its slash */
};

struct tree {
	struct level *levels;
	size_t depth;
	size_t capacity;
	struct buf path;
};

static void level_done(struct level *level)
{
	if (level->fd >= 0)
		close(level->fd);
	for (size_t i = 0; i < level->count; i++)
		free(level->entries[i].name);
	free(level->entries);
}

static void tree_done(struct tree *tree)
{
	while (tree->depth)
		level_done(&tree->levels[--tree->depth]);
	free(tree->levels);
	buf_done(&tree->path);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static bool level_add(struct level *level, const char *name, bool is_dir, const char *suffix)
{
	size_t size = strlen(name), suffix_size = strlen(suffix) + 1;
	char *copy;

	if ((level->count & (level->count - 1)) == 0) {
		size_t capacity = level->count ? level->count * 2 : 1;
		struct entry *entries = realloc(level->entries, capacity * sizeof(*entries));

		if (!entries)
			return false;
		level->entries = entries;
	}
	copy = malloc(size + suffix_size);
	if (!copy)
		return false;
	memcpy(copy, name, size);
	memcpy(copy + size, suffix, suffix_size);
	level->entries[level->count++] = (struct entry){ .name = copy, .is_dir = is_dir };
	return true;
}

static bool entry_is_dir(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int level_fill(struct level *level, DIR *dir, struct error *err)
{
	const struct dirent *entry;
	bool is_dir;

	while (errno = 0, entry = readdir(dir)) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		is_dir = entry_is_dir(dir, entry);
		if (!level_add(level, name, is_dir, "") || (is_dir && !level_add(level, name, is_dir, "/")))
			return error_set(err, ERROR_NO_MEMORY, "no memory for its names");
	}
	if (errno)
		return error_system(err, errno, "readdir");
	if (level->count)
		qsort(level->entries, level->count, sizeof(level->entries[0]), by_bytes);
	return 0;
}

/* Reads the open folder `fd` (taken over) into a new level. */
static int tree_push(struct tree *tree, int fd, struct error *err)
{
	struct level level = { .fd = fd, .path_size = tree->path.size };
	struct stat st;
	DIR *dir;
	int rc, copy;

	if (tree->depth == tree->capacity) {
		size_t capacity = tree->capacity ? tree->capacity * 2 : 16;
		struct level *levels = realloc(tree->levels, capacity * sizeof(*levels));

		if (!levels) {
			close(fd);
			return error_set(err, ERROR_NO_MEMORY, "no memory for its depth");
		}
		tree->levels = levels;
		tree->capacity = capacity;
	}
	if (tree->depth > OPEN_FOLDERS) {
		close(tree->levels[tree->depth - 1].fd);
		tree->levels[tree->depth - 1].fd = -1;
	}
	tree->levels[tree->depth++] = level;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir || fstat(fd, &st) < 0) {
		rc = error_system(err, errno, "open");
		if (dir)
			closedir(dir);
		else if (copy >= 0)
			close(copy);
		return rc;
	}
	tree->levels[tree->depth - 1].dev = st.st_dev;
	tree->levels[tree->depth - 1].ino = st.st_ino;
	rc = level_fill(&tree->levels[tree->depth - 1], dir, err);
	closedir(dir);
	return rc;
}

/* Leaves the deepest folder; the one above is open afterwards. */
static int tree_pop(struct tree *tree, struct error *err)
{
	struct level *left = &tree->levels[tree->depth - 1], *above = left - 1;
	struct stat st;

	if (tree->depth > 1 && above->fd < 0) {
		above->fd = openat(left->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (above->fd < 0 || fstat(above->fd, &st) < 0)
			return error_system(err, errno, "open '..'");
		if (st.st_dev != above->dev || st.st_ino != above->ino)
			return error_set(err, ERROR_FAILED, "a folder was moved meanwhile");
	}
	level_done(left);
	tree->depth--;
	return 0;
}

static int open_folder(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The next entry; the path becomes that of the entry. *enter: it is the second coming of a folder, its slash is off. */
static const struct entry *next_entry(struct tree *tree, struct level *level, bool *enter)
{
	struct entry *entry = &level->entries[level->next++];
	char *end = entry->name + strlen(entry->name);

	*enter = end[-1] == '/';
	if (*enter)
		end[-1] = '\0';
	tree->path.size = level->path_size;
	buf_append_string(&tree->path, entry->name);
	return entry;
}

static int walk_enter(struct tree *tree, const struct level *level, const char *name, struct error *err)
{
	int fd = open_folder(level->fd, name);

	if (fd < 0)
		return error_system(err, errno, "open");
	buf_append_char(&tree->path, '/');
	return tree_push(tree, fd, err);
}

/* The second coming of the folder that was visited last is left out. */
static void skip_content(struct level *level)
{
	const char *name = level->entries[level->next - 1].name;
	size_t size = strlen(name);

	for (size_t i = level->next; i < level->count; i++) {
		struct entry *entry = &level->entries[i];

		if (strncmp(entry->name, name, size) == 0 && strcmp(entry->name + size, "/") == 0) {
			entry->skipped = true;
			return;
		}
	}
}

static int walk_step(struct tree *tree, fs_visit_fn *visit, void *context, bool *theirs, struct error *err)
{
	struct level *level = &tree->levels[tree->depth - 1];
	const struct entry *entry;
	struct stat st;
	bool enter;
	int rc;

	if (level->next == level->count)
		return tree_pop(tree, err);
	entry = next_entry(tree, level, &enter);
	if (entry->skipped)
		return 0;
	if (tree->path.failed)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a path");
	if (enter)
		return walk_enter(tree, level, entry->name, err);
	if (fstatat(level->fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(err, errno, "stat");
	*theirs = true;
	rc = visit(context, buf_string(&tree->path), &st, err);
	if (rc == FS_SKIP && entry->is_dir)
		skip_content(level);
	return rc;
}

int fs_walk(const char *root, fs_visit_fn *visit, void *context, struct error *err)
{
	SCOPE(tree_done) struct tree tree = { 0 };
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_system(err, errno, "cannot open folder '%s'", root);
	rc = tree_push(&tree, fd, err);
	while (rc >= 0 && tree.depth) {
		bool theirs = false;

		rc = walk_step(&tree, visit, context, &theirs, err);
		if (rc < 0 && theirs)
			return rc;
	}
	if (rc < 0)
		return error_wrap(err, "cannot walk '%s/%s'", root, buf_string(&tree.path));
	return 0;
}

/* Opens a folder whose content is to go, giving ourselves the permissions for that. */
static int open_for_removal(int at, const char *name)
{
	int fd = open_folder(at, name);
	struct stat st;

	if (fd < 0 && errno == EACCES && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	    fchmodat(at, name, 0700, 0) == 0)
		fd = open_folder(at, name);
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)!fchmod(fd, 0700); /* where it matters, the removal itself fails and says why */
	return fd;
}

/* The content of a folder is gone: goes up and removes the folder itself. */
static int remove_emptied(struct tree *tree, struct error *err)
{
	int rc = tree_pop(tree, err);
	struct level *level;
	const char *name;

	if (rc < 0 || tree->depth == 0)
		return rc;
	level = &tree->levels[tree->depth - 1];
	name = level->entries[level->next - 1].name;
	tree->path.size = level->path_size;
	buf_append_string(&tree->path, name);
	if (unlinkat(level->fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_system(err, errno, "rmdir");
	return 0;
}

static int remove_step(struct tree *tree, struct error *err)
{
	struct level *level = &tree->levels[tree->depth - 1];
	const struct entry *entry;
	bool enter;
	int fd;

	if (level->next == level->count)
		return remove_emptied(tree, err);
	entry = next_entry(tree, level, &enter);
	if (tree->path.failed)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a path");
	if (!enter) {
		if (entry->is_dir || unlinkat(level->fd, entry->name, 0) == 0 || errno == ENOENT)
			return 0;
		return error_system(err, errno, "unlink");
	}
	fd = open_for_removal(level->fd, entry->name);
	if (fd < 0)
		return error_system(err, errno, "open");
	buf_append_char(&tree->path, '/');
	return tree_push(tree, fd, err);
}

int fs_remove_tree(const char *path, struct error *err)
{
	SCOPE(tree_done) struct tree tree = { 0 };
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_system(err, errno, "cannot remove '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return unlink(path) < 0 && errno != ENOENT ? error_system(err, errno, "cannot remove '%s'", path) : 0;
	fd = open_for_removal(AT_FDCWD, path);
	if (fd < 0)
		return error_system(err, errno, "cannot remove '%s'", path);
	rc = tree_push(&tree, fd, err);
	while (rc >= 0 && tree.depth)
		rc = remove_step(&tree, err);
	if (rc < 0)
		return error_wrap(err, "cannot remove '%s/%s'", path, buf_string(&tree.path));
	if (rmdir(path) < 0 && errno != ENOENT)
		return error_system(err, errno, "cannot remove '%s'", path);
	return 0;
}
