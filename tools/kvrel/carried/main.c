/* SPDX-License-Identifier: MIT */
/*
 * kvbundle verify [--json] [--quiet] ROOT: every file of the bundle at ROOT against its manifests. The launcher runs it
 * for 'bin/NAME verify'. Exit codes are kvrel's: 0, 1, 2, 3, and 4 with each mismatch named on stdout.
 */
#include "build.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct findings {
	struct arena arena;
	struct value *list; /* NULL: as text */
};

static void found(void *context, const char *path, const char *what)
{
	struct findings *findings = context;
	if (!findings->list) {
		printf("%s %s\n", path, what);
		return;
	}
	struct value *item = value_map(&findings->arena);
	value_map_add(&findings->arena, item, SLICE("path"), value_string(&findings->arena, slice_of(path)));
	value_map_add(&findings->arena, item, SLICE("what"), value_string(&findings->arena, slice_of(what)));
	value_list_add(&findings->arena, findings->list, item);
}

static void print_json(struct findings *findings, const char *root, bool ok)
{
	SCOPE(buf_done) struct buf out = { 0 };
	struct value *document = value_map(&findings->arena);
	value_map_add(&findings->arena, document, SLICE("ok"), value_bool(&findings->arena, ok));
	value_map_add(&findings->arena, document, SLICE("bundle"), value_string(&findings->arena, slice_of(root)));
	value_map_add(&findings->arena, document, SLICE("mismatches"), findings->list);
	json_write(&out, document, 2);
	puts(buf_string(&out));
}

static int verify(const char *root, bool json, bool quiet)
{
	struct findings findings = { 0 };
	struct error err;
	if (json)
		findings.list = value_list(&findings.arena);
	int status = bundle_verify(&findings.arena, root, found, &findings, &err);
	if (json && (status == 0 || status == -ERROR_INTEGRITY))
		print_json(&findings, root, status == 0);
	else if (status == 0 && !quiet)
		printf("%s is as it was built\n", root);
	/* a mismatch that nobody could read is not told */
	bool written = fflush(stdout) == 0 && !ferror(stdout);
	if (status < 0)
		fprintf(stderr, "ERROR: %s\n", err.message);
	else if (!written)
		fprintf(stderr, "ERROR: cannot write to standard output\n");
	arena_done(&findings.arena);
	return status < 0 ? error_exit_code(err.code) : written ? 0 : 1;
}

static int usage(void)
{
	fputs("usage: kvbundle verify [--json] [--quiet] ROOT\n", stderr);
	return error_exit_code(ERROR_USAGE);
}

int main(int argc, char **argv)
{
	bool json = false, quiet = false;
	int at = 2;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("kvbundle " KVREL_VERSION) < 0;
	if (argc < 3 || strcmp(argv[1], "verify") != 0)
		return usage();
	for (; argv[at] && strncmp(argv[at], "--", 2) == 0; at++) {
		json = json || strcmp(argv[at], "--json") == 0;
		quiet = quiet || strcmp(argv[at], "--quiet") == 0;
		if (strcmp(argv[at], "--json") != 0 && strcmp(argv[at], "--quiet") != 0)
			return usage();
	}
	return argv[at] && !argv[at + 1] ? verify(argv[at], json, quiet) : usage();
}
