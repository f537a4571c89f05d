/* SPDX-License-Identifier: MIT */
/*
 * Archives are read as a stream and never unpacked. Besides what libarchive finds wrong, an entry is refused that would
 * leave the folder it is unpacked in (absolute, "..", through a link, a link that leads out), that is no file, folder
 * or link, or that comes twice. An archive that swells more than any program does is taken for an attack.
 */
#include "bundle/content.h"

#include "closure/elf_file.h"

#include "base/path.h"
#include "base/scope.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { BLOCK_BYTES = 128 << 10, SWELL_MAX = 200 };
#define SWELL_FREE_BYTES (UINT64_C(512) << 20)

struct reading {
	struct content_builder *builder;
	struct archive *archive;
	uint64_t file_bytes; /* of the archive */
	uint64_t unpacked;
};

static void free_archive(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

static int damaged(const struct reading *reading, struct error *err)
{
	const char *why = archive_error_string(reading->archive);
	if (elf_is(reading->builder->shown))
		return error_set(err, ERROR_INVALID,
				 "'%s' is a program and no archive of a bundle; one that unpacks itself "
				 "(*.run) checks itself with --check",
				 reading->builder->shown);
	return error_set(err, ERROR_INVALID, "'%s' is damaged or no archive of a bundle: %s", reading->builder->shown,
			 why ? why : "it cannot be read");
}

static int refuse(const struct reading *reading, const char *path, const char *why, struct error *err)
{
	return error_set(err, ERROR_INVALID, "'%s' is refused: entry '%.200s' %s", reading->builder->shown, path, why);
}

/* Makes the file that holds an ELF file while it is looked at. It lives in memory pages that can be swapped. */
static int scratch(struct content_builder *builder)
{
	if (builder->scratch_fd < 0)
		builder->scratch_fd = memfd_create("kvrel", MFD_CLOEXEC);
	if (builder->scratch_fd >= 0 &&
	    (ftruncate(builder->scratch_fd, 0) < 0 || lseek(builder->scratch_fd, 0, SEEK_SET) < 0))
		return -1;
	return builder->scratch_fd;
}

static int check_swelling(const struct reading *reading, struct error *err)
{
	if (reading->unpacked > SWELL_FREE_BYTES && reading->unpacked / SWELL_MAX > reading->file_bytes)
		return error_set(err, ERROR_INVALID, "'%s' is refused: it swells to over %d times its size",
				 reading->builder->shown, SWELL_MAX);
	return 0;
}

struct sinks { /* where the bytes of one file go */
	struct digest digest;
	bool digests;
	struct buf text;
	bool keeps_text;
	int elf_fd; /* -1: no ELF file */
	uint64_t size;
};

static void sinks_done(struct sinks *sinks)
{
	digest_done(&sinks->digest);
	buf_done(&sinks->text);
}

static int feed(struct reading *reading, struct sinks *sinks, const void *data, size_t size, struct error *err)
{
	if (sinks->size == 0 && (reading->builder->wants & CONTENT_ELF) && size >= 4 && memcmp(data, "\177ELF", 4) == 0)
		sinks->elf_fd = scratch(reading->builder);
	if (sinks->elf_fd >= 0 &&
	    (sinks->size + size > CONTENT_ELF_MAX || write(sinks->elf_fd, data, size) != (ssize_t)size))
		sinks->elf_fd = -1; /* nothing is said about it then */
	if (sinks->keeps_text)
		buf_append(&sinks->text, data, size);
	sinks->size += size;
	reading->unpacked += size;
	int status = check_swelling(reading, err);
	return status == 0 && sinks->digests ? digest_add(&sinks->digest, data, size, err) : status;
}

static int finish_file(struct reading *reading, struct sinks *sinks, struct content_item *item, struct error *err)
{
	struct content_builder *builder = reading->builder;
	char hex[DIGEST_HEX_BYTES], file[64];
	item->size_bytes = sinks->size;
	if (sinks->elf_fd >= 0) {
		snprintf(file, sizeof(file), "/proc/self/fd/%d", sinks->elf_fd);
		content_note_elf(builder, item, file);
	}
	if (sinks->digests) {
		int status = digest_end(&sinks->digest, hex, NULL, err);
		if (status < 0)
			return status;
		item->sha256 = arena_string(builder->arena, hex);
	}
	if (!sinks->keeps_text)
		return 0;
	if (sinks->text.failed)
		return refuse(reading, item->path, "is too large", err);
	return content_keep_text(builder, item->path, buf_slice(&sinks->text), err);
}

static int read_file(struct reading *reading, struct content_item *item, struct error *err)
{
	SCOPE(sinks_done) struct sinks sinks = { .elf_fd = -1, .keeps_text = content_keeps_text(item->path) };
	buf_init(&sinks.text, CONTENT_TEXT_MAX);
	if (reading->builder->wants & CONTENT_DIGESTS) {
		int status = digest_begin(&sinks.digest, false, err);
		if (status < 0)
			return status;
		sinks.digests = true;
	}
	for (;;) {
		const void *data;
		size_t size;
		la_int64_t offset;
		int result = archive_read_data_block(reading->archive, &data, &size, &offset);
		if (result == ARCHIVE_EOF)
			return finish_file(reading, &sinks, item, err);
		if (result != ARCHIVE_OK)
			return damaged(reading, err);
		if ((uint64_t)offset != sinks.size)
			return refuse(reading, item->path, "has holes", err);
		int status = feed(reading, &sinks, data, size, err);
		if (status < 0)
			return status;
	}
}

/* "./a//b/" as tar writers spell it → "a/b"; NULL when it leaves the folder. "" is the folder itself. */
static const char *inner_path(struct arena *arena, const char *path)
{
	if (!path || *path == '/')
		return NULL;
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return NULL;
	}
	const char *clean = path_clean(arena, path);
	return strcmp(clean, ".") == 0 ? "" : clean;
}

static int read_entry(struct reading *reading, struct archive_entry *entry, struct error *err)
{
	struct content_builder *builder = reading->builder;
	const char *name = archive_entry_pathname(entry);
	const char *path = inner_path(builder->arena, name);
	mode_t type = archive_entry_filetype(entry);
	if (!name || strlen(name) >= PATH_MAX)
		return refuse(reading, name ? name : "?", "has no name that can be used", err);
	if (!path)
		return refuse(reading, name, "leads out of the folder it is unpacked in", err);
	if (archive_entry_hardlink(entry) || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return refuse(reading, name, "is neither a file, a folder nor a symbolic link", err);
	if (!*path && type == AE_IFDIR)
		return 0;
	if (!*path)
		return refuse(reading, name, "has no name that can be used", err);
	if (archive_entry_perm(entry) & 07000)
		return refuse(reading, name, "has a set-id or sticky bit", err);
	struct content_item *item = content_add(builder, path, err);
	if (!item)
		return -ERROR_LIMIT;
	reading->unpacked += 512;
	item->mode = archive_entry_perm(entry);
	item->kind = type == AE_IFDIR ? PLAN_DIR : type == AE_IFLNK ? PLAN_LINK : PLAN_FILE;
	if (item->kind == PLAN_FILE)
		return read_file(reading, item, err);
	if (item->kind == PLAN_DIR)
		return check_swelling(reading, err);
	const char *target = archive_entry_symlink(entry);
	const char *lands =
		target ? path_clean(builder->arena, path_join(builder->arena, path_dir(builder->arena, path), target))
		       : "/";
	if (!target || *target == '/' || !path_is_inside(lands))
		return refuse(reading, name, "is a link that leads out of the bundle", err);
	item->target = arena_string(builder->arena, target);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct content_item *)a)->path, ((const struct content_item *)b)->path);
}

/* Twice the same path, or one that lies under a file or a link. */
static int check_tree(const struct reading *reading, struct error *err)
{
	struct content_builder *builder = reading->builder;
	if (builder->count)
		qsort(builder->items, builder->count, sizeof(*builder->items), by_path);
	const struct content content = { .items = builder->items, .count = builder->count };
	for (size_t i = 0; i < builder->count; i++) {
		const char *path = builder->items[i].path;
		if (i && strcmp(builder->items[i - 1].path, path) == 0)
			return refuse(reading, path, "is in it twice", err);
		for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
			const struct content_item *above =
				content_find(&content,
					     arena_copy(builder->arena, (struct slice){ path, slash - path }));
			if (above && above->kind != PLAN_DIR)
				return refuse(reading, path, "lies under something that is no folder", err);
		}
	}
	return 0;
}

static int open_archive(struct reading *reading, const char *path, struct error *err)
{
	struct stat st;
	reading->archive = archive_read_new();
	if (!reading->archive)
		return error_system(err, ENOMEM, "cannot read '%s'", path);
	archive_read_support_filter_zstd(reading->archive);
	archive_read_support_filter_gzip(reading->archive);
	archive_read_support_format_tar(reading->archive);
	/* to the very end, behind what tar takes for it: a cut checksum or an archive that was appended shows there */
	if (archive_read_set_format_option(reading->archive, "tar", "read_concatenated_archives", "1") != ARCHIVE_OK)
		return damaged(reading, err);
	if (stat(path, &st) < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	reading->file_bytes = (uint64_t)st.st_size;
	return archive_read_open_filename(reading->archive, path, BLOCK_BYTES) == ARCHIVE_OK ? 0
											     : damaged(reading, err);
}

static bool is_ascii(const char *text)
{
	for (; text && *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

/* In the locale C libarchive hands out names that are no ASCII as they are, with a warning. In another one it would
 * normalise them: to it é is one character, however it is written; to a file system there are two. */
static bool is_readable(int result, struct archive_entry *entry)
{
	return result == ARCHIVE_OK || (result == ARCHIVE_WARN && !(is_ascii(archive_entry_pathname(entry)) &&
								    is_ascii(archive_entry_symlink(entry))));
}

int content_read_archive(struct content_builder *builder, const char *path, struct error *err)
{
	struct reading reading = { .builder = builder };
	int status = open_archive(&reading, path, err);
	SCOPE(free_archive) struct archive *archive = reading.archive;
	while (status == 0) {
		struct archive_entry *entry;
		int result = archive_read_next_header(archive, &entry);
		if (result == ARCHIVE_EOF)
			return check_tree(&reading, err);
		status = is_readable(result, entry) ? read_entry(&reading, entry, err) : damaged(&reading, err);
	}
	return status;
}
