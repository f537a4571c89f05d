/* SPDX-License-Identifier: MIT */
/*
 * The files of a bundle that say what is in it: the bill of materials describes the files, the manifest all other
 * entries, so they join the plan last, in this order. Both grow with the bundle. They are written to files without a
 * name, which vanish with their descriptors, rather than held in memory.
 */
#include "build/build_steps.h"
#include "bundle/sbom.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The folder of the cache lies on a disk; the system's folder for temporary files may lie in memory. */
static int open_nameless(struct build *build, int *out, struct error *err)
{
	char *path = arena_printf(build->arena, "%s/described.XXXXXX", build->cache_dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_system(err, errno, "cannot create '%s'", path);
	unlink(path);
	*out = fd;
	return 0;
}

static const char *sbom_name(const struct build *build)
{
	return build_wants_cyclonedx(build) ? "sbom.cdx.json" : "sbom.spdx.json";
}

static const char *const sbom_why = "the bill of materials", *const manifest_why = "lists all files";

static int add_described(struct build *build, struct plan *plan, int fd, const char *path, const char *why,
			 struct error *err)
{
	struct plan_entry *entry = plan_add(plan, PLAN_FILE, path, FROM_GENERATED, why);
	entry->source = entry->content = arena_printf(build->arena, "/proc/self/fd/%d", fd);
	int status = digest_file_twice(entry->content, entry->sha256, entry->sha1, &entry->size_bytes, err);
	return status < 0 ? status : plan_finish(plan, err);
}

static int describe_parts(struct build *build, struct plan *plan, const struct manifest_info *info, int fd,
			  const char *folder, struct error *err)
{
	const struct sbom_inputs inputs = { plan, info };
	bool cyclonedx = build_wants_cyclonedx(build);
	int status =
		cyclonedx ? sbom_cyclonedx(build->arena, &inputs, fd, err) : sbom_spdx(build->arena, &inputs, fd, err);
	if (status < 0)
		return status;
	return add_described(build, plan, fd, path_join(build->arena, folder, sbom_name(build)), sbom_why, err);
}

int build_describe(struct build *build, struct plan *plan, const struct package_map *packages, struct error *err)
{
	const struct manifest_info info = { .release = build->release,
					    .runtime_version = KVREL_VERSION,
					    .source_date = build->source_date,
					    .packages = packages };
	const char *folder = arena_printf(build->arena, "releases/%s", build->release->version);
	build_forget_descriptions(build);
	if (!fs_is_dir("/proc/self/fd"))
		return error_set(err, ERROR_FAILED,
				 "/proc is not mounted, and what describes the bundle is read there; mount it");
	int status = 0;
	for (size_t i = 0; i < ARRAY_LEN(build->described) && status == 0; i++)
		status = open_nameless(build, &build->described[i], err);
	if (status == 0)
		status = describe_parts(build, plan, &info, build->described[0], folder, err);
	if (status == 0)
		status = manifest_write(build->arena, &info, plan, build->described[1], err);
	if (status < 0)
		return error_wrap(err, "cannot describe the bundle");
	return add_described(build, plan, build->described[1], path_join(build->arena, folder, "manifest.json"),
			     manifest_why, err);
}

int build_announce_descriptions(struct build *build, struct plan *plan, struct error *err)
{
	const char *folder = arena_printf(build->arena, "releases/%s", build->release->version);
	plan_add(plan, PLAN_FILE, path_join(build->arena, folder, sbom_name(build)), FROM_GENERATED, sbom_why);
	plan_add(plan, PLAN_FILE, path_join(build->arena, folder, "manifest.json"), FROM_GENERATED, manifest_why);
	return plan_finish(plan, err);
}

void build_forget_descriptions(struct build *build)
{
	for (size_t i = 0; i < ARRAY_LEN(build->described); i++) {
		if (build->described[i] >= 0)
			close(build->described[i]);
		build->described[i] = -1;
	}
}
