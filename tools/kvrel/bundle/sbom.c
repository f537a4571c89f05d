/* SPDX-License-Identifier: MIT */
#include "bundle/sbom.h"

#include "build/static_parts.h"

#include "base/fs.h"
#include "base/scope.h"

#include <ctype.h>
#include <time.h>

enum { RELEASE_BYTES_MAX = 64 << 10 };

/* Letters, digits, '.' and '-': what an identifier of SPDX may hold. */
static const char *identifier(struct arena *arena, const char *kind, const char *name)
{
	char *out = arena_printf(arena, "%s-%s", kind, name);
	for (char *at = out; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
			*at = *at == '_' ? '-' : '.';
	return out;
}

/* os-release: KEY=value or KEY="value". */
static const char *os_release(struct arena *arena, const char *key)
{
	SCOPE(buf_done) struct buf text = { 0 };
	if (fs_read("/etc/os-release", RELEASE_BYTES_MAX, &text, NULL) < 0)
		return NULL;
	struct slice rest = buf_slice(&text), line, name, value;
	for (bool more = true; more;) {
		more = slice_split(rest, '\n', &line, &rest);
		if (!slice_split(line, '=', &name, &value) || !slice_is(name, key))
			continue;
		if (value.size >= 2 && value.data[0] == '"')
			value = (struct slice){ value.data + 1, value.size - 2 };
		return arena_copy(arena, value);
	}
	return NULL;
}

/* Package URL: '+' and other unsafe bytes are escaped; ':' and '~' stay. */
static void escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr(".-_~:", *text))
			buf_append_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

static const char *package_url(struct arena *arena, const struct package *package)
{
	const char *id = os_release(arena, "ID"), *version = os_release(arena, "VERSION_ID");
	SCOPE(buf_done) struct buf out = { 0 };
	buf_printf(&out, "pkg:deb/%s/", id ? id : "debian");
	escape(&out, package->name);
	buf_append_char(&out, '@');
	escape(&out, package->version);
	buf_printf(&out, "?arch=%s", package->architecture);
	if (id && version)
		buf_printf(&out, "&distro=%s-%s", id, version);
	return arena_string(arena, buf_string(&out));
}

static struct sbom_part *add_part(struct sbom *sbom, enum plan_origin origin, const char *kind, const char *name,
				  const char *version)
{
	struct sbom_part *part = &sbom->parts[sbom->part_count++];
	*part = (struct sbom_part){
		.id = identifier(sbom->arena, kind, name), .name = name, .version = version, .origin = origin
	};
	return part;
}

static void add_unpacker(struct sbom *sbom)
{
	const struct manifest_info *info = sbom->inputs->info;
	for (size_t i = 0; i < info->packages->linked_count; i++) {
		if (strcmp(info->packages->linked[i].program, UNPACKER) != 0)
			continue;
		struct sbom_part *part =
			add_part(sbom, FROM_RUNTIME, "Runtime", "kvrel-" UNPACKER, info->runtime_version);
		part->license = "MIT";
		part->source =
			arena_printf(sbom->arena, "the head of %s-%s.run", info->release->name, info->release->version);
		sbom->unpacker = sbom->part_count - 1;
		return;
	}
}

static void add_parts(struct sbom *sbom)
{
	const struct manifest_info *info = sbom->inputs->info;
	const struct spec_release *release = info->release;
	size_t most = 3 + release->member_count + info->packages->count;
	sbom->parts = arena_array(sbom->arena, most, sizeof(*sbom->parts));
	add_part(sbom, FROM_GENERATED, "Release", release->name, release->version);
	add_part(sbom, FROM_RUNTIME, "Runtime", "kvrel", info->runtime_version)->license = "MIT";
	for (size_t i = 0; i < release->member_count; i++) {
		const struct spec_component *component = release->members[i].component;
		add_part(sbom, FROM_COMPONENT, "Component", component->name, component->version)->license =
			licence_expression(sbom->arena, component->license);
	}
	for (size_t i = 0; i < info->packages->count; i++) {
		const struct package *package = &info->packages->packages[i];
		struct sbom_part *part = add_part(sbom, FROM_PACKAGE, "Package", package->name, package->version);
		part->license = licence_of_debian(sbom->arena, package->copyright);
		part->purl = package_url(sbom->arena, package);
		part->source = arena_printf(sbom->arena, "built from source package %s %s", package->source,
					    package->source_version);
	}
	add_unpacker(sbom);
}

bool sbom_is_linked(const struct sbom *sbom, const struct sbom_part *package, bool into_unpacker)
{
	const struct manifest_info *info = sbom->inputs->info;
	const struct static_part *linked = info->packages->linked;
	for (size_t i = 0; i < info->packages->linked_count; i++)
		if (package->origin == FROM_PACKAGE && strcmp(linked[i].package.name, package->name) == 0 &&
		    (strcmp(linked[i].program, UNPACKER) == 0) == into_unpacker)
			return true;
	return false;
}

size_t sbom_part_of(const struct sbom *sbom, const struct plan_entry *entry)
{
	for (size_t i = 1; i < sbom->part_count; i++)
		if (sbom->parts[i].origin == entry->origin && entry->origin_name &&
		    strcmp(sbom->parts[i].name, entry->origin_name) == 0)
			return i;
	return 0;
}

bool sbom_has_file(const struct plan_entry *entry)
{
	return (entry->kind == PLAN_FILE || entry->kind == PLAN_TEXT) && !entry->secret &&
	       strcmp(entry->path, "releases/start.data") != 0;
}

static int name_content(struct sbom *sbom, struct error *err)
{
	const struct plan *plan = sbom->inputs->plan;
	SCOPE(buf_done) struct buf all = { 0 };
	for (size_t i = 0; i < plan->count; i++)
		if (sbom_has_file(&plan->entries[i]))
			buf_printf(&all, "%s %s\n", plan->entries[i].sha256, plan->entries[i].path);
	return digest_bytes(buf_slice(&all), sbom->content_digest, err);
}

int sbom_gather(struct arena *arena, const struct sbom_inputs *inputs, struct sbom *out, struct error *err)
{
	struct sbom sbom = { .arena = arena, .inputs = inputs };
	time_t date = (time_t)inputs->info->source_date;
	struct tm tm;
	char created[32];
	gmtime_r(&date, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	sbom.created = arena_string(arena, created);
	add_parts(&sbom);
	int status = name_content(&sbom, err);
	if (status == 0)
		*out = sbom;
	return status;
}
