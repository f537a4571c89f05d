/* SPDX-License-Identifier: MIT */
/*
 * What the launcher tells the runtime: which release this is and where its files are, from the RELEASE_* variables.
 * What is missing gets the launcher's defaults, so that kvnode can be started by hand in a bundle. Strings live in the
 * arena given to release_read().
 */
#ifndef NODE_RELEASE_H
#define NODE_RELEASE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum release_mode { RELEASE_EMBEDDED, RELEASE_INTERACTIVE, RELEASE_MODE_COUNT };
enum distribution { DISTRIBUTION_SNAME, DISTRIBUTION_NAME, DISTRIBUTION_NONE, DISTRIBUTION_COUNT };

struct release {
	const char *root; /* absolute */
	const char *name;
	const char *version;
	const char *node; /* "foo@host" */
	enum release_mode mode;
	enum distribution distribution;
	const char *tmp;
	const char *data;
	const char *vm_args;    /* file */
	const char *sys_config; /* file, with its suffix */
	const char *launcher;   /* what a restart executes: its file may bear another name than the release */
};

int release_read(struct arena *arena, struct release *out, struct error *err);
/*
 * Takes back from the environment what the launcher derived from the version, so that it derives them afresh when the
 * process executes it again.
 */
void release_forget_version(const struct release *running);
/* The same as a copy, which shares the entries that stay; NULL-terminated, in the arena. */
const char *const *release_next_environment(struct arena *arena, const struct release *running);
/* How messages name `path`: relative to the bundle root when it is inside. */
const char *release_shown(const struct release *release, const char *path);
/* Is it a variable that the launcher settles before anything is read here? */
bool release_settles(struct slice name);
const char *distribution_name(enum distribution distribution);

/* Reads the cookie from `fd` to its end and closes it. */
int release_read_cookie(int fd, struct buf *cookie, struct error *err);
/* Overwrites and frees it. */
void release_forget_cookie(struct buf *cookie);

#endif
