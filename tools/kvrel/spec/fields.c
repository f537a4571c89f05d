/* SPDX-License-Identifier: MIT */
#include "spec/fields.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/term.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>

enum { DESCRIBED_BYTES = 48, FIELDS_MAX = 64 };

void reader_mistake(const struct reader *reader, const struct origin *origin, const char *format, ...)
{
	char message[ERROR_MESSAGE_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	diagnostics_add(reader->diagnostics, origin, false, "%s", message);
}

const char *reader_printable(const struct reader *reader, struct slice text)
{
	struct slice shown = { text.data, text.size < DESCRIBED_BYTES ? text.size : DESCRIBED_BYTES };
	shown.size = slice_utf8_prefix(shown);
	return arena_printf(reader->arena, "%s%s", text_printable(reader->arena, shown, ""),
			    shown.size < text.size ? "..." : "");
}

const char *reader_describe(const struct reader *reader, const struct value *value)
{
	switch (value->type) {
	case VALUE_NULL:
		return "nothing";
	case VALUE_STRING:
		return value->secret ? "a string"
				     : arena_printf(reader->arena, "the string \"%s\"",
						    reader_printable(reader, value->string));
	case VALUE_BOOL:
		if (value->secret)
			return "a truth value";
		return value->boolean ? "true" : "false";
	case VALUE_INT:
	case VALUE_FLOAT:
		if (value->secret)
			return "a number";
		return arena_printf(reader->arena, "the number %s", reader_printable(reader, value->text));
	case VALUE_LIST:
		return "a list";
	case VALUE_MAP:
		return "a map";
	case VALUE_TYPE_COUNT:
		break;
	}
	return "something else";
}

const char *reader_word(const struct reader *reader, const struct value *value)
{
	if (value->type != VALUE_STRING)
		return reader_describe(reader, value);
	return arena_printf(reader->arena, "'%s'", reader_printable(reader, value->string));
}

void reader_wrong_type(const struct reader *reader, const struct field *field, const struct value *value)
{
	reader_mistake(reader, &value->origin, "'%s' %s must be %s, not %s", field->key, reader->where, field->type,
		       reader_describe(reader, value));
}

const char *reader_suggest(const struct reader *reader, const char *word, const char *const *names, size_t count)
{
	const char *nearest = term_suggest(word, names, count);
	return nearest ? arena_printf(reader->arena, " (did you mean '%s'?)", nearest) : "";
}

const char *reader_join(const struct reader *reader, const char *const *words, size_t count)
{
	struct buf text = { 0 };
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", words[i]);
	char *joined = arena_string(reader->arena, buf_string(&text));
	buf_done(&text);
	return joined;
}

/* The field that was meant, as a bit: it is then not reported as missing too. */
static uint64_t unknown_key(const struct reader *reader, const struct member *member, const struct field *fields,
			    size_t count)
{
	const char *names[FIELDS_MAX];
	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].key;
	const char *key = reader_printable(reader, member->key);
	reader_mistake(reader, &member->origin, "unknown key '%s' %s%s", key, reader->where,
		       reader_suggest(reader, key, names, count));
	const char *nearest = term_suggest(key, names, count);
	for (size_t i = 0; nearest && i < count; i++)
		if (names[i] == nearest)
			return UINT64_C(1) << i;
	return 0;
}

static const struct field *find_field(const struct field *fields, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++)
		if (slice_is(key, fields[i].key))
			return &fields[i];
	return NULL;
}

static uint64_t read_member(const struct reader *reader, const struct member *member, const struct field *fields,
			    size_t count, char *out)
{
	const struct field *field = find_field(fields, count, member->key);
	if (!field)
		return unknown_key(reader, member, fields, count);
	if (field->not_yet)
		reader_mistake(reader, &member->origin, "'%s' %s is not supported yet", field->key, reader->where);
	else if (member->value->type != VALUE_NULL)
		field->read(reader, field, member->value, out + field->offset);
	return 0;
}

uint64_t fields_read(const struct reader *reader, const struct value *map, const char *noun, const struct field *fields,
		     size_t count, void *out)
{
	assert(count <= FIELDS_MAX);
	uint64_t meant = 0;
	if (map->type != VALUE_MAP) {
		if (map->type == VALUE_NULL)
			reader_mistake(reader, &map->origin, "%s is empty, it needs keys and values", noun);
		else
			reader_mistake(reader, &map->origin, "%s must be a map of keys and values, not %s", noun,
				       reader_describe(reader, map));
		return UINT64_MAX;
	}
	for (size_t i = 0; i < map->map.count; i++)
		meant |= read_member(reader, &map->map.members[i], fields, count, out);
	for (size_t i = 0; i < count; i++) {
		const struct value *value = fields[i].required ? value_get(map, fields[i].key) : map;
		if ((!value || value->type == VALUE_NULL) && !(meant >> i & 1))
			reader_mistake(reader, value ? &value->origin : &map->origin, "%s lacks the key '%s'", noun,
				       fields[i].key);
	}
	return meant;
}

void read_value(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	(void)reader;
	(void)field;
	*(const struct value **)slot = value;
}

void read_map(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type == VALUE_MAP)
		*(const struct value **)slot = value;
	else
		reader_wrong_type(reader, field, value);
}

void read_list(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type == VALUE_LIST)
		*(const struct value **)slot = value;
	else
		reader_wrong_type(reader, field, value);
}

void read_flag(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type == VALUE_BOOL)
		*(bool *)slot = value->boolean;
	else
		reader_wrong_type(reader, field, value);
}

/* Text that may become part of a path or a line: a control byte or a NUL in it is never meant. */
static const char *clean_text(const struct reader *reader, const struct field *field, const struct value *value)
{
	if (value->type != VALUE_STRING || value->string.size == 0) {
		reader_wrong_type(reader, field, value);
		return NULL;
	}
	for (size_t i = 0; i < value->string.size; i++) {
		if ((unsigned char)value->string.data[i] >= 0x20 && value->string.data[i] != 0x7f)
			continue;
		reader_mistake(reader, &value->origin, "'%s' %s holds a control character", field->key, reader->where);
		return NULL;
	}
	return arena_copy(reader->arena, value->string);
}

void read_text(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	const char *text = clean_text(reader, field, value);
	if (text)
		*(const char **)slot = text;
}

void read_file_path(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	const char *text = clean_text(reader, field, value);
	if (text)
		*(const char **)slot = path_absolute(reader->arena, reader->project_dir, text);
}

const char *reader_existing(const struct reader *reader, const char *key, const struct value *value, bool folder)
{
	const char *path = NULL;
	const struct field field = { .key = key, .type = folder ? "the path of a folder" : "the path of a file" };
	read_file_path(reader, &field, value, &path);
	if (!path || (folder ? fs_is_dir(path) : fs_is_file(path)))
		return path;
	const char *shown = path_relative(reader->arena, reader->project_dir, path);
	const char *kind = folder ? "folder" : "file";
	if (fs_exists(path))
		reader_mistake(reader, &value->origin, "'%s' %s: '%s' is no %s", key, reader->where, shown, kind);
	else
		reader_mistake(reader, &value->origin, "'%s' %s: the %s '%s' does not exist", key, reader->where, kind,
			       shown);
	return NULL;
}

void read_name(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type == VALUE_STRING && text_is_name(value->string))
		*(const struct value **)slot = value;
	else
		reader_wrong_type(reader, field, value);
}

void read_name_list(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type != VALUE_LIST) {
		reader_wrong_type(reader, field, value);
		return;
	}
	const struct value *checked;
	for (size_t i = 0; i < value->list.count; i++) {
		checked = NULL;
		read_name(reader, field, value->list.items[i], &checked);
		if (!checked)
			return;
	}
	*(const struct value **)slot = value;
}

void read_text_list(const struct reader *reader, const struct field *field, const struct value *value, void *slot)
{
	if (value->type != VALUE_LIST) {
		reader_wrong_type(reader, field, value);
		return;
	}
	struct text_list list = { arena_array(reader->arena, value->list.count, sizeof(char *)), 0 };
	for (size_t i = 0; i < value->list.count; i++) {
		const char *text = clean_text(reader, field, value->list.items[i]);
		if (text)
			list.items[list.count++] = text;
	}
	*(struct text_list *)slot = list;
}

const char *version_mistake(struct slice text)
{
	if (!text_is_version(text))
		return "at most 128 letters, digits and '.', '+', '~', '-' are allowed, beginning with a letter or "
		       "digit";
	if (slice_is(text, "COOKIE") || slice_is(text, "start.data"))
		return "a file beside the folders of the versions has this name";
	return NULL;
}

const char *reader_version(const struct reader *reader, const struct value *value, const char *label)
{
	if (value->type == VALUE_INT || value->type == VALUE_FLOAT) {
		const char *text = reader_printable(reader, value->text);
		reader_mistake(reader, &value->origin,
			       "version %s of %s must be quoted, YAML reads it as a number: version: \"%s\"", text,
			       label, text);
		return NULL;
	}
	if (value->type != VALUE_STRING) {
		reader_mistake(reader, &value->origin, "version of %s must be a string such as \"1.0.0\", not %s",
			       label, reader_describe(reader, value));
		return NULL;
	}
	const char *mistake = version_mistake(value->string);
	if (mistake) {
		reader_mistake(reader, &value->origin, "invalid version \"%s\" of %s: %s",
			       reader_printable(reader, value->string), label, mistake);
		return NULL;
	}
	return arena_copy(reader->arena, value->string);
}
