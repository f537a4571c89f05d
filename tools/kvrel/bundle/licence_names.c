/* SPDX-License-Identifier: MIT */
/*
 * Debian's short names of licences are not SPDX's. Only what both lists know is translated; everything else is left to
 * the copyright file, which is in the bundle, and the SBOM says NOASSERTION.
 */
#include "bundle/sbom.h"

#include "base/fs.h"
#include "base/scope.h"

#include <strings.h>

enum { COPYRIGHT_BYTES_MAX = 4 << 20 };

static const struct {
	const char *debian, *spdx;
} names[] = {
	{ "Expat", "MIT" },
	{ "MIT", "MIT" },
	{ "GPL-1+", "GPL-1.0-or-later" },
	{ "GPL-2", "GPL-2.0-only" },
	{ "GPL-2+", "GPL-2.0-or-later" },
	{ "GPL-3", "GPL-3.0-only" },
	{ "GPL-3+", "GPL-3.0-or-later" },
	{ "LGPL-2", "LGPL-2.0-only" },
	{ "LGPL-2+", "LGPL-2.0-or-later" },
	{ "LGPL-2.1", "LGPL-2.1-only" },
	{ "LGPL-2.1+", "LGPL-2.1-or-later" },
	{ "LGPL-3", "LGPL-3.0-only" },
	{ "LGPL-3+", "LGPL-3.0-or-later" },
	{ "AGPL-3", "AGPL-3.0-only" },
	{ "AGPL-3+", "AGPL-3.0-or-later" },
	{ "Apache-2.0", "Apache-2.0" },
	{ "BSD-2-clause", "BSD-2-Clause" },
	{ "BSD-3-clause", "BSD-3-Clause" },
	{ "BSD-4-clause", "BSD-4-Clause" },
	{ "ISC", "ISC" },
	{ "Zlib", "Zlib" },
	{ "MPL-2.0", "MPL-2.0" },
	{ "OpenLDAP-2.8", "OLDAP-2.8" },
	{ "CC0-1.0", "CC0-1.0" },
	{ "Unlicense", "Unlicense" },
	{ "BSL-1.0", "BSL-1.0" },
	{ "Artistic-2.0", "Artistic-2.0" },
	{ "PSF-2", "PSF-2.0" },
	{ "0BSD", "0BSD" },
};

static const char *known_spdx(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_is(word, names[i].spdx))
			return names[i].spdx;
	return NULL;
}

/* Words of an expression: known identifiers, operators, parentheses. */
const char *licence_expression(struct arena *arena, const char *text)
{
	struct slice rest = slice_of(text), word;
	if (!text || !*text)
		return NULL;
	for (bool more = true; more;) {
		more = slice_split(rest, ' ', &word, &rest);
		while (word.size && (word.data[0] == '(' || word.data[0] == ')'))
			word = (struct slice){ word.data + 1, word.size - 1 };
		while (word.size && word.data[word.size - 1] == ')')
			word.size--;
		if (word.size && !slice_is(word, "AND") && !slice_is(word, "OR") && !known_spdx(word))
			return NULL;
	}
	return arena_string(arena, text);
}

static const char *from_debian(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.size == strlen(names[i].debian) && strncasecmp(name.data, names[i].debian, name.size) == 0)
			return names[i].spdx;
	return NULL;
}

static bool field(struct slice line, const char *name, struct slice *value)
{
	size_t length = strlen(name);
	if (line.size < length || strncasecmp(line.data, name, length) != 0)
		return false;
	*value = slice_trim((struct slice){ line.data + length, line.size - length });
	return true;
}

/* The machine-readable form: the paragraph for all files names the licence. */
const char *licence_of_debian(struct arena *arena, const char *copyright_file)
{
	SCOPE(buf_done) struct buf text = { 0 };
	if (!copyright_file || fs_read(copyright_file, COPYRIGHT_BYTES_MAX, &text, NULL) < 0)
		return NULL;
	struct slice rest = buf_slice(&text), line, value;
	bool first = true, all_files = false;
	for (bool more = true; more; first = false) {
		more = slice_split(rest, '\n', &line, &rest);
		if (first && !field(line, "Format:", &value))
			return NULL;
		if (!slice_trim(line).size)
			all_files = false;
		if (field(line, "Files:", &value))
			all_files = slice_is(value, "*");
		if (all_files && field(line, "License:", &value)) {
			const char *found = from_debian(value);
			return found ? arena_string(arena, found) : NULL;
		}
	}
	return NULL;
}
