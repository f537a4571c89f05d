/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "build/build.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/text.h"

#include <stdio.h>

struct findings {
	struct arena arena;
	struct value *list; /* NULL: as text */
};

static void found(void *context, const char *path, const char *what)
{
	struct findings *findings = context;
	if (!findings->list) {
		printf("%s %s\n", text_printable(&findings->arena, slice_of(path), ""),
		       text_printable(&findings->arena, slice_of(what), ""));
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

int check_folder(const char *root, bool json, bool quiet)
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
