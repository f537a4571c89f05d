/* SPDX-License-Identifier: MIT */
/*
 * A project in a temporary folder: components made of test libraries, templates, and a release of them as spec_load()
 * would hand it over. The runtime is a stand-in.
 */
#ifndef TESTS_KVREL_BUILD_FIXTURE_H
#define TESTS_KVREL_BUILD_FIXTURE_H

#include "build/build.h"

struct project {
	struct arena arena;
	const char *dir;
	const char *root; /* of the bundle */
	struct spec spec;
	struct spec_release release;
	struct spec_component components[2]; /* alpha, beta */
	struct spec_member members[2];
	struct spec_step steps[4];
	struct tool_paths tool;
	struct build_options options;
	struct build_result result;
	int step_status;
	struct buf said;
	struct error err;
};

void project_setup(struct project *project);
void project_teardown(struct project *project);
int project_build(struct project *project);
/* Builds and asserts that it worked. */
void project_must_build(struct project *project);
/* Builds and asserts that it failed, with these words in its message. */
void project_must_fail(struct project *project, enum error_code code, const char *words);

const char *project_file(struct project *project, const char *name);
void project_write(struct project *project, const char *name, const char *text);
/* In the bundle. */
bool bundle_has(struct project *project, const char *path);
const char *bundle_text(struct project *project, const char *path);
/* Every entry of a folder: path, type, mode, time, size and content digest, one a line. */
const char *tree_text(struct arena *arena, const char *root);

#endif
