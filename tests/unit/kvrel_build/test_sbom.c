/* SPDX-License-Identifier: MIT */
/* The bill of materials names every file once, in both formats, and the same way each time. */
#include "fixture.h"

#include "bundle/sbom.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"

#include <criterion/criterion.h>

static struct project project;

static void setup(void)
{
	project_setup(&project);
	project.components[0].license = "MIT OR Apache-2.0";
	project.components[1].license = "our own";
}

static void teardown(void)
{
	project_teardown(&project);
}
TestSuite(sbom, .init = setup, .fini = teardown);

static struct value *document(const char *path)
{
	struct value *tree;
	struct slice text = slice_of(bundle_text(&project, path));
	cr_assert_eq(json_parse(&project.arena, text, path, &tree, &project.err), 0, "%s", project.err.message);
	return tree;
}

static const struct value *with(const struct value *list, const char *key, const char *text)
{
	for (size_t i = 0; i < list->list.count; i++)
		if (strcmp(value_text(value_get(list->list.items[i], key), ""), text) == 0)
			return list->list.items[i];
	return NULL;
}

Test(sbom, spdx_has_what_the_standard_demands)
{
	project_must_build(&project);
	const struct value *tree = document("releases/0.0.1/sbom.spdx.json");
	cr_expect_str_eq(value_text(value_get(tree, "spdxVersion"), ""), "SPDX-2.3");
	cr_expect_str_eq(value_text(value_get(tree, "dataLicense"), ""), "CC0-1.0");
	cr_expect_str_eq(value_text(value_path(tree, "creationInfo.created"), ""), "2023-11-14T22:13:20Z");
	const struct value *packages = value_get(tree, "packages");
	const struct value *alpha = with(packages, "SPDXID", "SPDXRef-Component-alpha");
	cr_assert(alpha != NULL);
	cr_expect_str_eq(value_text(value_get(alpha, "licenseDeclared"), ""), "MIT OR Apache-2.0");
	const struct value *beta = with(packages, "SPDXID", "SPDXRef-Component-beta");
	cr_expect_str_eq(value_text(value_get(beta, "licenseDeclared"), ""), "NOASSERTION");
}

Test(sbom, every_file_of_the_manifest_is_in_it_and_belongs_to_something)
{
	project_must_build(&project);
	const struct value *tree = document("releases/0.0.1/sbom.spdx.json");
	const struct value *listed = value_get(document("releases/0.0.1/manifest.json"), "files");
	const struct value *files = value_get(tree, "files"), *relations = value_get(tree, "relationships");
	for (size_t i = 0; i < listed->list.count; i++) {
		const char *path = value_text(value_get(listed->list.items[i], "path"), "");
		const char *sha256 = value_text(value_get(listed->list.items[i], "sha256"), NULL);
		if (!sha256 || strstr(path, "sbom"))
			continue;
		const struct value *file = with(files, "fileName", arena_printf(&project.arena, "./%s", path));
		cr_assert(file != NULL, "%s", path);
		const struct value *checksum = with(value_get(file, "checksums"), "algorithm", "SHA256");
		cr_expect_str_eq(value_text(value_get(checksum, "checksumValue"), ""), sha256);
		cr_expect(with(relations, "relatedSpdxElement", value_text(value_get(file, "SPDXID"), "")) != NULL);
	}
}

Test(sbom, a_package_with_files_says_that_they_were_looked_at)
{
	project_must_build(&project);
	const struct value *packages = value_get(document("releases/0.0.1/sbom.spdx.json"), "packages");
	const struct value *alpha = with(packages, "SPDXID", "SPDXRef-Component-alpha");
	cr_assert(value_get(alpha, "filesAnalyzed")->boolean);
	cr_expect_eq(strlen(value_text(value_path(alpha, "packageVerificationCode.packageVerificationCodeValue"), "")),
		     40);
	const struct value *linked = with(packages, "name", "little-libc");
	cr_expect(!value_get(linked, "filesAnalyzed")->boolean);
	cr_expect(!value_get(linked, "packageVerificationCode"));
}

Test(sbom, what_is_linked_into_the_launcher_is_declared)
{
	project_must_build(&project);
	const struct value *tree = document("releases/0.0.1/sbom.spdx.json");
	const struct value *package = with(value_get(tree, "packages"), "name", "little-libc");
	cr_assert(package != NULL);
	cr_expect_str_eq(value_text(value_get(package, "versionInfo"), ""), "1.2.3-1");
	const struct value *launcher = with(value_get(tree, "files"), "fileName", "./bin/foo");
	const struct value *link = with(value_get(tree, "relationships"), "relationshipType", "STATIC_LINK");
	cr_assert(link != NULL);
	cr_expect_str_eq(value_text(value_get(link, "spdxElementId"), "?"),
			 value_text(value_get(launcher, "SPDXID"), ""));
	cr_expect_str_eq(value_text(value_get(link, "relatedSpdxElement"), "?"),
			 value_text(value_get(package, "SPDXID"), ""));
}

Test(sbom, what_is_in_the_head_of_a_run_file_is_declared_when_there_is_one)
{
	project_must_build(&project);
	const struct value *tree = document("releases/0.0.1/sbom.spdx.json");
	cr_expect(with(value_get(tree, "packages"), "name", "little-zip") == NULL);
	project.steps[1] = (struct spec_step){ .kind = STEP_SELF_EXTRACT };
	project.release.step_count = 2;
	project.options.overwrite = true;
	project_must_build(&project);
	tree = document("releases/0.0.1/sbom.spdx.json");
	const struct value *package = with(value_get(tree, "packages"), "name", "little-zip");
	const struct value *unpacker = with(value_get(tree, "packages"), "name", "kvrel-unpacker");
	cr_assert(package != NULL && unpacker != NULL);
	const struct value *relations = value_get(tree, "relationships");
	size_t links = 0;
	for (size_t i = 0; i < relations->list.count; i++) {
		const struct value *relation = relations->list.items[i];
		if (strcmp(value_text(value_get(relation, "relatedSpdxElement"), ""),
			   value_text(value_get(package, "SPDXID"), "")) != 0)
			continue;
		links++;
		cr_expect_str_eq(value_text(value_get(relation, "spdxElementId"), ""),
				 value_text(value_get(unpacker, "SPDXID"), ""));
		cr_expect_str_eq(value_text(value_get(relation, "relationshipType"), ""), "STATIC_LINK");
	}
	cr_expect_eq(links, 1);
}

Test(sbom, the_edited_loader_is_declared)
{
	project_must_build(&project);
	const struct value *files = value_get(document("releases/0.0.1/sbom.spdx.json"), "files");
	const struct value *libc = with(files, "fileName", "./runtime-1.0.0/lib/libc.so.6");
	cr_assert(libc != NULL);
	cr_expect(strstr(value_text(value_get(libc, "comment"), ""), "modified") != NULL);
}

Test(sbom, cyclonedx_has_what_the_standard_demands)
{
	project.options.sbom_format = "cyclonedx";
	project_must_build(&project);
	cr_expect(!bundle_has(&project, "releases/0.0.1/sbom.spdx.json"));
	const struct value *tree = document("releases/0.0.1/sbom.cdx.json");
	cr_expect_str_eq(value_text(value_get(tree, "bomFormat"), ""), "CycloneDX");
	cr_expect_str_eq(value_text(value_get(tree, "specVersion"), ""), "1.5");
	cr_expect_eq(strlen(value_text(value_get(tree, "serialNumber"), "")), 45);
	cr_expect(with(value_get(tree, "components"), "bom-ref", "Component-alpha") != NULL);
}

Test(sbom, the_step_writes_it_beside_the_bundle)
{
	project.steps[1] = (struct spec_step){ .kind = STEP_SBOM };
	project.release.step_count = 2;
	project_must_build(&project);
	cr_assert_eq(project.result.artifact_count, 1);
	cr_expect(fs_exists(project_file(&project, "_build/foo-0.0.1.spdx.json")));
}

Test(sbom, only_licences_that_spdx_knows_are_declared)
{
	cr_expect_str_eq(licence_expression(&project.arena, "(MIT OR ISC) AND BSD-3-Clause"),
			 "(MIT OR ISC) AND BSD-3-Clause");
	cr_expect(!licence_expression(&project.arena, "ask us"));
	cr_expect(!licence_expression(&project.arena, NULL));
	project_write(&project, "copyright",
		      "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
		      "Files: debian/*\nLicense: GPL-2+\n\nFiles: *\nCopyright: x\nLicense: Expat\n");
	cr_expect_str_eq(licence_of_debian(&project.arena, project_file(&project, "copyright")), "MIT");
	project_write(&project, "copyright", "This is free text.\nLicense: MIT\n");
	cr_expect(!licence_of_debian(&project.arena, project_file(&project, "copyright")));
}
