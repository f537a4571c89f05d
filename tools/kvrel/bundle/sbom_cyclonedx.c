/* SPDX-License-Identifier: MIT */
#include "bundle/sbom.h"

#include "base/json.h"
#include "base/scope.h"

static void set(struct sbom *sbom, struct value *map, const char *key, struct value *value)
{
	value_map_add(sbom->arena, map, slice_of(key), value);
}

static void set_text(struct sbom *sbom, struct value *map, const char *key, const char *text)
{
	set(sbom, map, key, value_string(sbom->arena, slice_of(text)));
}

static struct value *list_of(struct sbom *sbom, struct value *item)
{
	struct value *list = value_list(sbom->arena);
	value_list_add(sbom->arena, list, item);
	return list;
}

static void add_hash(struct sbom *sbom, struct value *list, const char *algorithm, const char *hex)
{
	struct value *map = value_map(sbom->arena);
	set_text(sbom, map, "alg", algorithm);
	set_text(sbom, map, "content", hex);
	value_list_add(sbom->arena, list, map);
}

static struct value *file_tree(struct sbom *sbom, size_t at)
{
	const struct plan_entry *entry = &sbom->inputs->plan->entries[at];
	struct value *map = value_map(sbom->arena), *hashes = value_list(sbom->arena);
	add_hash(sbom, hashes, "SHA-1", entry->sha1);
	add_hash(sbom, hashes, "SHA-256", entry->sha256);
	set_text(sbom, map, "type", "file");
	set_text(sbom, map, "bom-ref", arena_printf(sbom->arena, "File-%zu", at));
	set_text(sbom, map, "name", entry->path);
	set(sbom, map, "hashes", hashes);
	if (entry->change == CHANGE_EDIT_LOADER) {
		struct value *pedigree = value_map(sbom->arena), *patch = value_map(sbom->arena);
		set_text(sbom, patch, "type", "unofficial");
		set(sbom, pedigree, "patches", list_of(sbom, patch));
		set_text(sbom, pedigree, "notes",
			 "the host's library, cache and preload paths were replaced by paths of the same length that "
			 "cannot exist");
		set(sbom, map, "pedigree", pedigree);
	}
	return map;
}

/* A part holds its files; the release's own are at the top. */
static struct value *files_of(struct sbom *sbom, size_t part)
{
	const struct plan *plan = sbom->inputs->plan;
	struct value *list = value_list(sbom->arena);
	for (size_t i = 0; i < plan->count; i++)
		if (sbom_has_file(&plan->entries[i]) && sbom_part_of(sbom, &plan->entries[i]) == part)
			value_list_add(sbom->arena, list, file_tree(sbom, i));
	return list;
}

static struct value *part_tree(struct sbom *sbom, size_t at)
{
	const struct sbom_part *part = &sbom->parts[at];
	struct value *map = value_map(sbom->arena);
	set_text(sbom, map, "type", at == 0 ? "application" : "library");
	set_text(sbom, map, "bom-ref", part->id);
	set_text(sbom, map, "name", part->name);
	set_text(sbom, map, "version", part->version);
	if (part->license) {
		struct value *license = value_map(sbom->arena);
		set_text(sbom, license, "expression", part->license);
		set(sbom, map, "licenses", list_of(sbom, license));
	}
	if (part->purl)
		set_text(sbom, map, "purl", part->purl);
	if (at && files_of(sbom, at)->list.count)
		set(sbom, map, "components", files_of(sbom, at));
	return map;
}

/* A UUID made of a digest, marked as one of version 8 (made by its own rule). */
static const char *serial_number(struct sbom *sbom)
{
	const char *hex = sbom->content_digest;
	return arena_printf(sbom->arena, "urn:uuid:%.8s-%.4s-8%.3s-9%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17,
			    hex + 20);
}

static struct value *depends(struct sbom *sbom, const char *ref, struct value *on)
{
	struct value *map = value_map(sbom->arena);
	set_text(sbom, map, "ref", ref);
	set(sbom, map, "dependsOn", on);
	return map;
}

static struct value *linked_into(struct sbom *sbom, bool unpacker)
{
	struct value *list = value_list(sbom->arena);
	for (size_t i = 1; i < sbom->part_count; i++)
		if (sbom_is_linked(sbom, &sbom->parts[i], unpacker))
			value_list_add(sbom->arena, list, value_string(sbom->arena, slice_of(sbom->parts[i].id)));
	return list;
}

static struct value *dependencies(struct sbom *sbom)
{
	const struct spec_release *release = sbom->inputs->info->release;
	struct value *list = value_list(sbom->arena), *all = value_list(sbom->arena);
	for (size_t i = 1; i < sbom->part_count; i++)
		value_list_add(sbom->arena, all, value_string(sbom->arena, slice_of(sbom->parts[i].id)));
	value_list_add(sbom->arena, list, depends(sbom, sbom->parts[0].id, all));
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		struct value *on = value_list(sbom->arena);
		for (size_t j = 0; j < component->dependency_count; j++)
			for (size_t k = 0; k < release->member_count; k++)
				if (strcmp(release->members[k].component->name, component->dependencies[j]) == 0)
					value_list_add(sbom->arena, on,
						       value_string(sbom->arena, slice_of(sbom->parts[2 + k].id)));
		value_list_add(sbom->arena, list, depends(sbom, sbom->parts[2 + i].id, on));
	}
	value_list_add(sbom->arena, list, depends(sbom, sbom->parts[1].id, linked_into(sbom, false)));
	if (sbom->unpacker)
		value_list_add(sbom->arena, list,
			       depends(sbom, sbom->parts[sbom->unpacker].id, linked_into(sbom, true)));
	return list;
}

/* The parts but the release, then the release's own files. */
static void add_component(void *context, struct arena *arena, struct value *list, size_t index)
{
	struct sbom sbom = *(const struct sbom *)context;
	sbom.arena = arena;
	if (index + 1 < sbom.part_count) {
		value_list_add(arena, list, part_tree(&sbom, index + 1));
		return;
	}
	index -= sbom.part_count - 1;
	const struct plan_entry *entry = &sbom.inputs->plan->entries[index];
	if (sbom_has_file(entry) && sbom_part_of(&sbom, entry) == 0)
		value_list_add(arena, list, file_tree(&sbom, index));
}

static void add_dependencies(void *context, struct arena *arena, struct value *list, size_t index)
{
	const struct value *all = context;
	value_list_add(arena, list, all->list.items[index]);
}

static struct value *document(struct sbom *sbom)
{
	struct value *map = value_map(sbom->arena), *metadata = value_map(sbom->arena);
	struct value *tools = value_map(sbom->arena), *tool = value_map(sbom->arena);
	set_text(sbom, tool, "type", "application");
	set_text(sbom, tool, "name", "kvrel");
	set_text(sbom, tool, "version", KVREL_VERSION);
	set(sbom, tools, "components", list_of(sbom, tool));
	set_text(sbom, metadata, "timestamp", sbom->created);
	set(sbom, metadata, "tools", tools);
	set(sbom, metadata, "component", part_tree(sbom, 0));
	set_text(sbom, map, "bomFormat", "CycloneDX");
	set_text(sbom, map, "specVersion", "1.5");
	set_text(sbom, map, "serialNumber", serial_number(sbom));
	set(sbom, map, "version", value_int(sbom->arena, 1));
	set(sbom, map, "metadata", metadata);
	return map;
}

int sbom_cyclonedx(struct arena *arena, const struct sbom_inputs *inputs, int fd, struct error *err)
{
	struct sbom sbom;
	int status = sbom_gather(arena, inputs, &sbom, err);
	if (status < 0)
		return status;
	struct value *needs = dependencies(&sbom);
	const struct json_list lists[] = {
		{ "components", sbom.part_count - 1 + inputs->plan->count, add_component, &sbom },
		{ "dependencies", needs->list.count, add_dependencies, needs },
	};
	return json_write_lists(fd, document(&sbom), lists, ARRAY_LEN(lists), 1, err);
}
