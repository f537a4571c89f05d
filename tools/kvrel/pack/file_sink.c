/* SPDX-License-Identifier: MIT */
#include "pack/file_sink.h"
#include "pack/part_file.h"

#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int file_sink_open(struct arena *arena, const char *path, struct file_sink *out, struct error *err)
{
	struct file_sink sink = { .fd = -1, .path = path };
	int status = digest_begin(&sink.digest, false, err);
	if (status == 0 && path)
		status = part_file_open(arena, path, &sink.fd, &sink.temporary, err);
	if (status < 0)
		file_sink_done(&sink);
	else
		*out = sink;
	return status;
}

int file_sink_write(void *context, const void *data, size_t size, struct error *err)
{
	struct file_sink *sink = context;
	int status = digest_add(&sink->digest, data, size, err);
	sink->bytes += size;
	if (status < 0 || sink->fd < 0)
		return status;
	status = fs_write_all(sink->fd, data, size, err);
	return status < 0 ? error_wrap(err, "cannot write '%s'", sink->temporary) : 0;
}

int file_sink_finish(struct file_sink *sink, char sha256[DIGEST_HEX_BYTES], struct error *err)
{
	int status = digest_end(&sink->digest, sha256, NULL, err);
	if (status < 0 || sink->fd < 0)
		return status;
	if (fchmod(sink->fd, 0644) < 0 || fsync(sink->fd) < 0)
		return error_system(err, errno, "cannot write '%s'", sink->temporary);
	if (rename(sink->temporary, sink->path) < 0)
		return error_system(err, errno, "cannot rename '%s'", sink->temporary);
	close(sink->fd);
	sink->fd = -1;
	return 0;
}

void file_sink_done(struct file_sink *sink)
{
	digest_done(&sink->digest);
	if (sink->fd < 0)
		return;
	close(sink->fd);
	unlink(sink->temporary);
	sink->fd = -1;
}
