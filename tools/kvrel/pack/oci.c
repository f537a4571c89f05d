/* SPDX-License-Identifier: MIT */
/*
 * The step `oci`: _build/NAME-VERSION.oci.tar, an OCI image layout with the bundle as its one layer, made without any
 * container engine.
 *
 * The layer is compressed by gzip, which every engine reads. Its digest and that of the uncompressed tar both appear in
 * the image, so the tar is made twice: once to be hashed, once to be kept. Files belong to root; the process runs as a
 * user of its own and owns only /data, /tmp and the cookie.
 */
#include "build/build_steps.h"
#include "pack/file_sink.h"
#include "pack/pack.h"
#include "pack/part_file.h"
#include "pack/tar.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"

#include <elf.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { IMAGE_USER = 65532 };
#define MEDIA "application/vnd.oci.image."

struct image {
	struct build *build;
	struct arena *arena;
	struct bundle bundle;
	const char *layer_file;
	char diff_id[DIGEST_HEX_BYTES]; /* of the layer's tar */
	char layer[DIGEST_HEX_BYTES];
	uint64_t layer_bytes;
	const char *created;
};

static void free_tar(struct tar **tar)
{
	tar_free(*tar);
}

static int add_place(struct tar *tar, const char *path, mode_t mode, unsigned owner, struct error *err)
{
	tar_set_owner(tar, owner);
	int status = tar_add_dir(tar, path, mode, err);
	tar_set_owner(tar, 0);
	return status;
}

/* The bundle in a folder of its name, and what a process needs that lives in an otherwise empty root. */
static int fill_layer(struct image *image, struct tar *tar, struct error *err)
{
	size_t count;
	const struct manifest_entry *entries = bundle_entries(&image->bundle, &count);
	const char *name = image->build->release->name;
	int status = add_place(tar, "data", 0700, IMAGE_USER, err);
	if (status == 0)
		status = tar_add_dir(tar, "opt", 0755, err);
	if (status == 0)
		status = tar_add_dir(tar, arena_printf(image->arena, "opt/%s", name), 0755, err);
	for (size_t i = 0; i < count && status == 0; i++) {
		bool secret = strcmp(entries[i].path, "releases/COOKIE") == 0;
		tar_set_owner(tar, secret ? IMAGE_USER : 0);
		status = bundle_add_entry(tar, &image->bundle, &entries[i],
					  arena_printf(image->arena, "opt/%s/%s", name, entries[i].path), err);
		tar_set_owner(tar, 0);
	}
	return status < 0 ? status : add_place(tar, "tmp", 01777, 0, err);
}

/* `path` NULL: hashed only. */
static int write_layer(struct image *image, const char *path, bool gzip, char sha256[DIGEST_HEX_BYTES],
		       struct error *err)
{
	SCOPE(file_sink_done) struct file_sink sink = { .fd = -1 };
	SCOPE(free_tar) struct tar *tar = NULL;
	int status = file_sink_open(image->arena, path, &sink, err);
	if (status == 0)
		status = (gzip ? tar_new_gzip : tar_new)(file_sink_write, &sink, image->build->source_date, &tar, err);
	if (status == 0)
		status = fill_layer(image, tar, err);
	if (status == 0)
		status = tar_finish(tar, err);
	if (status == 0)
		status = file_sink_finish(&sink, sha256, err);
	image->layer_bytes = sink.bytes;
	return status;
}

static int make_layer(struct image *image, struct error *err)
{
	int status = write_layer(image, NULL, false, image->diff_id, err);
	return status < 0 ? status : write_layer(image, image->layer_file, true, image->layer, err);
}

static void set(struct image *image, struct value *map, const char *key, struct value *value)
{
	value_map_add(image->arena, map, slice_of(key), value);
}

static void set_text(struct image *image, struct value *map, const char *key, const char *text)
{
	set(image, map, key, value_string(image->arena, slice_of(text)));
}

static struct value *texts(struct image *image, const char *const *items, size_t count)
{
	struct value *list = value_list(image->arena);
	for (size_t i = 0; i < count; i++)
		value_list_add(image->arena, list, value_string(image->arena, slice_of(items[i])));
	return list;
}
#define TEXTS(image, ...) \
	texts(image, (const char *const[]){ __VA_ARGS__ }, \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static struct value *labels(struct image *image)
{
	const struct spec_release *release = image->build->release;
	struct value *map = value_map(image->arena);
	set_text(image, map, "org.opencontainers.image.title", release->name);
	set_text(image, map, "org.opencontainers.image.version", release->version);
	set_text(image, map, "org.opencontainers.image.created", image->created);
	/* OCI has no health checks; engines that have them can take this command */
	set_text(image, map, "io.kvrel.healthcheck",
		 arena_printf(image->arena, "/opt/%s/bin/%s ping", release->name, release->name));
	return map;
}

static struct value *process(struct image *image)
{
	const char *name = image->build->release->name;
	struct value *map = value_map(image->arena), *volumes = value_map(image->arena);
	set(image, volumes, "/data", value_map(image->arena));
	set_text(image, map, "User", arena_printf(image->arena, "%d:%d", IMAGE_USER, IMAGE_USER));
	set(image, map, "Entrypoint", TEXTS(image, arena_printf(image->arena, "/opt/%s/bin/%s", name, name)));
	set(image, map, "Cmd", TEXTS(image, "start"));
	set(image, map, "Env",
	    TEXTS(image, arena_printf(image->arena, "PATH=/opt/%s/bin", name), "RELEASE_DATA=/data",
		  "RELEASE_TMP=/tmp"));
	set_text(image, map, "WorkingDir", "/");
	set_text(image, map, "StopSignal", "SIGTERM");
	set(image, map, "Volumes", volumes);
	set(image, map, "Labels", labels(image));
	return map;
}

static int architecture(struct image *image, const char **out, struct error *err)
{
	struct elf_info *elf;
	const char *launcher = path_join(image->arena, image->build->options->tool->runtime, "launcher");
	int status = elf_inspect(image->arena, launcher, &elf, err);
	if (status == 0)
		*out = elf->machine == EM_X86_64    ? "amd64"
		       : elf->machine == EM_AARCH64 ? "arm64"
						    : elf_machine_name(image->arena, elf);
	return status;
}

static int config(struct image *image, struct value **out, struct error *err)
{
	const char *machine;
	int status = architecture(image, &machine, err);
	if (status < 0)
		return status;
	struct value *map = value_map(image->arena), *root = value_map(image->arena);
	struct value *step = value_map(image->arena), *history = value_list(image->arena);
	set_text(image, root, "type", "layers");
	set(image, root, "diff_ids", TEXTS(image, arena_printf(image->arena, "sha256:%s", image->diff_id)));
	set_text(image, step, "created", image->created);
	set_text(image, step, "created_by", "kvrel " KVREL_VERSION);
	value_list_add(image->arena, history, step);
	set_text(image, map, "created", image->created);
	set_text(image, map, "architecture", machine);
	set_text(image, map, "os", "linux");
	set(image, map, "config", process(image));
	set(image, map, "rootfs", root);
	set(image, map, "history", history);
	*out = map;
	return 0;
}

static struct value *descriptor(struct image *image, const char *type, const char *digest, uint64_t size)
{
	struct value *map = value_map(image->arena);
	set_text(image, map, "mediaType", type);
	set_text(image, map, "digest", arena_printf(image->arena, "sha256:%s", digest));
	set(image, map, "size", value_int(image->arena, (int64_t)size));
	return map;
}

struct blob {
	struct slice text;
	char digest[DIGEST_HEX_BYTES];
};

static int to_blob(struct image *image, const struct value *tree, struct blob *out, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	json_write(&text, tree, 0);
	out->text = (struct slice){ arena_copy(image->arena, buf_slice(&text)), text.size };
	return digest_bytes(out->text, out->digest, err);
}

static struct value *manifest_tree(struct image *image, const struct blob *config_blob)
{
	struct value *map = value_map(image->arena), *layers = value_list(image->arena);
	value_list_add(image->arena, layers,
		       descriptor(image, MEDIA "layer.v1.tar+gzip", image->layer, image->layer_bytes));
	set(image, map, "schemaVersion", value_int(image->arena, 2));
	set_text(image, map, "mediaType", MEDIA "manifest.v1+json");
	set(image, map, "config",
	    descriptor(image, MEDIA "config.v1+json", config_blob->digest, config_blob->text.size));
	set(image, map, "layers", layers);
	return map;
}

static struct value *index_tree(struct image *image, const struct blob *manifest_blob)
{
	struct value *map = value_map(image->arena), *list = value_list(image->arena);
	struct value *notes = value_map(image->arena);
	struct value *entry =
		descriptor(image, MEDIA "manifest.v1+json", manifest_blob->digest, manifest_blob->text.size);
	set_text(image, notes, "org.opencontainers.image.ref.name", image->build->release->version);
	set(image, entry, "annotations", notes);
	value_list_add(image->arena, list, entry);
	set(image, map, "schemaVersion", value_int(image->arena, 2));
	set_text(image, map, "mediaType", MEDIA "index.v1+json");
	set(image, map, "manifests", list);
	return map;
}

struct member_file { /* of blobs/sha256, in the order of the archive */
	const char *digest;
	struct slice text; /* NULL: the layer */
};

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct member_file *)a)->digest, ((const struct member_file *)b)->digest);
}

static int add_blobs(struct image *image, struct tar *tar, const struct blob *blobs, struct error *err)
{
	struct member_file files[] = { { blobs[0].digest, blobs[0].text },
				       { blobs[1].digest, blobs[1].text },
				       { image->layer, { 0 } } };
	int status = tar_add_dir(tar, "blobs", 0755, err);
	if (status == 0)
		status = tar_add_dir(tar, "blobs/sha256", 0755, err);
	qsort(files, ARRAY_LEN(files), sizeof(*files), by_digest);
	for (size_t i = 0; i < ARRAY_LEN(files) && status == 0; i++) {
		const char *path = arena_printf(image->arena, "blobs/sha256/%s", files[i].digest);
		status = files[i].text.data ? tar_add_text(tar, path, 0644, files[i].text, err)
					    : tar_add_file(tar, path, 0644, image->layer_file, image->layer, err);
	}
	return status;
}

static int write_layout(struct image *image, struct tar *tar, struct error *err)
{
	struct blob blobs[2], index;
	struct value *tree;
	int status = config(image, &tree, err);
	if (status == 0)
		status = to_blob(image, tree, &blobs[0], err);
	if (status == 0)
		status = to_blob(image, manifest_tree(image, &blobs[0]), &blobs[1], err);
	if (status == 0)
		status = to_blob(image, index_tree(image, &blobs[1]), &index, err);
	if (status == 0)
		status = add_blobs(image, tar, blobs, err);
	if (status == 0)
		status = tar_add_text(tar, "index.json", 0644, index.text, err);
	if (status == 0)
		status = tar_add_text(tar, "oci-layout", 0644, SLICE("{\"imageLayoutVersion\":\"1.0.0\"}"), err);
	return status < 0 ? status : tar_finish(tar, err);
}

static int write_image(struct image *image, const char *path, struct error *err)
{
	SCOPE(file_sink_done) struct file_sink sink = { .fd = -1 };
	SCOPE(free_tar) struct tar *tar = NULL;
	char sha256[DIGEST_HEX_BYTES];
	int status = file_sink_open(image->arena, path, &sink, err);
	if (status == 0)
		status = tar_new(file_sink_write, &sink, image->build->source_date, &tar, err);
	if (status == 0)
		status = write_layout(image, tar, err);
	return status < 0 ? status : file_sink_finish(&sink, sha256, err);
}

static const char *created(struct arena *arena, int64_t date)
{
	time_t seconds = (time_t)date;
	struct tm tm;
	char text[32];
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return arena_string(arena, text);
}

int build_oci(struct build *build, struct error *err)
{
	const char *out = build_artifact_path(build, ".oci.tar");
	build_say_packing(build, out);
	struct image image = { .build = build,
			       .arena = build->arena,
			       .layer_file = arena_printf(build->arena, "%s.layer", part_file_name(build->arena, out)),
			       .created = created(build->arena, build->source_date) };
	int status = bundle_open(build, &image.bundle, err);
	if (status == 0)
		status = make_layer(&image, err);
	if (status == 0)
		status = write_image(&image, out, err);
	unlink(image.layer_file);
	if (status < 0)
		return error_wrap(err, "cannot make an image of release '%s'", build->release->name);
	build_say(build, "* wrote %s", path_base(out));
	build_add_artifact(build, out);
	return 0;
}
