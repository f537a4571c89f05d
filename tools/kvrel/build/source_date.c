/* SPDX-License-Identifier: MIT */
#include "build/build_steps.h"

#include "base/proc.h"
#include "base/scope.h"

enum { FALLBACK = 315532800 /* 1980-01-01T00:00:00Z */ };
#define DATE_MAX INT64_C(253402300799) /* the last second of 9999 */

static bool to_date(struct slice text, int64_t *out)
{
	int64_t date;
	if (!slice_to_int64(slice_trim(text), &date) || date < 0 || date > DATE_MAX)
		return false;
	*out = date;
	return true;
}

/* Whoever owns the tree: a build as another user must give the same times. No git or no commit is no mistake. */
static bool commit_date(const char *project_dir, int64_t *out)
{
	const char *argv[] = { "/bin/sh", "-c",
			       "exec git -c 'safe.directory=*' log -1 --no-show-signature --format=%ct 2>/dev/null",
			       NULL };
	SCOPE(buf_done) struct buf text = { 0 };
	buf_init(&text, 4096);
	const struct proc_options options = { .argv = argv, .cwd = project_dir, .out = &text, .timeout_ms = 5000 };
	int status;
	return proc_run(&options, &status, NULL) == 0 && status == 0 && to_date(buf_slice(&text), out);
}

int find_source_date(const char *project_dir, int64_t *out, struct error *err)
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	if (given && *given)
		return to_date(slice_of(given), out)
			       ? 0
			       : error_set(err, ERROR_INVALID,
					   "SOURCE_DATE_EPOCH is '%s'; it must be seconds since 1970, a whole number",
					   given);
	if (!commit_date(project_dir, out))
		*out = FALLBACK;
	return 0;
}
