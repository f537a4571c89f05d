/* SPDX-License-Identifier: MIT */
/*
 * The search order is the loader's: DT_RPATH of the object and of those that loaded it (only where the object has no
 * DT_RUNPATH), its DT_RUNPATH, ld.so.cache, the default folders. $ORIGIN is the folder of the object that says it.
 * A file for another machine is passed over as the loader does, but remembered for the message.
 *
 * What the loader would not find is looked for beside the component that leads to it: in the bundle all libraries lie
 * in one folder, so that a component with libraries of its own needs no RUNPATH.
 */
#include "closure/library_search.h"

#include "base/path.h"

#include <elf.h>
#include <errno.h>

static const char *const directories_x86_64[] = {
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", NULL
};
static const char *const directories_aarch64[] = {
	"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", NULL
};
static const char *const directories_other[] = { "/lib64", "/usr/lib64", "/lib", "/usr/lib", NULL };

const char *const *library_search_directories(uint16_t machine)
{
	return machine == EM_X86_64    ? directories_x86_64
	       : machine == EM_AARCH64 ? directories_aarch64
				       : directories_other;
}

const char *library_search_expand(struct arena *arena, struct slice entry, const char *origin)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < entry.size;) {
		struct slice rest = { entry.data + i, entry.size - i };
		if (slice_starts(rest, SLICE("${ORIGIN}")) || slice_starts(rest, SLICE("$ORIGIN"))) {
			buf_append_string(&out, origin);
			i += rest.data[1] == '{' ? 9 : 7;
		} else if (*rest.data == '$') {
			buf_done(&out);
			return NULL;
		} else {
			buf_append_char(&out, *rest.data);
			i++;
		}
	}
	const char *text = arena_string(arena, buf_string(&out));
	buf_done(&out);
	return text;
}

/* Is there a usable file? Not found, damaged and wrong machine all mean: look further. */
static const struct elf_info *try_file(struct library_search *search, const char *path)
{
	struct elf_info *elf;
	struct error why;
	int status = elf_inspect(search->arena, path, &elf, &why);
	if (status < 0) {
		if (status != -ERROR_NOT_FOUND && why.errnum != ENOTDIR)
			search->wrong = arena_string(search->arena, why.message);
		return NULL;
	}
	if (elf_same_machine(search->machine, elf))
		return elf;
	search->wrong = arena_printf(search->arena, "'%s' is for %s", path, elf_machine_name(search->arena, elf));
	return NULL;
}

static const struct elf_info *try_directory(struct library_search *search, const char *directory, const char *name)
{
	buf_printf(&search->looked, "%s%s", search->looked.size ? ", " : "", directory);
	return try_file(search, path_join(search->arena, directory, name));
}

static const struct elf_info *try_list(struct library_search *search, const char *list, const struct object *sayer,
				       const char *name)
{
	struct slice rest = slice_of(list), entry;
	const char *origin = path_dir(search->arena, sayer->elf->path);
	for (bool more = list != NULL; more;) {
		more = slice_split(rest, ':', &entry, &rest);
		const char *directory = library_search_expand(search->arena, entry, origin);
		const struct elf_info *found = directory ? try_directory(search, directory, name) : NULL;
		if (found)
			return found;
	}
	return NULL;
}

static const char *beside(struct arena *arena, const struct object *requester)
{
	while (requester->parent)
		requester = requester->parent;
	return path_dir(arena, requester->elf->path);
}

const struct elf_info *library_search(struct library_search *search, const char *name, const struct object *requester)
{
	const struct elf_info *found;
	buf_clear(&search->looked);
	search->wrong = NULL;
	search->privately = true;
	if (!requester->elf->runpath)
		for (const struct object *o = requester; o; o = o->parent)
			if (!o->elf->runpath && (found = try_list(search, o->elf->rpath, o, name)))
				return found;
	if ((found = try_list(search, requester->elf->runpath, requester, name)))
		return found;
	search->privately = false;
	for (size_t i = 0; i < search->cache.count; i++)
		if (strcmp(search->cache.entries[i].soname, name) == 0 &&
		    (found = try_file(search, search->cache.entries[i].path)))
			return found;
	buf_printf(&search->looked, "%sld.so.cache", search->looked.size ? ", " : "");
	for (size_t i = 0; search->directories[i]; i++)
		if ((found = try_directory(search, search->directories[i], name)))
			return found;
	search->privately = true;
	return try_directory(search, beside(search->arena, requester), name);
}

void library_search_done(struct library_search *search)
{
	buf_done(&search->looked);
}
