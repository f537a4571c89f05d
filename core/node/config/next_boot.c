/* SPDX-License-Identifier: MIT */
#include "node/config/next_boot.h"

#include "base/control.h"
#include "base/proc.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/process/heart.h"

#include <string.h>

/* The main thread waits meanwhile: less than what systemd's watchdog and the heart allow (60 s, as they are shipped).
 */
enum { TIMEOUT_MS = 45 * 1000, OUTPUT_MAX_BYTES = CONTROL_FRAME_MAX / 2 };

static struct slice without(struct slice line, struct slice prefix)
{
	return slice_starts(line, prefix) ? (struct slice){ line.data + prefix.size, line.size - prefix.size } : line;
}

/* A warning is no reason. */
static void drop_warnings(struct buf *said)
{
	SCOPE(buf_done) struct buf all = *said;
	struct slice rest = buf_slice(&all);
	struct slice line;
	buf_init(said, OUTPUT_MAX_BYTES);
	while (report_next_line(&rest, &line)) {
		if (memmem(line.data, line.size, ": warning: ", strlen(": warning: ")) != NULL)
			continue;
		buf_append_slice(said, line);
		buf_append_char(said, '\n');
	}
}

static int refuse(const struct buf *said, int status, struct error *err)
{
	struct slice rest = slice_trim(buf_slice(said));
	struct slice line;
	if (rest.size == 0)
		return error_set(err, ERROR_FAILED, "the next boot would fail: 'config check' ended with %d", status);
	if (slice_split(rest, '\n', &line, &rest))
		return error_set(err, ERROR_FAILED, "the next boot would fail; the running node goes on");
	line = without(without(without(line, SLICE("ERROR: ")), SLICE("kvnode: ")), SLICE("error: "));
	return error_set(err, ERROR_FAILED, "%.*s", SLICE_FMT(line));
}

int next_boot_check(const struct node *node, struct buf *said, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	const char *argv[] = { node->release.launcher, "config", "check", NULL };
	const struct proc_options options = {
		.argv = argv,
		.env = release_next_environment(&arena, &node->release),
		.cwd = "/",
		.out = said,
		.stderr_to_out = true,
		.timeout_ms = TIMEOUT_MS,
	};
	int status = 0;
	buf_init(said, OUTPUT_MAX_BYTES);
	heart_before_silence();
	int rc = proc_run(&options, &status, err);
	if (rc != 0)
		return error_wrap(err, "cannot check the next boot");
	if (status == 0)
		return 0;
	drop_warnings(said);
	return refuse(said, status, err);
}
