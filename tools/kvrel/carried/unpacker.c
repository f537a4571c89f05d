/* SPDX-License-Identifier: MIT */
/* The program at the head of NAME-VERSION.run: checks the archive behind it, unpacks it, checks what it unpacked. */
#include "check.h"
#include "unpack.h"

#include "build/existing.h"

#include "base/fs.h"
#include "base/path.h"

#include <stdio.h>
#include <string.h>

static int fail(const struct error *err)
{
	fprintf(stderr, "ERROR: %s\n", err->message);
	return error_exit_code(err->code);
}

/* The same version, whole: what a killed unpacker left is unpacked again. */
static const struct installed *same_version(const struct existing *existing, const struct payload *payload)
{
	const struct installed *version = existing_version(existing, payload->version);
	return version && version->readable ? version : NULL;
}

static int check_folder_is_ours(struct arena *arena, const struct payload *payload, const struct existing *existing,
				bool overwrite, struct error *err)
{
	const char *stranger = existing_stranger(arena, existing);
	if (stranger)
		return error_set(err, ERROR_EXISTS, "'%s' is no bundle and holds '%s'; name an empty or new folder",
				 existing->root, stranger);
	if (same_version(existing, payload) && !overwrite)
		return error_set(err, ERROR_EXISTS,
				 "release %s-%s exists already at '%s'; give --overwrite to replace it", payload->name,
				 payload->version, existing->root);
	return 0;
}

/* What the same version had before and no version has now. What cannot be removed is named by the check. */
static int remove_leftovers(struct arena *arena, const struct payload *payload, const struct existing *before,
			    struct error *err)
{
	const struct installed *old = same_version(before, payload);
	struct existing now;
	int status = old ? existing_read(arena, before->root, &now, err) : 0;
	for (size_t i = old && status == 0 ? old->manifest.count : 0; i-- > 0;) {
		const struct manifest_entry *entry = &old->manifest.entries[i];
		if (!existing_entry(&now, entry->path, NULL))
			(void)remove(path_join(arena, before->root, entry->path));
	}
	return status;
}

static int unpack_into(struct arena *arena, const struct payload *payload, const char *folder, bool overwrite,
		       struct error *err)
{
	struct existing existing;
	int status = existing_read(arena, folder, &existing, err);
	if (status == 0)
		status = check_folder_is_ours(arena, payload, &existing, overwrite, err);
	if (status == 0)
		status = payload_check(payload, err);
	/* first of all, so that a folder that is only half unpacked is known as ours */
	if (status == 0)
		status = fs_make_dirs(arena_printf(arena, "%s/releases/%s", folder, payload->version), 0755, err);
	if (status == 0)
		status = payload_unpack(arena, payload, folder, err);
	return status == 0 ? remove_leftovers(arena, payload, &existing, err) : status;
}

static int unpack(struct arena *arena, const struct payload *payload, const char *folder, bool overwrite, bool quiet)
{
	struct error err;
	if (unpack_into(arena, payload, folder, overwrite, &err) < 0)
		return fail(&err);
	int code = check_folder(folder, false, true);
	if (code == 0 && !quiet)
		printf("%s %s was unpacked to %s\n\n    # To start your system\n    %s/bin/%s start\n", payload->name,
		       payload->version, folder, folder, payload->name);
	return code;
}

static int run_usage(const struct payload *payload, FILE *out)
{
	fprintf(out,
		"usage: %s-%s.run [--overwrite] [--quiet] [FOLDER]\n\n"
		"Unpacks release %s %s into FOLDER (./%s), beside other versions of it, and checks each file.\n"
		"  --check      only check this file\n"
		"  --overwrite  replace the same version\n"
		"  --quiet      say nothing unless it fails\n",
		payload->name, payload->version, payload->name, payload->version, payload->name);
	return out == stdout ? 0 : error_exit_code(ERROR_USAGE);
}

static int run_payload(struct arena *arena, const struct payload *payload, char **argv)
{
	bool overwrite = false, quiet = false, check = false;
	const char *folder = NULL;
	struct error err;
	for (argv++; *argv; argv++) {
		if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0)
			return run_usage(payload, stdout);
		if (strcmp(*argv, "--overwrite") == 0)
			overwrite = true;
		else if (strcmp(*argv, "--quiet") == 0)
			quiet = true;
		else if (strcmp(*argv, "--check") == 0)
			check = true;
		else if (folder || !**argv || **argv == '-')
			return run_usage(payload, stderr);
		else
			folder = *argv;
	}
	if (!check)
		return unpack(arena, payload, folder ? folder : payload->name, overwrite, quiet);
	if (payload_check(payload, &err) < 0)
		return fail(&err);
	if (!quiet)
		printf("%s-%s.run is as it was built\n", payload->name, payload->version);
	return 0;
}

int main(int argc, char **argv)
{
	struct arena arena = { 0 };
	struct payload payload;
	struct error err;
	(void)argc;
	int code, carries = payload_find(&arena, &payload, &err);
	if (carries == 0)
		error_set(&err, ERROR_INVALID,
			  "no archive is behind this program; the step 'self_extract' puts one there");
	code = carries <= 0 ? fail(&err) : run_payload(&arena, &payload, argv);
	arena_done(&arena);
	return code;
}
