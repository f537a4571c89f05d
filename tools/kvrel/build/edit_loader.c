/* SPDX-License-Identifier: MIT */
/*
 * glibc's loader and libc look at places of the host that no option closes: /etc/ld.so.preload, ld.so.cache, the
 * system's library folders, the gconv modules. Strings of the same length take their place, naming what cannot exist,
 * so offsets, size and build-id stay and debug files still match.
 *
 * A build is known when all strings of one of the rows below are in it. Another one is refused: a half-closed loader
 * would be worse than an open one that says so.
 */
#include "build/transform.h"

#include "base/scope.h"

#define NUL "\0"

struct edit {
	struct slice from, to;
};

/* /dev/null is a file on every host, so nothing can lie under it. The two shortest names have no room for that. */
static const struct edit loader_files[] = {
	{ SLICE("/etc/ld.so.preload"), SLICE("/dev/null/.preload") },
	{ SLICE("/etc/ld.so.cache"), SLICE("/dev/null/.cache") },
};

static const struct edit loader_folders[] = {
	{ SLICE("/lib/x86_64-linux-gnu/" NUL "/usr/lib/x86_64-linux-gnu/" NUL "/lib/" NUL "/usr/lib/" NUL),
	  SLICE("/dev/null/4-linux-gnu/" NUL "/dev/null/x86_64-linux-gn/" NUL "/-/-/" NUL "/proc/-1/" NUL) },
	{ SLICE("/lib/aarch64-linux-gnu/" NUL "/usr/lib/aarch64-linux-gnu/" NUL "/lib/" NUL "/usr/lib/" NUL),
	  SLICE("/dev/null/64-linux-gnu/" NUL "/dev/null/aarch64-linux-gn/" NUL "/-/-/" NUL "/proc/-1/" NUL) },
	{ SLICE("/lib64/" NUL "/usr/lib64/" NUL), SLICE("/-/-/-/" NUL "/dev/null//" NUL) },
};

static const struct edit libc_folders[] = {
	{ SLICE("/usr/lib/x86_64-linux-gnu/gconv"), SLICE("/dev/null/86_64-linux-gnu/gconv") },
	{ SLICE("/usr/lib/aarch64-linux-gnu/gconv"), SLICE("/dev/null/arch64-linux-gnu/gconv") },
	{ SLICE("/usr/lib64/gconv"), SLICE("/dev/null//gconv") },
};

static int replace_all(char *image, size_t size, const struct edit *edit)
{
	int count = 0;
	char *at = image;
	while ((at = memmem(at, size - (size_t)(at - image), edit->from.data, edit->from.size))) {
		memcpy(at, edit->to.data, edit->to.size);
		at += edit->from.size;
		count++;
	}
	return count;
}

static int replace_one_of(char *image, size_t size, const struct edit *edits, size_t count)
{
	int replaced = 0;
	for (size_t i = 0; i < count && !replaced; i++)
		replaced = replace_all(image, size, &edits[i]);
	return replaced;
}

int edit_loader_image(char *image, size_t size, const char *name, struct error *err)
{
	int total = 0;
	if (strncmp(name, "libc.", 5) == 0) {
		total = replace_one_of(image, size, libc_folders, ARRAY_LEN(libc_folders));
	} else {
		total = replace_one_of(image, size, loader_folders, ARRAY_LEN(loader_folders));
		for (size_t i = 0; total && i < ARRAY_LEN(loader_files); i++) {
			int replaced = replace_all(image, size, &loader_files[i]);
			total = replaced ? total + replaced : 0;
		}
	}
	if (total)
		return total;
	return error_set(err, ERROR_UNSUPPORTED,
			 "'%s' is of a build whose host paths are not known, so they cannot be closed; set `runtime: "
			 "{edit_loader: false}` in releases.yaml to bundle it as it is",
			 name);
}
