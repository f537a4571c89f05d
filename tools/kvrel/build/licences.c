/* SPDX-License-Identifier: MIT */
#include "build/licences.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <dirent.h>
#include <errno.h>

enum { BUILTIN_MAX = 64 };

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void add(struct plan_licence *list, size_t *count, const char *package, const char *file)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i].package, package) == 0)
			return;
	list[(*count)++] = (struct plan_licence){ package, file };
}

/* A component's own terms, else the project's. */
static const char *terms_of(struct arena *arena, const struct spec *spec, const struct spec_component *component)
{
	static const char *const names[] = {
		"LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "COPYING", "copyright"
	};
	const char *const folders[] = { component->dir, spec->project_dir };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			const char *file = path_join(arena, folders[i], names[j]);
			if (fs_exists(file) && !fs_is_dir(file))
				return file;
		}
	return NULL;
}

static int add_builtin(struct arena *arena, const char *folder, struct plan_licence *list, size_t *count,
		       struct error *err)
{
	SCOPE(close_dir) DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : error_system(err, errno, "open '%s'", folder);
	size_t added = 0;
	for (struct dirent *entry; (entry = readdir(dir)) && added < BUILTIN_MAX;) {
		const char *file = arena_printf(arena, "%s/%s/copyright", folder, entry->d_name);
		if (entry->d_name[0] == '.' || !fs_exists(file))
			continue;
		add(list, count, arena_string(arena, entry->d_name), file);
		added++;
	}
	return 0;
}

int licences_find(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		  const struct package_map *packages, const char *builtin, struct plan_licence **out, size_t *count,
		  struct error *err)
{
	struct plan_licence *list =
		arena_array(arena, packages->count + release->member_count + BUILTIN_MAX, sizeof(*list));
	size_t found = 0;
	for (size_t i = 0; i < packages->count; i++)
		if (packages->packages[i].copyright)
			add(list, &found, packages->packages[i].name, packages->packages[i].copyright);
	for (size_t i = 0; i < release->member_count; i++) {
		const char *file = terms_of(arena, spec, release->members[i].component);
		if (file)
			add(list, &found, release->members[i].component->name, file);
	}
	int status = add_builtin(arena, builtin, list, &found, err);
	if (status < 0)
		return status;
	*out = list;
	*count = found;
	return 0;
}
