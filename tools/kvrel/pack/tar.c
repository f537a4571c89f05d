/* SPDX-License-Identifier: MIT */
#include "pack/tar.h"

#include "base/scope.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>

enum { CHUNK_BYTES = 1 << 20 };

struct tar {
	struct archive *archive;
	struct archive_entry *entry;
	tar_write_fn *write;
	void *context;
	int64_t time;
	unsigned owner;
	char *buffer;
	locale_t names;     /* UTF-8, whatever the caller's is: libarchive refuses names that are none to it */
	bool discards;      /* the end of an archive that is given up */
	struct error error; /* what `write` said: libarchive keeps numbers only */
};

static la_ssize_t on_write(struct archive *archive, void *context, const void *data, size_t size)
{
	struct tar *tar = context;
	if (tar->discards)
		return (la_ssize_t)size;
	if (tar->write(tar->context, data, size, &tar->error) == 0)
		return (la_ssize_t)size;
	archive_set_error(archive, EIO, "%s", tar->error.message);
	return -1;
}

static int failed(struct tar *tar, const char *path, struct error *err)
{
	if (tar->error.code == ERROR_NONE)
		return error_set(err, ERROR_FAILED, "cannot archive '%s': %s", path,
				 archive_error_string(tar->archive));
	if (err)
		*err = tar->error;
	return -(int)tar->error.code;
}

static bool add_gzip(struct archive *archive)
{
	return archive_write_add_filter_gzip(archive) == ARCHIVE_OK &&
	       archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) == ARCHIVE_OK &&
	       archive_write_set_filter_option(archive, "gzip", "compression-level", "9") == ARCHIVE_OK;
}

static int make(tar_write_fn *write, void *context, int64_t time, bool gzip, struct tar **out, struct error *err)
{
	struct tar *tar = calloc(1, sizeof(*tar));
	if (!tar)
		return error_system(err, ENOMEM, "cannot make an archive");
	*tar = (struct tar){ .write = write, .context = context, .time = time };
	tar->archive = archive_write_new();
	tar->entry = archive_entry_new();
	tar->buffer = malloc(CHUNK_BYTES);
	tar->names = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!tar->archive || !tar->entry || !tar->buffer) {
		tar_free(tar);
		return error_system(err, ENOMEM, "cannot make an archive");
	}
	if (archive_write_set_format_pax_restricted(tar->archive) != ARCHIVE_OK || (gzip && !add_gzip(tar->archive)) ||
	    archive_write_set_bytes_per_block(tar->archive, 0) != ARCHIVE_OK ||
	    archive_write_open(tar->archive, tar, NULL, on_write, NULL) != ARCHIVE_OK) {
		int status = failed(tar, "", err);
		tar_free(tar);
		return status;
	}
	*out = tar;
	return 0;
}

int tar_new(tar_write_fn *write, void *context, int64_t time, struct tar **out, struct error *err)
{
	return make(write, context, time, false, out, err);
}

int tar_new_gzip(tar_write_fn *write, void *context, int64_t time, struct tar **out, struct error *err)
{
	return make(write, context, time, true, out, err);
}

void tar_set_owner(struct tar *tar, unsigned id)
{
	tar->owner = id;
}

static int add_header(struct tar *tar, const char *path, mode_t type, mode_t mode, int64_t size, const char *target,
		      struct error *err)
{
	struct archive_entry *entry = archive_entry_clear(tar->entry);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_mtime(entry, tar->time, 0);
	archive_entry_set_uid(entry, tar->owner);
	archive_entry_set_gid(entry, tar->owner);
	archive_entry_set_size(entry, size);
	if (target)
		archive_entry_set_symlink(entry, target);
	locale_t before = uselocale(tar->names);
	int result = archive_write_header(tar->archive, entry);
	uselocale(before);
	return result == ARCHIVE_OK ? 0 : failed(tar, path, err);
}

int tar_add_dir(struct tar *tar, const char *path, mode_t mode, struct error *err)
{
	return add_header(tar, path, AE_IFDIR, mode, 0, NULL, err);
}

int tar_add_link(struct tar *tar, const char *path, const char *target, struct error *err)
{
	return add_header(tar, path, AE_IFLNK, 0777, 0, target, err);
}

static int add_data(struct tar *tar, const char *path, const void *data, size_t size, struct error *err)
{
	return archive_write_data(tar->archive, data, size) == (la_ssize_t)size ? 0 : failed(tar, path, err);
}

int tar_add_text(struct tar *tar, const char *path, mode_t mode, struct slice text, struct error *err)
{
	int status = add_header(tar, path, AE_IFREG, mode, (int64_t)text.size, NULL, err);
	return status < 0 || !text.size ? status : add_data(tar, path, text.data, text.size, err);
}

static int add_content(struct tar *tar, const char *path, int fd, uint64_t size, struct digest *digest,
		       struct error *err)
{
	while (size) {
		ssize_t got = read(fd, tar->buffer, size < CHUNK_BYTES ? size : CHUNK_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "cannot read '%s'", path);
		if (got == 0)
			return error_set(err, ERROR_TRY_AGAIN, "'%s' shrank while it was archived", path);
		int status = digest ? digest_add(digest, tar->buffer, (size_t)got, err) : 0;
		if (status == 0)
			status = add_data(tar, path, tar->buffer, (size_t)got, err);
		if (status < 0)
			return status;
		size -= (uint64_t)got;
	}
	return 0;
}

int tar_add_file(struct tar *tar, const char *path, mode_t mode, const char *source, const char *sha256,
		 struct error *err)
{
	SCOPE_FD int fd = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_system(err, errno, "cannot open '%s'", source);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INTEGRITY, "'%s' is no regular file", source);
	bool believed = !sha256 || (st.st_mtim.tv_sec == tar->time && st.st_mtim.tv_nsec == 0);
	SCOPE(digest_done) struct digest digest = { 0 };
	char found[DIGEST_HEX_BYTES];
	int status = believed ? 0 : digest_begin(&digest, false, err);
	if (status == 0)
		status = add_header(tar, path, AE_IFREG, mode, st.st_size, NULL, err);
	if (status == 0)
		status = add_content(tar, path, fd, (uint64_t)st.st_size, believed ? NULL : &digest, err);
	if (status == 0 && !believed)
		status = digest_end(&digest, found, NULL, err);
	if (status == 0 && !believed && strcmp(found, sha256) != 0)
		return error_set(err, ERROR_INTEGRITY,
				 "'%s' was changed after it was assembled; use overlays to add to a bundle", source);
	return status;
}

int tar_finish(struct tar *tar, struct error *err)
{
	return archive_write_close(tar->archive) == ARCHIVE_OK ? 0 : failed(tar, "the end", err);
}

void tar_free(struct tar *tar)
{
	if (!tar)
		return;
	if (tar->entry)
		archive_entry_free(tar->entry);
	/* libarchive frees all only when it may write its end; after tar_finish() there is none left to write. */
	tar->discards = true;
	if (tar->archive)
		archive_write_free(tar->archive);
	if (tar->names)
		freelocale(tar->names);
	free(tar->buffer);
	free(tar);
}
