/* SPDX-License-Identifier: MIT */
/*
 * The interpreter is taken from roots only: libc.so.6 and some libraries carry one too, as they can be run.
 * glibc's pieces talk through private symbols, so they come as one set from one folder, and libgcc_s.so.1 with them:
 * nothing needs it by name, yet pthread_exit() aborts without it.
 */
#include "closure/closure.h"

#include "closure/admission.h"

#include "base/buf.h"
#include "base/path.h"
#include "base/scope.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>

enum { OBJECTS_MAX = 1024 };

struct search {
	struct library_search library;
	struct arena *arena;
	struct object *objects[OBJECTS_MAX];
	size_t count;
	struct closure_alias aliases[OBJECTS_MAX];
	size_t alias_count;
	const char *absent[OBJECTS_MAX];
	size_t absent_count;
};

static const char *real_path(struct arena *arena, const char *path)
{
	SCOPE_FREE char *resolved = realpath(path, NULL);
	return resolved ? arena_string(arena, resolved) : NULL;
}

static int add_object(struct search *search, struct object *object, struct error *err)
{
	if (search->count == OBJECTS_MAX)
		return error_set(err, ERROR_LIMIT, "over %d libraries are needed", OBJECTS_MAX);
	int status = admit_object(&search->library, object, err);
	if (status < 0)
		return status;
	object->position = search->count;
	search->objects[search->count++] = object;
	return 0;
}

static bool answers_to(const struct object *object, const char *name)
{
	if (object->name && strcmp(object->name, name) == 0)
		return true;
	if (object->elf->soname && strcmp(object->elf->soname, name) == 0)
		return true;
	return !object->name && strcmp(path_base(object->elf->path), name) == 0;
}

static struct object *object_by_name(const struct search *search, const char *name)
{
	for (size_t i = 0; i < search->count; i++)
		if (answers_to(search->objects[i], name))
			return search->objects[i];
	for (size_t i = 0; i < search->alias_count; i++)
		if (strcmp(search->aliases[i].name, name) == 0)
			return object_by_name(search, search->aliases[i].target);
	return NULL;
}

static struct object *object_by_inode(const struct search *search, const struct elf_info *elf)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->objects[i]->elf->device == elf->device && search->objects[i]->elf->inode == elf->inode)
			return search->objects[i];
	return NULL;
}

static int missing(struct search *search, const char *name, const struct object *requester, struct error *err)
{
	if (search->library.wrong)
		return error_set(err, ERROR_INVALID, "%s needs '%s', which was not found for %s: %s (looked in %s)",
				 requester->shown, name, elf_machine_name(search->arena, search->library.machine),
				 search->library.wrong, buf_string(&search->library.looked));
	return error_set(err, ERROR_INVALID,
			 "%s needs '%s', which was not found (looked in %s); install the package "
			 "that has it",
			 requester->shown, name, buf_string(&search->library.looked));
}

static int add_alias(struct search *search, const char *name, const struct object *object, struct error *err)
{
	for (size_t i = 0; i < search->alias_count; i++)
		if (strcmp(search->aliases[i].name, name) == 0)
			return 0;
	if (search->alias_count == OBJECTS_MAX)
		return error_set(err, ERROR_LIMIT, "over %d names of libraries are needed", OBJECTS_MAX);
	search->aliases[search->alias_count++] = (struct closure_alias){ name, object->name };
	return 0;
}

static int place(struct search *search, const char *name, const struct object *requester, const struct elf_info *elf,
		 struct object **out, struct error *err)
{
	struct object *known = object_by_inode(search, elf);
	if (known) {
		if (!known->root && !answers_to(known, name))
			return add_alias(search, name, known, err);
		return 0;
	}
	struct object *object = ARENA_NEW(search->arena, struct object);
	object->elf = elf;
	object->parent = requester;
	object->name = name;
	object->privately = search->library.privately;
	object->path = real_path(search->arena, elf->path);
	object->shown = arena_printf(search->arena, "'%s'", name);
	object->wanted = arena_printf(search->arena, "needed by %s", requester->shown);
	if (!object->path)
		return error_system(err, errno, "cannot resolve '%s'", elf->path);
	if (out)
		*out = object;
	return add_object(search, object, err);
}

static int request(struct search *search, const char *name, const struct object *requester, struct error *err)
{
	const struct object *known = object_by_name(search, name);
	if (known && !known->root && strcmp(known->name, name) != 0) {
		/* Known by its soname: at run time it is a file of this name that is looked for. */
		int status = add_alias(search, name, known, err);
		if (status < 0)
			return status;
	}
	if (known)
		return admit_request(&search->library, name, requester, known, err);
	/* A name with a slash is a path of this machine. */
	if (strchr(name, '/'))
		return error_set(err, ERROR_INVALID,
				 "%s needs '%s', a path of this machine; link that library by its soname",
				 requester->shown, name);
	const struct elf_info *found = library_search(&search->library, name, requester);
	return found ? place(search, name, requester, found, NULL, err) : missing(search, name, requester, err);
}

static int request_note(struct search *search, const struct elf_dlopen *note, const struct object *requester,
			struct error *err)
{
	if (note->priority == DLOPEN_SUGGESTED)
		return 0;
	for (size_t i = 0; i < note->soname_count; i++)
		if (object_by_name(search, note->sonames[i]) ||
		    library_search(&search->library, note->sonames[i], requester))
			return request(search, note->sonames[i], requester, err);
	if (note->priority == DLOPEN_REQUIRED)
		return missing(search, note->sonames[0], requester, err);
	if (search->absent_count < OBJECTS_MAX)
		search->absent[search->absent_count++] =
			arena_printf(search->arena, "%s (recommended by %s)", note->sonames[0], requester->shown);
	return 0;
}

static int follow(struct search *search, const struct object *object, struct error *err)
{
	for (size_t i = 0; i < object->elf->needed_count; i++) {
		int status = request(search, object->elf->needed[i], object, err);
		if (status < 0)
			return status;
	}
	for (size_t i = 0; i < object->elf->dlopen_count; i++) {
		int status = request_note(search, &object->elf->dlopens[i], object, err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int follow_all(struct search *search, size_t from, struct error *err)
{
	for (size_t i = from; i < search->count; i++) {
		int status = follow(search, search->objects[i], err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int add_roots(struct search *search, const struct closure_root *roots, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct elf_info *elf;
		int status = elf_inspect(search->arena, roots[i].path, &elf, err);
		if (status < 0)
			return error_wrap(err, "%s", roots[i].shown);
		struct object *object = ARENA_NEW(search->arena, struct object);
		*object = (struct object){ .elf = elf,
					   .path = elf->path,
					   .shown = roots[i].shown,
					   .root = true,
					   .component = roots[i].component };
		object->wanted = "part of the bundle";
		if ((status = add_object(search, object, err)) < 0)
			return status;
		if (!search->library.machine) {
			search->library.machine = elf;
			search->library.directories = search->library.directories
							      ? search->library.directories
							      : library_search_directories(elf->machine);
		}
	}
	return 0;
}

static int follow_roots(struct search *search, const struct closure_root *roots, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < roots[i].library_count; j++) {
			int status = request(search, roots[i].libraries[j], search->objects[i], err);
			if (status < 0)
				return status;
		}
	return follow_all(search, 0, err);
}

/* All roots that name an interpreter must name the same one; it is stored under the name they use. */
static int find_loader(struct search *search, struct object **out, struct error *err)
{
	struct object *loader = NULL, *asker = NULL;
	for (size_t i = 0; i < search->count && search->objects[i]->root; i++) {
		struct object *root = search->objects[i];
		const char *path = root->elf->interpreter;
		if (!path || root->elf->type == ET_REL)
			continue;
		if (asker && strcmp(asker->elf->interpreter, path) == 0)
			continue;
		if (asker)
			return error_set(err, ERROR_INVALID, "%s wants the loader '%s', %s wants '%s'", asker->shown,
					 asker->elf->interpreter, root->shown, path);
		asker = root;
		struct elf_info *elf;
		search->library.privately = false;
		int status = elf_inspect(search->arena, path, &elf, err);
		if (status < 0)
			return error_wrap(err, "the loader of %s", root->shown);
		const char *name = path_base(arena_string(search->arena, path));
		loader = object_by_name(search, name);
		if (!loader && (status = place(search, name, root, elf, &loader, err)) < 0)
			return status;
	}
	*out = loader;
	return 0;
}

static int complete_glibc(struct search *search, const struct object *loader, struct error *err)
{
	static const char *const set[] = { "libc.so.6",  "libm.so.6",      "libpthread.so.0", "libdl.so.2",
					   "librt.so.1", "libresolv.so.2", "libgcc_s.so.1" };
	const struct object *libc = object_by_name(search, "libc.so.6");
	if (!libc || libc->root)
		return 0; /* musl, or static */
	for (size_t i = 0; i < ARRAY_LEN(set); i++) {
		if (!object_by_name(search, set[i])) {
			int status = request(search, set[i], libc, err);
			if (status < 0)
				return error_wrap(err, "the C library is bundled as one set");
		}
		struct object *piece = object_by_name(search, set[i]);
		piece->glibc = strcmp(set[i], "libgcc_s.so.1") != 0;
	}
	const char *home = path_dir(search->arena, libc->path);
	for (size_t i = 0; i < search->count; i++) {
		struct object *piece = search->objects[i];
		piece->glibc = piece->glibc || piece == loader;
		if (piece->glibc && strcmp(path_dir(search->arena, piece->path), home) != 0)
			return error_set(err, ERROR_INVALID,
					 "'%s' and '%s' are pieces of one C library but lie in different folders; they "
					 "must come from one build",
					 libc->path, piece->path);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void hand_over(struct search *search, const struct object *loader, struct closure *out)
{
	struct closure closure = { .loader = loader ? loader->name : NULL };
	closure.libraries = arena_array(search->arena, search->count + 1, sizeof(*closure.libraries));
	for (size_t i = 0; i < search->count; i++) {
		const struct object *o = search->objects[i];
		if (!o->root)
			closure.libraries[closure.library_count++] = (struct closure_library){
				.name = o->name, .path = o->path, .wanted = o->wanted, .elf = o->elf, .glibc = o->glibc
			};
	}
	closure.aliases = arena_array(search->arena, search->alias_count + 1, sizeof(*closure.aliases));
	closure.alias_count = search->alias_count;
	if (search->alias_count)
		memcpy(closure.aliases, search->aliases, search->alias_count * sizeof(*closure.aliases));
	closure.absent = arena_array(search->arena, search->absent_count + 1, sizeof(*closure.absent));
	closure.absent_count = search->absent_count;
	if (search->absent_count)
		memcpy(closure.absent, search->absent, search->absent_count * sizeof(*closure.absent));
	qsort(closure.libraries, closure.library_count, sizeof(*closure.libraries), by_name);
	qsort(closure.aliases, closure.alias_count, sizeof(*closure.aliases), by_name);
	*out = closure;
}

static void search_done(struct search *search)
{
	library_search_done(&search->library);
}

int closure_find(struct arena *arena, const struct closure_root *roots, size_t root_count,
		 const struct closure_options *options, struct closure *out, struct error *err)
{
	SCOPE(search_done)
	struct search search = { .arena = arena, .library.arena = arena };
	const char *cache = options && options->cache ? options->cache : "/etc/ld.so.cache";
	struct object *loader = NULL;
	search.library.directories = options ? options->directories : NULL;
	int status = ld_cache_read(arena, cache, &search.library.cache, err);
	if (status == 0)
		status = add_roots(&search, roots, root_count, err);
	if (status == 0 && root_count)
		status = follow_roots(&search, roots, root_count, err);
	if (status == 0)
		status = find_loader(&search, &loader, err);
	if (status == 0 && !(options && options->without_glibc_set))
		status = complete_glibc(&search, loader, err);
	if (status == 0)
		status = follow_all(&search, root_count, err);
	if (status == 0)
		hand_over(&search, loader, out);
	return status < 0 ? status : 0;
}
