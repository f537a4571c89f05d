/* SPDX-License-Identifier: MIT */
/*
 * The bundled loader is started by name with the program as its argument, which is of no interest to who looks at a
 * list of processes. The kernel shows the memory between arg_start and arg_end, so a title is written there.
 * Expressions of eval are no part of it: they may hold what is nobody's business.
 */
#include "node/process/title.h"

#include "base/process.h"
#include "base/scope.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_BYTES = 1024 };

static int find_area(char **start, char **end)
{
	SCOPE(buf_done) struct buf text = { 0 };
	unsigned long long from, to;
	const char *at = process_stat(0, PROCESS_ARGUMENTS_FIELD, &text);
	if (at == NULL || sscanf(at, "%llu %llu", &from, &to) != 2 || from == 0 || to <= from)
		return -1;
	*start = (char *)(uintptr_t)from;
	*end = (char *)(uintptr_t)to;
	return 0;
}

/*
 * The program that the loader was given is the word before our first argument. It takes the place of argv[0], which
 * libc and the loader go on to use as the name of the main program, and gdb to find its file.
 */
static const char *program_path(const char *start, char **argv)
{
	const char *at = argv[1] != NULL && argv[1] > start ? argv[1] - 1 : NULL;
	while (at != NULL && at > start && at[-1] != '\0')
		at--;
	return at != NULL && *at == '/' ? at : argv[0];
}

/* In place: the loader keeps the array. All or nothing. */
static int move_arguments(const char *start, int argc, char **argv)
{
	SCOPE_FREE char **copy = calloc((size_t)argc + 1, sizeof(*copy));
	for (int i = 0; copy != NULL && i < argc; i++) {
		copy[i] = strdup(i == 0 ? program_path(start, argv) : argv[i]);
		if (copy[i] == NULL)
			return -1; /* what was copied stays: there is no memory to go on with anyway */
	}
	if (copy == NULL)
		return -1;
	memcpy(argv, copy, (size_t)argc * sizeof(*copy));
	program_invocation_name = argv[0];
	program_invocation_short_name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	return 0;
}

static void compose(char *out, size_t size, const char *root)
{
	const char *name = getenv("RELEASE_NAME"), *command = getenv("RELEASE_COMMAND"), *node = getenv("RELEASE_NODE");
	int length = snprintf(out, size, "%s/bin/%s %s", root, name, command != NULL ? command : "");
	if (node != NULL && *node != '\0' && length > 0 && (size_t)length < size)
		snprintf(out + length, size - (size_t)length, " [%s]", node);
}

void title_set(int argc, char **argv)
{
	const char *root = getenv("RELEASE_ROOT");
	char *start, *end, title[TITLE_BYTES];
	if (root == NULL || getenv("RELEASE_NAME") == NULL || find_area(&start, &end) != 0)
		return;
	/* the area must be the one that our own words are in, or it is not ours to write to */
	if (argc < 1 || argv[0] < start || argv[0] >= end || move_arguments(start, argc, argv) != 0)
		return;
	compose(title, sizeof(title), root);
	size_t room = (size_t)(end - start) - 1, length = strlen(title);
	memset(start, 0, room + 1);
	memcpy(start, title, length < room ? length : room);
}
