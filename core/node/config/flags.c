/* SPDX-License-Identifier: MIT */
/* Flags of a file, one a line, and of a command line. What each of them is: flag_table.c. */
#include "node/config/flag_table.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/term.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS_FILE_MAX_BYTES = 1 << 20 };

/* `word` is "--flag" or "--flag=value". */
static const struct flag *find_flag(const char *word, const char **value)
{
	size_t size = strcspn(word, "=");
	size_t count;
	const struct flag *table = flag_table(&count);
	for (size_t i = 0; i < count; i++) {
		if (strlen(table[i].name) == size && strncmp(table[i].name, word, size) == 0) {
			*value = word[size] == '=' ? word + size + 1 : NULL;
			return &table[i];
		}
	}
	return NULL;
}

static void report_unknown(struct report *report, const struct origin *origin, const char *word)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	size_t count;
	const struct flag *table = flag_table(&count);
	const char **names = arena_array(&arena, count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = table[i].name;
	const char *near = term_suggest(word, names, count);
	if (near != NULL)
		report_error(report, origin, "unknown flag '%s' (did you mean '%s'?)", word, near);
	else
		report_error(report, origin, "unknown flag '%s'", word);
}

/* Returns the number of words that belong to the flag at words[0], 0 when it is wrong. */
static int take_flag(struct arena *arena, const char *const *words, int count, const struct origin *origin,
		     struct flags *flags, struct report *report)
{
	const char *value = NULL;
	const struct flag *flag = find_flag(words[0], &value);
	if (flag == NULL) {
		report_unknown(report, origin, words[0]);
		return 0;
	}
	int taken = 1;
	if (flag->argument != NULL && value == NULL) {
		if (count < 2) {
			report_error(report, origin, "flag '%s' needs a value: %s %s", flag->name, flag->name,
				     flag->argument);
			return 0;
		}
		value = words[1];
		taken = 2;
	} else if (flag->argument == NULL && value != NULL) {
		report_error(report, origin, "flag '%s' takes no value", flag->name);
		return 0;
	}
	struct error err;
	if (flag->parse(arena, flags, value, &err) != 0) {
		report_error(report, origin, "flag '%s': %s", flag->name, err.message);
		return 0;
	}
	return taken;
}

static void read_line(struct arena *arena, struct slice line, struct origin origin, struct flags *flags,
		      struct report *report)
{
	const char **words = NULL;
	size_t count = 0;
	struct error err;
	if (text_words(arena, line, &words, &count, &origin.column, &err) != 0) {
		report_error(report, &origin, "%s", err.message);
		return;
	}
	origin.column = 0;
	if (count == 0)
		return;
	int taken = take_flag(arena, words, (int)count, &origin, flags, report);
	if (taken > 0 && (size_t)taken < count)
		report_error(report, &origin, "unexpected '%s' after flag '%s'; one flag a line", words[taken],
			     words[0]);
}

int flags_read(struct arena *arena, const char *path, const char *shown, struct flags *flags, struct report *report,
	       struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read_file(path, FLAGS_FILE_MAX_BYTES, &text, err);
	if (rc != 0)
		return rc;
	struct origin origin = { .file = shown };
	struct slice rest = slice_skip_bom(buf_slice(&text));
	while (rest.size > 0) {
		struct slice line;
		slice_split(rest, '\n', &line, &rest);
		origin.line++;
		read_line(arena, slice_trim(line), origin, flags, report);
	}
	return 0;
}

int flags_take(struct arena *arena, const char *const *argv, int argc, struct flags *flags, struct report *report)
{
	int taken = 0;
	while (taken < argc && strncmp(argv[taken], "--", 2) == 0 && argv[taken][2] != '\0') {
		int words = take_flag(arena, argv + taken, argc - taken, NULL, flags, report);
		if (words == 0)
			return taken;
		taken += words;
	}
	return taken;
}

int flags_apply_env(const struct flags *flags, struct error *err)
{
	for (const struct flag_env *entry = flags->env; entry != NULL; entry = entry->next) {
		const char *now = getenv(entry->name);
		/* without need a reload must not move what threads may be reading */
		if ((now == NULL || strcmp(now, entry->value) != 0) && setenv(entry->name, entry->value, 1) != 0)
			return error_system(err, errno, "cannot set %s in the environment", entry->name);
	}
	return 0;
}
