/* SPDX-License-Identifier: MIT */
/* What is in a bundle, how large, what it demands of a machine, and what it does without. */
#include "build/build.h"
#include "bundle/content.h"

#include "base/path.h"
#include "base/scope.h"

struct portability {
	const struct elf_info *first;
	unsigned kernel[3];
	unsigned isa;
	const char *glibc;
	bool machines_differ;
};

static void set(struct arena *arena, struct value *map, const char *key, struct value *value)
{
	value_map_add(arena, map, slice_of(key), value);
}

static void set_text(struct arena *arena, struct value *map, const char *key, const char *text)
{
	set(arena, map, key, text ? value_string(arena, slice_of(text)) : value_null(arena));
}

static void set_size(struct arena *arena, struct value *map, const char *key, uint64_t size)
{
	set(arena, map, key, value_int(arena, (int64_t)size));
}

static bool is_under(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static uint64_t size_under(const struct content *content, const char *folder)
{
	uint64_t total = 0;
	for (size_t i = 0; i < content->count; i++)
		if (is_under(content->items[i].path, folder))
			total += content->items[i].size_bytes;
	return total;
}

static struct value *components(struct arena *arena, const struct content *content)
{
	const struct value *from = value_get(content->current->manifest.tree, "components");
	struct value *list = value_list(arena);
	for (size_t i = 0; from && from->type == VALUE_LIST && i < from->list.count; i++) {
		const struct value *component = from->list.items[i];
		const char *name = value_text(value_get(component, "name"), "?");
		const char *version = value_text(value_get(component, "version"), "?");
		struct value *map = value_map(arena);
		set_text(arena, map, "name", name);
		set_text(arena, map, "version", version);
		set_text(arena, map, "mode", value_text(value_get(component, "mode"), NULL));
		set_text(arena, map, "license", value_text(value_get(component, "license"), NULL));
		set_size(arena, map, "size", size_under(content, arena_printf(arena, "lib/%s-%s", name, version)));
		value_list_add(arena, list, map);
	}
	return list;
}

static bool is_library(const struct manifest_entry *entry)
{
	return entry->kind == PLAN_FILE && strncmp(entry->path, "runtime-", 8) == 0 && strstr(entry->path, "/lib/") &&
	       strcmp(entry->origin, "package") == 0;
}

static struct value *libraries(struct arena *arena, const struct content *content)
{
	const struct manifest *manifest = &content->current->manifest;
	struct value *list = value_list(arena);
	for (size_t i = 0; i < manifest->count; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		if (!is_library(entry))
			continue;
		struct value *map = value_map(arena);
		set_text(arena, map, "name", path_base(entry->path));
		set_size(arena, map, "size", entry->size_bytes);
		set_text(arena, map, "package", entry->origin_name);
		set_text(arena, map, "version", entry->origin_version);
		value_list_add(arena, list, map);
	}
	return list;
}

static struct value *sizes(struct arena *arena, const struct content *content)
{
	struct value *map = value_map(arena);
	const char *runtime = arena_printf(arena, "runtime-%s", content->current->manifest.runtime_version);
	uint64_t total = 0, files = 0;
	for (size_t i = 0; i < content->count; i++) {
		total += content->items[i].size_bytes;
		files += content->items[i].kind == PLAN_FILE;
	}
	set_size(arena, map, "total", total);
	set_size(arena, map, "files", files);
	set_size(arena, map, "launcher", size_under(content, "bin"));
	set_size(arena, map, "runtime", size_under(content, runtime));
	set_size(arena, map, "components", size_under(content, "lib"));
	set_size(arena, map, "releases", size_under(content, "releases"));
	set_size(arena, map, "licenses", size_under(content, "share/licenses"));
	return map;
}

static bool older(const unsigned a[3], const unsigned b[3])
{
	for (size_t i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

static void note(struct portability *out, const struct content_item *item)
{
	const struct elf_info *elf = item->elf;
	if (!elf)
		return;
	if (!out->first)
		out->first = elf;
	out->machines_differ = out->machines_differ || !elf_same_machine(out->first, elf);
	out->isa |= elf->isa_needed;
	if (older(out->kernel, elf->kernel))
		memcpy(out->kernel, elf->kernel, sizeof(out->kernel));
	if (item->glibc_version)
		out->glibc = item->glibc_version;
}

/* GNU_PROPERTY_X86_ISA_1: a bit a level, the highest counts. Files that say nothing are for every CPU of the kind. */
static const char *cpu_level(struct arena *arena, const struct portability *portability)
{
	const char *machine = portability->first ? elf_machine_name(arena, portability->first) : "unknown";
	unsigned level = 1;
	for (unsigned bit = 1; bit < 4; bit++)
		if (portability->isa & (1u << bit))
			level = bit + 1;
	return strcmp(machine, "x86-64") == 0 ? arena_printf(arena, "x86-64-v%u", level) : machine;
}

static bool any_under(const struct content *content, const char *part)
{
	for (size_t i = 0; i < content->count; i++)
		if (strstr(content->items[i].path, part))
			return true;
	return false;
}

/* What programs load at run time without naming it in their ELF files. */
static struct value *not_inside(struct arena *arena, const struct content *content)
{
	static const struct {
		const char *what, *part, *effect;
	} places[] = {
		{ "time zones", "share/zoneinfo",
		  "names come from the host's /usr/share/zoneinfo; without it TZ takes POSIX rules only" },
		{ "locales", "share/locale", "text is handled in the C locale and as UTF-8" },
		{ "character sets", "gconv", "iconv knows ASCII, UTF-8 and UCS only" },
		{ "name service modules", "libnss_", "users and hosts come from files and DNS" },
		{ "TLS roots", "share/ssl", "certificates are looked for in the host's usual places" },
		{ "terminal descriptions", "share/terminfo", "consoles use plain ANSI sequences" },
	};
	struct value *list = value_list(arena);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (any_under(content, places[i].part))
			continue;
		struct value *map = value_map(arena);
		set_text(arena, map, "what", places[i].what);
		set_text(arena, map, "effect", places[i].effect);
		value_list_add(arena, list, map);
	}
	return list;
}

static struct value *portability(struct arena *arena, const struct content *content)
{
	struct portability found = { 0 };
	struct value *map = value_map(arena);
	for (size_t i = 0; i < content->count; i++)
		note(&found, &content->items[i]);
	set_text(arena, map, "machine", found.first ? elf_machine_name(arena, found.first) : NULL);
	set_text(arena, map, "cpu", cpu_level(arena, &found));
	set_text(arena, map, "oldest_kernel",
		 found.kernel[0] ? arena_printf(arena, "%u.%u.%u", found.kernel[0], found.kernel[1], found.kernel[2])
				 : NULL);
	set_text(arena, map, "libc", found.glibc ? arena_printf(arena, "glibc %s (bundled)", found.glibc) : NULL);
	if (found.machines_differ)
		set_text(arena, map, "warning", "it holds files for different machines");
	set(arena, map, "not_inside", not_inside(arena, content));
	return map;
}

static struct value *patched(struct arena *arena, const struct content *content)
{
	const struct manifest *manifest = &content->current->manifest;
	struct value *list = value_list(arena);
	for (size_t i = 0; i < manifest->count; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		if (!entry->change || strcmp(entry->origin, "package") != 0)
			continue;
		struct value *map = value_map(arena);
		set_text(arena, map, "path", entry->path);
		set_text(arena, map, "change", entry->change);
		value_list_add(arena, list, map);
	}
	return list;
}

int bundle_inspect(struct arena *arena, const char *bundle_or_archive, struct value **out, struct error *err)
{
	struct content content;
	int status = content_read(arena, bundle_or_archive, CONTENT_ELF, &content, err);
	if (status < 0)
		return status;
	const struct manifest *manifest = &content.current->manifest;
	struct value *map = value_map(arena), *versions = value_list(arena);
	for (size_t i = 0; i < content.manifest_count; i++)
		value_list_add(arena, versions, value_string(arena, slice_of(content.manifests[i].version)));
	set_text(arena, map, "release", manifest->release);
	set_text(arena, map, "version", manifest->version);
	set(arena, map, "versions", versions);
	set_text(arena, map, "runtime", manifest->runtime_version);
	set(arena, map, "source_date", value_int(arena, manifest->source_date));
	set(arena, map, "components", components(arena, &content));
	set(arena, map, "libraries", libraries(arena, &content));
	set(arena, map, "patched", patched(arena, &content));
	set(arena, map, "sizes", sizes(arena, &content));
	set(arena, map, "portability", portability(arena, &content));
	*out = map;
	return 0;
}
