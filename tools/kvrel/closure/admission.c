/* SPDX-License-Identifier: MIT */
/*
 * What can be told at build time not to work, or not to stay inside, where the bundle runs: a search path that leads
 * out of it, code for another machine, one name for two files, a component's library that the loader would not find.
 */
#include "closure/admission.h"

#include "base/path.h"
#include "base/scope.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

/* All that a bundle's search paths are seen from lies two folders deep: lib/NAME-VERSION, runtime-VERSION/lib. */
#define ORIGIN_IN_BUNDLE "lib/origin"

static bool starts_at_origin(struct slice entry, struct slice *rest)
{
	const struct slice spellings[] = { SLICE("${ORIGIN}"), SLICE("$ORIGIN") };
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		size_t size = spellings[i].size;
		if (!slice_starts(entry, spellings[i]))
			continue;
		*rest = (struct slice){ entry.data + size, entry.size - size };
		return true;
	}
	return false;
}

/* Why the entry cannot follow the bundle; NULL: it can. */
static const char *refused_entry(struct arena *arena, struct slice entry)
{
	struct slice rest;
	if (!starts_at_origin(entry, &rest))
		return "means a folder of this machine";
	const char *inside = path_clean(arena, arena_printf(arena, ORIGIN_IN_BUNDLE "%.*s", SLICE_FMT(rest)));
	return path_is_inside(inside) ? NULL : "leads out of the bundle";
}

/* RPATH and RUNPATH of what goes into a bundle must follow the bundle. */
static int check_search_path(const struct library_search *search, const struct object *object, const char *tag,
			     const char *list, struct error *err)
{
	struct slice rest = slice_of(list), entry;
	for (bool more = list != NULL; more;) {
		more = slice_split(rest, ':', &entry, &rest);
		const char *why = refused_entry(search->arena, entry);
		if (why)
			return error_set(err, ERROR_INVALID,
					 "%s ('%s') has the %s entry '%.*s', which %s; link it with $ORIGIN or without "
					 "(CMake: the property BUILD_RPATH_USE_ORIGIN)",
					 object->shown, object->path, tag, SLICE_FMT(entry), why);
	}
	return 0;
}

int admit_object(const struct library_search *search, const struct object *object, struct error *err)
{
	const struct elf_info *elf = object->elf;
	if (object->component && (elf->type != ET_DYN || elf->program))
		return error_set(err, ERROR_INVALID, "%s ('%s') is %s, no shared library; link it with -shared",
				 object->shown, object->path, elf->type == ET_REL ? "an object file" : "a program");
	if (elf->audits)
		return error_set(err, ERROR_INVALID,
				 "%s ('%s') asks the loader for an audit module; such a file is not put into a bundle",
				 object->shown, object->path);
	if (search->machine && !elf_same_machine(search->machine, elf))
		return error_set(err, ERROR_INVALID, "%s ('%s') is for %s, the runtime for %s", object->shown,
				 object->path, elf_machine_name(search->arena, elf),
				 elf_machine_name(search->arena, search->machine));
	int status = check_search_path(search, object, "RPATH", elf->rpath, err);
	return status < 0 ? status : check_search_path(search, object, "RUNPATH", elf->runpath, err);
}

/* ---- one name, two files ----------------------------------------------------------------------------------------- */

static void unmap(const struct slice *map)
{
	if (map->data)
		munmap((void *)(uintptr_t)map->data, map->size);
}

static struct slice map_file(const struct elf_info *elf)
{
	SCOPE_FD int fd = open(elf->path, O_RDONLY | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, elf->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	return at == MAP_FAILED ? (struct slice){ 0 } : (struct slice){ at, elf->size_bytes };
}

static bool same_bytes(const struct elf_info *a, const struct elf_info *b)
{
	if (a->device == b->device && a->inode == b->inode)
		return true;
	if (a->size_bytes != b->size_bytes)
		return false;
	SCOPE(unmap) struct slice x = map_file(a);
	SCOPE(unmap) struct slice y = map_file(b);
	return x.data && y.data && slice_equal(x, y);
}

/* Does more than the machine's own folders take part in this requester's searches? */
static bool has_private_path(const struct object *requester)
{
	if (requester->elf->runpath)
		return true;
	for (const struct object *o = requester; o; o = o->parent)
		if (o->elf->rpath && !o->elf->runpath)
			return true;
	return false;
}

/* Fine, unless this requester's search would have led to another file. */
static int check_conflict(struct library_search *search, const char *name, const struct object *requester,
			  const struct object *known, struct error *err)
{
	if (!has_private_path(requester) && !known->privately)
		return 0;
	const struct elf_info *found = library_search(search, name, requester);
	if (!found || same_bytes(found, known->elf))
		return 0;
	return error_set(err, ERROR_INVALID,
			 "two different files are called '%s': '%s' (%s) and '%s' (needed by %s); a process can hold "
			 "only one of them",
			 name, known->path, known->wanted, found->path, requester->shown);
}

/* ---- the library of another component -----------------------------------------------------------------------------
 */

static const struct object *root_of(const struct object *object)
{
	while (object->parent)
		object = object->parent;
	return object;
}

/* Components are opened by their paths, one after the other, so the loader knows only the sonames of earlier ones. */
static int check_component(const char *name, const struct object *requester, const struct object *known,
			   struct error *err)
{
	const struct object *asker = root_of(requester);
	const char *soname = known->elf->soname;
	if (!soname || strcmp(soname, name) != 0)
		return error_set(err, ERROR_INVALID,
				 "%s needs '%s', the library of %s, which has %s%s%s, and by that alone the loader "
				 "knows it; link it with -Wl,-soname,%s",
				 requester->shown, name, known->shown, soname ? "the soname '" : "no soname",
				 soname ? soname : "", soname ? "'" : "", name);
	if (asker->position >= known->position)
		return 0;
	return error_set(err, ERROR_INVALID,
			 "%s needs '%s', the library of %s, which is opened later; add it to the dependencies of %s",
			 requester->shown, name, known->shown, asker->shown);
}

int admit_request(struct library_search *search, const char *name, const struct object *requester,
		  const struct object *known, struct error *err)
{
	if (known->component)
		return check_component(name, requester, known, err);
	return known->root ? 0 : check_conflict(search, name, requester, known, err);
}
