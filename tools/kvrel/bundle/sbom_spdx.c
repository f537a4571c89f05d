/* SPDX-License-Identifier: MIT */
#include "bundle/sbom.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdlib.h>

static void set(struct sbom *sbom, struct value *map, const char *key, struct value *value)
{
	value_map_add(sbom->arena, map, slice_of(key), value);
}

static void set_text(struct sbom *sbom, struct value *map, const char *key, const char *text)
{
	set(sbom, map, key, value_string(sbom->arena, slice_of(text)));
}

static const char *spdx_id(struct sbom *sbom, const char *id)
{
	return arena_printf(sbom->arena, "SPDXRef-%s", id);
}

static const char *file_id(struct sbom *sbom, size_t entry)
{
	return arena_printf(sbom->arena, "SPDXRef-File-%zu", entry);
}

static struct value *url_reference(struct sbom *sbom, const char *purl)
{
	struct value *list = value_list(sbom->arena), *map = value_map(sbom->arena);
	set_text(sbom, map, "referenceCategory", "PACKAGE-MANAGER");
	set_text(sbom, map, "referenceType", "purl");
	set_text(sbom, map, "referenceLocator", purl);
	value_list_add(sbom->arena, list, map);
	return list;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SHA-1 of the sorted SHA-1s of a package's files, as the standard has it; NULL when it has no files. */
static const char *verification_code(struct sbom *sbom, size_t part, struct error *err)
{
	const struct plan *plan = sbom->inputs->plan;
	const char **digests = arena_array(sbom->arena, plan->count + 1, sizeof(*digests));
	SCOPE(digest_done) struct digest digest = { 0 };
	char sha256[DIGEST_HEX_BYTES], sha1[DIGEST_SHA1_HEX_BYTES];
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++)
		if (sbom_has_file(&plan->entries[i]) && sbom_part_of(sbom, &plan->entries[i]) == part)
			digests[count++] = plan->entries[i].sha1;
	if (!count)
		return NULL;
	qsort(digests, count, sizeof(*digests), by_text);
	int status = digest_begin(&digest, true, err);
	for (size_t i = 0; i < count && status == 0; i++)
		status = digest_add(&digest, digests[i], strlen(digests[i]), err);
	if (status == 0)
		status = digest_end(&digest, sha256, sha1, err);
	return status == 0 ? arena_string(sbom->arena, sha1) : NULL;
}

/* A package whose files are not analysed must not contain any. */
static void set_files_analysed(struct sbom *sbom, struct value *map, size_t part)
{
	struct value *code = value_map(sbom->arena), *found = value_list(sbom->arena);
	const char *digest = verification_code(sbom, part, NULL);
	set(sbom, map, "filesAnalyzed", value_bool(sbom->arena, digest != NULL));
	if (!digest)
		return;
	set_text(sbom, code, "packageVerificationCodeValue", digest);
	set(sbom, map, "packageVerificationCode", code);
	value_list_add(sbom->arena, found, value_string(sbom->arena, slice_of("NOASSERTION")));
	set(sbom, map, "licenseInfoFromFiles", found);
}

static struct value *part_tree(struct sbom *sbom, size_t at)
{
	const struct sbom_part *part = &sbom->parts[at];
	struct value *map = value_map(sbom->arena);
	const char *license = part->license ? part->license : "NOASSERTION";
	set_text(sbom, map, "SPDXID", spdx_id(sbom, part->id));
	set_text(sbom, map, "name", part->name);
	set_text(sbom, map, "versionInfo", part->version);
	set_text(sbom, map, "downloadLocation", "NOASSERTION");
	set_files_analysed(sbom, map, at);
	set_text(sbom, map, "licenseConcluded", "NOASSERTION");
	set_text(sbom, map, "licenseDeclared", license);
	set_text(sbom, map, "copyrightText", "NOASSERTION");
	set_text(sbom, map, "primaryPackagePurpose", at == 0 ? "APPLICATION" : "LIBRARY");
	if (part->source)
		set_text(sbom, map, "sourceInfo", part->source);
	if (part->purl)
		set(sbom, map, "externalRefs", url_reference(sbom, part->purl));
	return map;
}

static void add_checksum(struct sbom *sbom, struct value *list, const char *algorithm, const char *hex)
{
	struct value *map = value_map(sbom->arena);
	set_text(sbom, map, "algorithm", algorithm);
	set_text(sbom, map, "checksumValue", hex);
	value_list_add(sbom->arena, list, map);
}

static struct value *file_tree(struct sbom *sbom, size_t at)
{
	const struct plan_entry *entry = &sbom->inputs->plan->entries[at];
	struct value *map = value_map(sbom->arena), *checksums = value_list(sbom->arena);
	add_checksum(sbom, checksums, "SHA1", entry->sha1);
	add_checksum(sbom, checksums, "SHA256", entry->sha256);
	set_text(sbom, map, "SPDXID", file_id(sbom, at));
	set_text(sbom, map, "fileName", arena_printf(sbom->arena, "./%s", entry->path));
	set(sbom, map, "checksums", checksums);
	set_text(sbom, map, "licenseConcluded", "NOASSERTION");
	struct value *found = value_list(sbom->arena);
	value_list_add(sbom->arena, found, value_string(sbom->arena, slice_of("NOASSERTION")));
	set(sbom, map, "licenseInfoInFiles", found);
	set_text(sbom, map, "copyrightText", "NOASSERTION");
	if (entry->change == CHANGE_STRIP)
		set_text(sbom, map, "comment", "unneeded symbols were removed");
	if (entry->change == CHANGE_EDIT_LOADER)
		set_text(sbom, map, "comment",
			 "modified: the host's library, cache and preload paths were replaced by paths of the same "
			 "length "
			 "that cannot exist");
	return map;
}

static void relate(struct sbom *sbom, struct value *list, const char *from, const char *type, const char *to)
{
	struct value *map = value_map(sbom->arena);
	set_text(sbom, map, "spdxElementId", from);
	set_text(sbom, map, "relationshipType", type);
	set_text(sbom, map, "relatedSpdxElement", to);
	value_list_add(sbom->arena, list, map);
}

static void relate_components(struct sbom *sbom, struct value *list)
{
	const struct spec_release *release = sbom->inputs->info->release;
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		for (size_t j = 0; j < component->dependency_count; j++)
			for (size_t k = 0; k < release->member_count; k++)
				if (strcmp(release->members[k].component->name, component->dependencies[j]) == 0)
					relate(sbom, list, spdx_id(sbom, sbom->parts[2 + i].id), "DEPENDS_ON",
					       spdx_id(sbom, sbom->parts[2 + k].id));
	}
}

static void relate_linked(struct sbom *sbom, struct value *list, size_t at)
{
	const struct plan_entry *entry = &sbom->inputs->plan->entries[at];
	for (size_t i = 0; i < entry->linked_count; i++)
		for (size_t j = 1; j < sbom->part_count; j++)
			if (sbom->parts[j].origin == FROM_PACKAGE && strcmp(sbom->parts[j].name, entry->linked[i]) == 0)
				relate(sbom, list, file_id(sbom, at), "STATIC_LINK", spdx_id(sbom, sbom->parts[j].id));
}

/* The same with its values in another arena. */
static struct sbom in_arena(const struct sbom *sbom, struct arena *arena)
{
	struct sbom out = *sbom;
	out.arena = arena;
	return out;
}

static bool is_inside(const struct sbom *sbom, size_t part)
{
	const struct sbom_part *package = &sbom->parts[part];
	return part != sbom->unpacker && (!sbom_is_linked(sbom, package, true) || sbom_is_linked(sbom, package, false));
}

/* It goes where the release goes, but is no part of the bundle. */
static void relate_unpacker(struct sbom *sbom, struct value *list)
{
	const char *unpacker = spdx_id(sbom, sbom->parts[sbom->unpacker].id);
	relate(sbom, list, spdx_id(sbom, sbom->parts[0].id), "DISTRIBUTION_ARTIFACT", unpacker);
	for (size_t i = 1; i < sbom->part_count; i++)
		if (sbom_is_linked(sbom, &sbom->parts[i], true))
			relate(sbom, list, unpacker, "STATIC_LINK", spdx_id(sbom, sbom->parts[i].id));
}

static void relate_parts(struct sbom *sbom, struct value *list)
{
	const char *release = spdx_id(sbom, sbom->parts[0].id);
	relate(sbom, list, "SPDXRef-DOCUMENT", "DESCRIBES", release);
	for (size_t i = 1; i < sbom->part_count; i++)
		if (is_inside(sbom, i))
			relate(sbom, list, release, "CONTAINS", spdx_id(sbom, sbom->parts[i].id));
	relate_components(sbom, list);
	if (sbom->unpacker)
		relate_unpacker(sbom, list);
}

/* The parts among each other, then each file. */
static void add_relationships(void *context, struct arena *arena, struct value *list, size_t index)
{
	struct sbom sbom = in_arena(context, arena);
	if (index == 0) {
		relate_parts(&sbom, list);
		return;
	}
	const struct plan_entry *entry = &sbom.inputs->plan->entries[index - 1];
	if (!sbom_has_file(entry))
		return;
	relate(&sbom, list, spdx_id(&sbom, sbom.parts[sbom_part_of(&sbom, entry)].id), "CONTAINS",
	       file_id(&sbom, index - 1));
	relate_linked(&sbom, list, index - 1);
}

static void add_file(void *context, struct arena *arena, struct value *list, size_t index)
{
	struct sbom sbom = in_arena(context, arena);
	if (sbom_has_file(&sbom.inputs->plan->entries[index]))
		value_list_add(arena, list, file_tree(&sbom, index));
}

static struct value *document(struct sbom *sbom)
{
	const struct sbom_part *release = &sbom->parts[0];
	struct value *map = value_map(sbom->arena), *creation = value_map(sbom->arena);
	struct value *creators = value_list(sbom->arena), *packages = value_list(sbom->arena);
	value_list_add(sbom->arena, creators, value_string(sbom->arena, slice_of("Tool: kvrel-" KVREL_VERSION)));
	set_text(sbom, creation, "created", sbom->created);
	set(sbom, creation, "creators", creators);
	set_text(sbom, map, "spdxVersion", "SPDX-2.3");
	set_text(sbom, map, "dataLicense", "CC0-1.0");
	set_text(sbom, map, "SPDXID", "SPDXRef-DOCUMENT");
	set_text(sbom, map, "name", arena_printf(sbom->arena, "%s-%s", release->name, release->version));
	set_text(sbom, map, "documentNamespace",
		 arena_printf(sbom->arena, "https://spdx.org/spdxdocs/%s-%s-%s", release->name, release->version,
			      sbom->content_digest));
	set(sbom, map, "creationInfo", creation);
	for (size_t i = 0; i < sbom->part_count; i++)
		value_list_add(sbom->arena, packages, part_tree(sbom, i));
	set(sbom, map, "packages", packages);
	return map;
}

int sbom_spdx(struct arena *arena, const struct sbom_inputs *inputs, int fd, struct error *err)
{
	struct sbom sbom;
	int status = sbom_gather(arena, inputs, &sbom, err);
	if (status < 0)
		return status;
	const struct json_list lists[] = {
		{ "files", inputs->plan->count, add_file, &sbom },
		{ "relationships", inputs->plan->count + 1, add_relationships, &sbom },
	};
	return json_write_lists(fd, document(&sbom), lists, ARRAY_LEN(lists), 1, err);
}
