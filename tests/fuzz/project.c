/* SPDX-License-Identifier: MIT */
#include "project.h"

#include "base/scope.h"
#include "fuzz.h"
#include "spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char project[] = "/tmp/fuzz_project.XXXXXX";

static void remove_project(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", project);
	if (system(command) != 0)
		perror(project);
}

static void write_file(const char *name, const void *data, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", project, name);
	FILE *file = fopen(path, "w");
	FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void make_project(void)
{
	static const char releases[] =
		"releases: {foo: {version: {from_component: kv}, components: {kv: permanent}}}\n";
	static const char component[] = "name: kv\nversion: \"0.1.0\"\nconfig:\n  size: {type: size, default: 1MiB}\n";
	char path[128];

	FUZZ_CHECK(mkdtemp(project) != NULL);
	atexit(remove_project);
	snprintf(path, sizeof(path), "%s/core", project);
	FUZZ_CHECK(mkdir(path, 0700) == 0);
	write_file(FUZZ_RELEASES_FILE, releases, sizeof(releases) - 1);
	write_file(FUZZ_COMPONENT_FILE, component, sizeof(component) - 1);
}

void fuzz_project(const char *file, const void *data, size_t size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct diagnostics diagnostics = { .arena = &arena };
	struct spec_options options = { .project_dir = project };
	struct spec *spec = NULL;
	struct error err = { 0 };
	static int made;

	if (!made++)
		make_project();
	write_file(file, data, size);
	int result = spec_load(&arena, &options, &diagnostics, &spec, &err);
	FUZZ_CHECK((result == 0) == (spec != NULL));
	FUZZ_CHECK((result == 0) == (diagnostics.errors == 0 && err.message[0] == '\0'));
	for (size_t i = 0; i < diagnostics.count; i++)
		FUZZ_CHECK(diagnostics.items[i].message != NULL);
}
