/* SPDX-License-Identifier: MIT */
/* The image: every blob is what its name says, and what refers to it says the same. */
#include "fixture.h"

#include "build/digest.h"

#include "base/json.h"
#include "base/scope.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <stdlib.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
	project.release.cookie = "secret";
	project.steps[1] = (struct spec_step){ .kind = STEP_OCI };
	project.release.step_count = 2;
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(oci, .init = setup, .fini = teardown);

struct entry {
	const char *path;
	struct slice text;
	mode_t mode;
	int64_t owner;
};

/* All of an archive in memory: images of test bundles are small. */
static size_t read_all(const void *data, size_t size, const char *file, struct entry *out, size_t most)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	size_t count = 0;
	archive_read_support_format_tar(archive);
	archive_read_support_filter_gzip(archive);
	int opened = file ? archive_read_open_filename(archive, file, 1 << 16)
			  : archive_read_open_memory(archive, data, size);
	cr_assert_eq(opened, ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		size_t bytes = (size_t)archive_entry_size(entry);
		char *text = arena_alloc(&project.arena, bytes + 1);
		cr_assert_eq(archive_read_data(archive, text, bytes), (la_ssize_t)bytes);
		cr_assert(count < most);
		out[count++] = (struct entry){ arena_string(&project.arena, archive_entry_pathname(entry)),
					       { text, bytes },
					       archive_entry_perm(entry),
					       archive_entry_uid(entry) };
	}
	archive_read_free(archive);
	return count;
}

static struct entry entries[64];
static size_t count;

static const struct entry *blob(const struct value *descriptor)
{
	const char *digest = value_text(value_get(descriptor, "digest"), "");
	cr_assert(strncmp(digest, "sha256:", 7) == 0);
	const char *path = arena_printf(&project.arena, "blobs/sha256/%s", digest + 7);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(entries[i].path, path) != 0)
			continue;
		char found[DIGEST_HEX_BYTES];
		cr_assert_eq(digest_bytes(entries[i].text, found, NULL), 0);
		cr_expect_str_eq(found, digest + 7);
		cr_expect_eq(value_get(descriptor, "size")->integer, (int64_t)entries[i].text.size);
		return &entries[i];
	}
	cr_assert_fail("%s is missing", path);
	return NULL;
}

static struct value *parse(struct slice text)
{
	struct value *tree;
	cr_assert_eq(json_parse(&project.arena, text, "blob", &tree, &project.err), 0, "%s", project.err.message);
	return tree;
}

static struct value *image_manifest(void)
{
	project_must_build(&project);
	cr_assert_eq(project.result.artifact_count, 1);
	count = read_all(NULL, 0, project.result.artifacts[0], entries, ARRAY_LEN(entries));
	for (size_t i = 0; i < count; i++)
		if (strcmp(entries[i].path, "index.json") == 0)
			return parse(blob(value_get(parse(entries[i].text), "manifests")->list.items[0])->text);
	cr_assert_fail("index.json is missing");
	return NULL;
}

Test(oci, every_blob_is_what_refers_to_it_says)
{
	const struct value *manifest = image_manifest();
	const struct value *config = parse(blob(value_get(manifest, "config"))->text);
	cr_expect(blob(value_get(manifest, "layers")->list.items[0]) != NULL);
	cr_expect_str_eq(value_text(value_path(config, "config.Entrypoint")->list.items[0], ""), "/opt/foo/bin/foo");
	cr_expect_str_eq(value_text(value_path(config, "config.StopSignal"), ""), "SIGTERM");
	cr_expect(strncmp(value_text(value_path(config, "config.User"), "0"), "0", 1) != 0);
}

Test(oci, the_layer_belongs_to_root_but_for_what_the_process_writes)
{
	static struct entry files[256];
	const struct entry *layer = blob(value_get(image_manifest(), "layers")->list.items[0]);
	size_t found = read_all(layer->text.data, layer->text.size, NULL, files, ARRAY_LEN(files));
	bool launcher = false, cookie = false, data = false;
	for (size_t i = 0; i < found; i++) {
		bool writes =
			strcmp(files[i].path, "data/") == 0 || strcmp(files[i].path, "opt/foo/releases/COOKIE") == 0;
		cr_expect_eq(files[i].owner != 0, writes, "%s", files[i].path);
		launcher = launcher || (strcmp(files[i].path, "opt/foo/bin/foo") == 0 && files[i].mode == 0755);
		cookie = cookie || (strstr(files[i].path, "COOKIE") && files[i].mode == 0600);
		data = data || strcmp(files[i].path, "data/") == 0;
	}
	cr_expect(launcher && cookie && data);
}

Test(oci, images_of_two_places_are_identical)
{
	struct project other;
	char one[DIGEST_HEX_BYTES], two[DIGEST_HEX_BYTES];
	project_must_build(&project);
	project_setup(&other);
	other.release.cookie = "secret";
	other.steps[1] = (struct spec_step){ .kind = STEP_OCI };
	other.release.step_count = 2;
	project_must_build(&other);
	cr_assert_eq(digest_file(project.result.artifacts[0], one, NULL, NULL), 0);
	cr_assert_eq(digest_file(other.result.artifacts[0], two, NULL, NULL), 0);
	cr_expect_str_eq(one, two);
	project_teardown(&other);
}
