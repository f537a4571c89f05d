/* SPDX-License-Identifier: MIT */
/*
 * Each file is written beside its place and renamed into it; start.data, which makes the version the one that starts,
 * when all that starts is there. The manifest is written first, under its temporary name, and put in place last: until
 * then it says what an unpacker that was killed may have left, so that the next one, of whatever version, takes it
 * away.
 */
#include "tarball.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { START_DATA_MAX = 512 };
#define START_DATA "releases/start.data"

struct unpacking {
	struct arena *arena;
	struct tarball tarball;
	const char *folder;
	const char *manifest; /* in the archive */
	struct buf start_data;
	int64_t start_time, manifest_time;
};

static int set_time(const char *path, int64_t time, struct error *err)
{
	struct timespec times[2] = { { .tv_sec = time }, { .tv_sec = time } };
	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0
		       ? error_system(err, errno, "cannot set the time of '%s'", path)
		       : 0;
}

static int write_content(struct tarball *tarball, int fd, struct error *err)
{
	struct slice piece;
	int status;
	while ((status = tarball_piece(tarball, &piece, err)) > 0)
		if ((status = fs_write_all(fd, piece.data, piece.size, err)) < 0)
			break;
	return status;
}

const char *unpack_temporary(struct arena *arena, const char *path)
{
	static const char ending[] = ".unpacking";
	size_t folder = (size_t)(path_base(path) - path), name = strlen(path) - folder;
	size_t room = NAME_MAX - (sizeof(ending) - 1);
	return arena_printf(arena, "%.*s%s", (int)(folder + (name < room ? name : room)), path, ending);
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

/* The content of the entry at hand, not in its place yet. */
static int write_temporary(struct unpacking *unpacking, const struct tarball_entry *entry, const char *temporary,
			   struct error *err)
{
	SCOPE_FD int fd = -1;
	int status = create_temporary(temporary, &fd, err);
	if (status == 0)
		status = write_content(&unpacking->tarball, fd, err);
	if (status == 0)
		status = close_temporary(temporary, fd, entry->mode, err);
	if (status == 0)
		return 0;
	(void)unlink(temporary);
	return error_wrap(err, "cannot unpack '%s'", entry->path);
}

static const char *place_of(const struct unpacking *unpacking, const char *path)
{
	return path_join(unpacking->arena, unpacking->folder, path);
}

/* ---- the manifest -------------------------------------------------------------------------------------------------
 */

/* Reads the archive up to it: it stands before most of the bytes. */
static int unpack_manifest(struct unpacking *unpacking, struct error *err)
{
	struct tarball_entry entry;
	const char *temporary = unpack_temporary(unpacking->arena, place_of(unpacking, unpacking->manifest));
	int more;
	while ((more = tarball_next(&unpacking->tarball, &entry, err)) > 0) {
		if (strcmp(entry.path, unpacking->manifest) != 0)
			continue;
		int status = fs_make_dirs(path_dir(unpacking->arena, temporary), 0755, err);
		if (status == 0)
			status = write_temporary(unpacking, &entry, temporary, err);
		unpacking->manifest_time = entry.time;
		return status < 0 ? status : fs_sync_dir(path_dir(unpacking->arena, temporary), err);
	}
	return more < 0 ? more : payload_damaged("it holds no manifest", err);
}

static int put_manifest(struct unpacking *unpacking, struct error *err)
{
	const char *path = place_of(unpacking, unpacking->manifest);
	int status = put(unpack_temporary(unpacking->arena, path), path, unpacking->manifest_time, err);
	return status == 0 ? fs_sync_dir(path_dir(unpacking->arena, path), err) : status;
}

/* ---- start.data ---------------------------------------------------------------------------------------------------
 */

static int keep_start_data(struct unpacking *unpacking, const struct tarball_entry *entry, struct error *err)
{
	struct slice piece;
	int status;
	if (entry->size > START_DATA_MAX)
		return payload_damaged("start.data is too long", err);
	while ((status = tarball_piece(&unpacking->tarball, &piece, err)) > 0)
		buf_append_slice(&unpacking->start_data, piece);
	unpacking->start_time = entry->time;
	return status;
}

static int put_start_data(struct unpacking *unpacking, struct error *err)
{
	const char *path = place_of(unpacking, START_DATA);
	const char *temporary = unpack_temporary(unpacking->arena, path);
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

/* ---- all of it ----------------------------------------------------------------------------------------------------
 */

static int unpack_entry(struct unpacking *unpacking, const struct tarball_entry *entry, struct error *err)
{
	const char *path = place_of(unpacking, entry->path);
	const char *temporary = unpack_temporary(unpacking->arena, path);
	if (strcmp(entry->path, START_DATA) == 0)
		return keep_start_data(unpacking, entry, err);
	if (strcmp(entry->path, unpacking->manifest) == 0)
		return 0; /* lies there, under its temporary name */
	if (entry->type == '5')
		return fs_make_dirs(path, entry->mode, err);
	if (entry->type == '0') {
		int status = write_temporary(unpacking, entry, temporary, err);
		return status < 0 ? status : put(temporary, path, entry->time, err);
	}
	if (entry->type != '2')
		return payload_damaged("an entry is of a kind that bundles have not", err);
	(void)unlink(temporary);
	if (symlink(entry->target, temporary) < 0)
		return error_system(err, errno, "cannot create link '%s'", temporary);
	return put(temporary, path, entry->time, err);
}

static int unpack_entries(struct unpacking *unpacking, struct error *err)
{
	struct tarball_entry entry;
	int more;
	while ((more = tarball_next(&unpacking->tarball, &entry, err)) > 0) {
		int status = unpack_entry(unpacking, &entry, err);
		if (status < 0)
			return status;
	}
	return more;
}

/* From the start of the archive, which is read twice. */
static int pass(struct unpacking *unpacking, const struct payload *payload,
		int (*what)(struct unpacking *unpacking, struct error *err), struct error *err)
{
	int status = tarball_open(&unpacking->tarball, unpacking->arena, payload, err);
	if (status == 0)
		status = what(unpacking, err);
	tarball_done(&unpacking->tarball);
	return status;
}

int payload_unpack(struct arena *arena, const struct payload *payload, const char *folder, struct error *err)
{
	struct unpacking unpacking = { .arena = arena, .folder = folder };
	unpacking.manifest = arena_printf(arena, "releases/%s/manifest.json", payload->version);
	int status = fs_make_dirs(folder, 0755, err);
	if (status == 0)
		status = pass(&unpacking, payload, unpack_manifest, err);
	if (status == 0)
		status = pass(&unpacking, payload, unpack_entries, err);
	if (status == 0)
		status = put_start_data(&unpacking, err);
	if (status == 0)
		status = put_manifest(&unpacking, err);
	buf_done(&unpacking.start_data);
	return status;
}
