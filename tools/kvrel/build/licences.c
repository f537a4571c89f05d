/* SPDX-License-Identifier: MIT */
#include "build/licences.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

static bool is_listed(const struct plan_licence *list, size_t count, const char *package)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].package, package) == 0)
			return true;
	return false;
}

static void add(struct plan_licence *list, size_t *count, const char *package, const char *file)
{
	if (is_listed(list, *count, package))
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
			if (fs_is_file(file))
				return file;
		}
	return NULL;
}

void licences_find(struct arena *arena, const struct spec *spec, const struct spec_release *release,
		   const struct package_map *packages, const char *builtin, struct plan_licence **out, size_t *count)
{
	struct plan_licence *list = arena_array(arena, packages->count + release->member_count + 1, sizeof(*list));
	size_t found = 0;
	const char *own = path_join(arena, builtin, "kvrel/copyright");
	if (fs_exists(own))
		add(list, &found, "kvrel", own);
	for (size_t i = 0; i < packages->count; i++)
		if (packages->packages[i].copyright)
			add(list, &found, packages->packages[i].name, packages->packages[i].copyright);
	for (size_t i = 0; i < release->member_count; i++) {
		const char *file = terms_of(arena, spec, release->members[i].component);
		const char *name = release->members[i].component->name;
		/* a package of the host may bear the same name */
		if (is_listed(list, found, name))
			name = arena_printf(arena, "%s-component", name);
		if (file)
			add(list, &found, name, file);
	}
	*out = list;
	*count = found;
}
