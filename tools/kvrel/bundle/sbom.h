/* SPDX-License-Identifier: MIT */
/*
 * The bill of materials, exact because kvrel placed each file: packages with versions and terms, files with digests,
 * who holds what. SPDX 2.3 or CycloneDX 1.5. Deterministic: the time is the source date, the name of the document
 * follows from its content.
 */
#ifndef KVREL_SBOM_H
#define KVREL_SBOM_H

#include "build/packages.h"
#include "bundle/manifest.h"

struct sbom_inputs {
	const struct plan *plan; /* prepared, without manifest and SBOM */
	const struct manifest_info *info;
};

/* One thing that has a version: the release, the runtime, a component, a host package, the head of a .run file. */
struct sbom_part {
	const char *id; /* "Component-kv" */
	const char *name, *version, *license, *purl, *source;
	enum plan_origin origin;
};

struct sbom {
	struct arena *arena;
	const struct sbom_inputs *inputs;
	struct sbom_part *parts; /* the release first */
	size_t part_count;
	size_t unpacker;     /* index of what heads the .run file; 0: there is none */
	const char *created; /* 2026-01-31T12:00:00Z */
	char content_digest[DIGEST_HEX_BYTES];
};

/* Written to `fd`, file by file. */
int sbom_spdx(struct arena *arena, const struct sbom_inputs *inputs, int fd, struct error *err);
int sbom_cyclonedx(struct arena *arena, const struct sbom_inputs *inputs, int fd, struct error *err);

/* sbom.c: what both formats say. */
int sbom_gather(struct arena *arena, const struct sbom_inputs *inputs, struct sbom *out, struct error *err);
/* The part that an entry belongs to: index into parts. */
size_t sbom_part_of(const struct sbom *sbom, const struct plan_entry *entry);
/* Is the package inside a program that is in the bundle, or in the unpacker? */
bool sbom_is_linked(const struct sbom *sbom, const struct sbom_part *package, bool into_unpacker);
bool sbom_has_file(const struct plan_entry *entry);
/* An SPDX expression, or NULL. From a component.yaml, or from a Debian copyright file. */
const char *licence_expression(struct arena *arena, const char *text);
const char *licence_of_debian(struct arena *arena, const char *copyright_file);

#endif
