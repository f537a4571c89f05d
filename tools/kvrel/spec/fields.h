/* SPDX-License-Identifier: MIT */
/*
 * Maps of YAML read by table: one line a key says how its value is read, where it goes and what it means. From the
 * same table come the complaint about an unknown key with its nearest name, "not supported yet" for a key that is
 * agreed but not built (one flag), and the reference that `kvrel help build` prints.
 *
 * Readers report a mistake at the position of the value and leave the slot as it was: nothing stops at the first one.
 * A null value (`key:`) counts as absent.
 */
#ifndef KVREL_FIELDS_H
#define KVREL_FIELDS_H

#include "spec/spec.h"

struct reader {
	struct arena *arena;
	struct diagnostics *diagnostics;
	const char *project_dir;
	const char *where; /* "in release 'foo'": ends the messages about a key of the map being read */
};

struct field;
typedef void field_read_fn(const struct reader *reader, const struct field *field, const struct value *value,
			   void *slot);

struct field {
	const char *key;
	field_read_fn *read;
	size_t offset;
	const char *type; /* for people: "true or false" */
	const char *doc;
	bool required;
	bool not_yet;
};
#define FIELD(struct_, member, reader_, ...) \
	{ \
		.key = #member, .read = (reader_), .offset = offsetof(struct_, member), __VA_ARGS__ \
	}

/*
 * Reads every key of `map` into `out`. A value that is no map is one mistake; `noun` names it ("release 'foo'").
 * Returns the fields that misspelt keys were taken for, a bit each: nobody needs to hear that they are missing as well.
 */
uint64_t fields_read(const struct reader *reader, const struct value *map, const char *noun, const struct field *fields,
		     size_t count, void *out);

void reader_mistake(const struct reader *reader, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "'KEY' in release 'foo' must be a list, not the string "x"" */
void reader_wrong_type(const struct reader *reader, const struct field *field, const struct value *value);
/* Text of a file for a message: cut, and without bytes that could drive a terminal. Lives in the arena. */
const char *reader_printable(const struct reader *reader, struct slice text);
/* How a value reads in a message: `the number 0.10`, `a list`. Lives in the arena. */
const char *reader_describe(const struct reader *reader, const struct value *value);
/* Where a word was expected: `'permanant'`, `the number 3`. Lives in the arena. */
const char *reader_word(const struct reader *reader, const struct value *value);
/* " (did you mean 'version'?)" or "". */
const char *reader_suggest(const struct reader *reader, const char *word, const char *const *names, size_t count);

/* "a, b, c". Lives in the arena. */
const char *reader_join(const struct reader *reader, const char *const *words, size_t count);

/* Readers for slots of the type in brackets. */
field_read_fn read_value;     /* [const struct value *] anything */
field_read_fn read_map;       /* [const struct value *] */
field_read_fn read_list;      /* [const struct value *] */
field_read_fn read_flag;      /* [bool] */
field_read_fn read_text;      /* [const char *] a string that is not empty and holds no control bytes */
field_read_fn read_name;      /* [const struct value *] a string that text_is_name() */
field_read_fn read_file_path; /* [const char *] absolute, against the project folder */
field_read_fn read_text_list; /* [struct text_list] */
field_read_fn read_name_list; /* [const struct value *] list of names */

/* The absolute path of the existing file or folder that `value` names, or NULL after a mistake about `key`. */
const char *reader_existing(const struct reader *reader, const char *key, const struct value *value, bool folder);

struct text_list {
	const char **items;
	size_t count;
};

/* Why the text cannot be a version, NULL: it can. */
const char *version_mistake(struct slice text);
/* Checks and returns a version; NULL after a mistake. `label` is what has it: "release 'foo'". */
const char *reader_version(const struct reader *reader, const struct value *value, const char *label);

#endif
