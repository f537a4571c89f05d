/* SPDX-License-Identifier: MIT */
/*
 * The step `self_extract`: _build/NAME-VERSION.run, one executable that checks and unpacks itself and needs nothing on
 * the host. It is the unpacker, the archive that the step `tar` would make, and a trailer (carried/unpack.h).
 */
#include "build/build_steps.h"
#include "carried/unpack.h"
#include "pack/file_sink.h"
#include "pack/pack.h"
#include "pack/part_file.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PIECE_BYTES = 256 << 10, LEVEL_DEFAULT = 16 };

static int append_file(struct file_sink *sink, const char *path, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	SCOPE_FREE char *piece = malloc(PIECE_BYTES);
	if (fd < 0 || !piece)
		return error_system(err, fd < 0 ? errno : ENOMEM, "cannot open '%s'", path);
	for (;;) {
		ssize_t got = read(fd, piece, PIECE_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? error_system(err, errno, "cannot read '%s'", path) : 0;
		int status = file_sink_write(sink, piece, (size_t)got, err);
		if (status < 0)
			return status;
	}
}

static int append_trailer(struct build *build, struct file_sink *sink, uint64_t offset, const char *archive,
			  struct error *err)
{
	char trailer[TRAILER_BYTES] = "", sha256[DIGEST_HEX_BYTES];
	uint64_t size;
	int status = digest_file(archive, sha256, &size, err);
	if (status < 0)
		return status;
	int length =
		snprintf(trailer, sizeof(trailer), TRAILER_MAGIC "%llu %llu %s %s %s\n", (unsigned long long)offset,
			 (unsigned long long)size, sha256, build->release->name, build->release->version);
	if (length < 0 || (size_t)length >= sizeof(trailer))
		return error_set(err, ERROR_LIMIT, "the name of release '%s' is too long for it", build->release->name);
	return file_sink_write(sink, trailer, sizeof(trailer), err);
}

static int write_all(struct build *build, const char *archive, const char *out, uint64_t *bytes, struct error *err)
{
	SCOPE(file_sink_done) struct file_sink sink = { .fd = -1 };
	char sha256[DIGEST_HEX_BYTES];
	int status = file_sink_open(build->arena, out, &sink, err);
	if (status == 0)
		status = append_file(&sink, path_join(build->arena, build->options->tool->runtime, "unpacker"), err);
	uint64_t offset = sink.bytes;
	if (status == 0)
		status = append_file(&sink, archive, err);
	if (status == 0)
		status = append_trailer(build, &sink, offset, archive, err);
	if (status == 0)
		status = file_sink_finish(&sink, sha256, err);
	*bytes = sink.bytes;
	if (status == 0 && chmod(out, 0755) < 0)
		status = error_system(err, errno, "cannot make '%s' executable", out);
	return status;
}

int build_self_extract(struct build *build, struct error *err)
{
	const char *out = build_artifact_path(build, ".run");
	const char *archive = arena_printf(build->arena, "%s.tar", part_file_name(build->arena, out));
	int level = build->release->compression ? build->release->compression : LEVEL_DEFAULT;
	uint64_t bytes = 0;
	build_say_packing(build, out);
	int status = bundle_pack(build, archive, level, err);
	if (status == 0)
		status = write_all(build, archive, out, &bytes, err);
	(void)unlink(archive);
	if (status < 0)
		return error_wrap(err, "cannot pack release '%s'", build->release->name);
	build_say(build, "* packed %s (%.1f MB)", path_base(out), (double)bytes / 1e6);
	build_add_artifact(build, out);
	return 0;
}
