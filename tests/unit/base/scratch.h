/* SPDX-License-Identifier: MIT */
/* A folder of its own for each test, removed at its end: use scratch_begin and scratch_end as .init and .fini. */
#ifndef TESTS_UNIT_BASE_SCRATCH_H
#define TESTS_UNIT_BASE_SCRATCH_H

#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch[64];

static inline void scratch_begin(void)
{
	strcpy(scratch, "/tmp/kvrel-unit-XXXXXX");
	cr_assert_not_null(mkdtemp(scratch));
}

static inline void scratch_end(void)
{
	struct error err;

	cr_assert_eq(fs_remove_tree(scratch, &err), 0, "%s", err.message);
}

/* A path in the folder; a few of them may be in use at a time. */
static inline const char *at(const char *name)
{
	static char paths[8][4200];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

static inline void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file, "%s", path);
	fputs(content, file);
	fclose(file);
}

/* The content, in a static buffer. */
static inline const char *content_of(const char *path)
{
	static struct buf content;
	struct error err;

	buf_clear(&content);
	cr_assert_eq(fs_read(path, 1 << 20, &content, &err), 0, "%s", err.message);
	return buf_string(&content);
}

#endif
