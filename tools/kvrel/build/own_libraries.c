/* SPDX-License-Identifier: MIT */
#include "build/own_libraries.h"

#include "closure/library_search.h"

#include "base/fs.h"
#include "base/path.h"

struct owner {
	struct plan *plan;
	struct plan_entry like;
	const char *source_dir, *bundle_dir; /* where the component's library is, and will be */
};

static int add_needs(struct owner *owner, const char *file, struct error *err);

static bool is_planned(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->entries[i].path, path) == 0)
			return true;
	return false;
}

static int add_library(struct owner *owner, const char *file, struct error *err)
{
	struct arena *arena = owner->plan->arena;
	const char *place = path_relative(arena, owner->source_dir, file);
	const char *path = path_join(arena, owner->bundle_dir, place);
	if (!path_is_inside(place) || is_planned(owner->plan, path))
		return 0;
	const char *why = arena_printf(arena, "component '%s' brings it along", owner->like.origin_name);
	struct plan_entry *entry = plan_add(owner->plan, PLAN_FILE, path, owner->like.origin, why);
	entry->source = file;
	entry->change = owner->like.change;
	entry->origin_name = owner->like.origin_name;
	entry->origin_version = owner->like.origin_version;
	return add_needs(owner, file, err);
}

/* The first file of that name on the list, if it lies where it can be taken along from. */
static int add_from_list(struct owner *owner, const char *list, const char *origin, const char *name, struct error *err)
{
	struct arena *arena = owner->plan->arena;
	struct slice rest = slice_of(list), entry;
	for (bool more = list != NULL; more;) {
		more = slice_split(rest, ':', &entry, &rest);
		const char *folder = library_search_expand(arena, entry, origin);
		const char *file = folder ? path_absolute(arena, origin, path_join(arena, folder, name)) : NULL;
		if (file && fs_is_file(file))
			return add_library(owner, file, err);
	}
	return 0;
}

static int add_needs(struct owner *owner, const char *file, struct error *err)
{
	struct elf_info *elf;
	if (!elf_is(file))
		return 0;
	int status = elf_inspect(owner->plan->arena, file, &elf, err);
	const char *origin = path_dir(owner->plan->arena, file);
	for (size_t i = 0; status == 0 && i < elf->needed_count; i++)
		if (!strchr(elf->needed[i], '/'))
			status = add_from_list(owner, elf->runpath ? elf->runpath : elf->rpath, origin, elf->needed[i],
					       err);
	return status;
}

int own_libraries_add(struct plan *plan, const struct plan_entry *like, struct error *err)
{
	struct owner owner = {
		.plan = plan,
		.like = *like, /* the plan's entries move when it grows */
		.source_dir = path_dir(plan->arena, like->source),
		.bundle_dir = path_dir(plan->arena, like->path),
	};
	return add_needs(&owner, owner.like.source, err);
}
