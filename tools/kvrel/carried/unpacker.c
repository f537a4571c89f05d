/* SPDX-License-Identifier: MIT */
/* The program at the head of NAME-VERSION.run: checks the archive behind it, unpacks it, checks what it unpacked. */
#include "check.h"
#include "unpack.h"

#include "build/existing.h"
#include "bundle/content.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const struct error *err)
{
	fprintf(stderr, "ERROR: %s\n", err->message);
	return error_exit_code(err->code);
}

/* Where an unpacker that did not come to its end left what it was to put in place. */
static const char *unfinished(struct arena *arena, const struct existing *existing, const char *version)
{
	return unpack_temporary(arena, arena_printf(arena, "%s/releases/%s/manifest.json", existing->root, version));
}

/* The same version, whole: what a killed unpacker left is unpacked again. */
static bool is_there(struct arena *arena, const struct payload *payload, const struct existing *existing)
{
	const struct installed *version = existing_version(existing, payload->version);
	return version && version->readable && !fs_exists(unfinished(arena, existing, payload->version));
}

static int check_folder_is_ours(struct arena *arena, const struct payload *payload, const struct existing *existing,
				bool overwrite, struct error *err)
{
	const char *stranger = existing_stranger(arena, existing);
	if (stranger)
		return error_set(err, ERROR_EXISTS, "'%s' is no bundle and holds '%s'; name an empty or new folder",
				 existing->root, stranger);
	if (is_there(arena, payload, existing) && !overwrite)
		return error_set(err, ERROR_EXISTS,
				 "release %s-%s exists already at '%s'; give --overwrite to replace it", payload->name,
				 payload->version, existing->root);
	return 0;
}

/* What was listed and no version has now. What cannot be removed is named by the check. */
static void remove_unnamed(struct arena *arena, const struct manifest *listed, const struct existing *now)
{
	for (size_t i = listed->count; i-- > 0;) {
		const char *path = listed->entries[i].path, *file = path_join(arena, now->root, path);
		(void)unlink(unpack_temporary(arena, file));
		if (!existing_entry(now, path, NULL))
			(void)remove(file);
	}
}

/* The list of a killed unpacker, read before ours replaces it. One that is not complete: nothing was in place yet. */
static void read_unfinished(struct arena *arena, const struct existing *existing, struct manifest *lists)
{
	for (size_t i = 0; i < existing->count; i++) {
		const char *file = unfinished(arena, existing, existing->versions[i].version);
		SCOPE(buf_done) struct buf text = { 0 };
		if (fs_read(file, CONTENT_TEXT_MAX, &text, NULL) == 0)
			(void)manifest_parse(arena, (struct slice){ arena_copy(arena, buf_slice(&text)), text.size },
					     file, &lists[i], NULL);
	}
}

/* What the same version had before, and what killed unpackers left, of whatever version. */
static int remove_leftovers(struct arena *arena, const struct payload *payload, const struct existing *before,
			    const struct manifest *unfinished_lists, struct error *err)
{
	const struct installed *old = existing_version(before, payload->version);
	struct existing now;
	int status = existing_read(arena, before->root, &now, err);
	if (status < 0)
		return status;
	if (old && old->readable)
		remove_unnamed(arena, &old->manifest, &now);
	for (size_t i = 0; i < before->count; i++) {
		const char *list = unfinished(arena, before, before->versions[i].version);
		remove_unnamed(arena, &unfinished_lists[i], &now);
		(void)unlink(list);
		(void)rmdir(path_dir(arena, list)); /* succeeds where nothing else is in it */
	}
	return 0;
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
	struct manifest *lists = arena_array(arena, existing.count + 1, sizeof(*lists));
	if (status == 0)
		read_unfinished(arena, &existing, lists);
	if (status == 0)
		status = payload_unpack(arena, payload, folder, err);
	return status == 0 ? remove_leftovers(arena, payload, &existing, lists, err) : status;
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
