/* SPDX-License-Identifier: MIT */
/*
 * libyaml's events into values, for whatever yaml_plain.c does not read. Events rather than its documents, because a
 * refusal must name the exact place, and because a tree is built with a stack of our own: a hostile file meets the
 * depth limit long before any recursion. Where an event stands in the text, and how a refusal says so: yaml_input.c.
 */
#include "base/yaml.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/yaml_input.h"
#include "base/yaml_plain.h"
#include "base/yaml_scalar.h"

#include <stdlib.h>
#include <yaml.h>

/* A value takes more memory than its text: a file of nothing but commas must not fill the machine. */
enum { VALUES_MAX = 2 * 1000 * 1000 };
/* Longer or deeper is not for the short way: it is tried first and may be for nothing. */
enum { PLAIN_MAX_BYTES = 16 << 20, PLAIN_MAX_DEPTH = 64 };

struct level {
	struct value *container;
	struct slice key; /* the one whose value comes next; data NULL: a key comes next */
	bool again;       /* it was there before */
	bool ignored;     /* what it holds belongs nowhere: a merge key */
	struct origin key_origin;
};

struct reader {
	struct arena *arena;
	struct yaml_input in;
	yaml_parser_t parser;
	struct level *levels;
	unsigned depth;
	struct value *root;
	size_t values;
	bool has_document;
};

static int refuse_size(const char *name, size_t limit, struct error *err)
{
	return error_set(err, ERROR_INVALID,
			 "%s:1:1: error: the file is larger than %zu bytes; split it or check its name", name, limit);
}

/* ---- building the tree ----------------------------------------------------------------------------------------- */

static int add_key(struct reader *reader, struct level *level, const yaml_event_t *event)
{
	struct slice key = { (const char *)event->data.scalar.value, event->data.scalar.length };
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct origin place = yaml_input_place_of(&reader->in, &event->start_mark);
	const struct member *first;
	int rc = 0;

	if (plain && key.size == 0)
		return yaml_input_refuse(&reader->in, place, "a key is missing before ':'");
	level->ignored = plain && slice_is(key, "<<");
	first = level->ignored ? NULL : value_member(level->container, key);
	if (level->ignored)
		rc = yaml_input_object(&reader->in, place,
				       "merge keys ('<<') are not supported; write the settings out");
	else if (first)
		rc = yaml_input_object(&reader->in, place,
				       "duplicate key '%.*s', first in line %u; remove one of the two",
				       (int)(key.size < 100 ? key.size : 100), key.data, first->origin.line);
	if (rc < 0)
		return rc;
	level->again = first != NULL;
	level->key = (struct slice){ arena_copy(reader->arena, key), key.size };
	level->key_origin = place;
	return 0;
}

/* Puts a new value where it belongs: into the container on top of the stack, or as the root. */
static int add_value(struct reader *reader, struct value *value)
{
	struct level *level = reader->depth ? &reader->levels[reader->depth - 1] : NULL;

	if (++reader->values > VALUES_MAX)
		return yaml_input_refuse(&reader->in, value->origin, "more than %d values; split the file", VALUES_MAX);
	if (!level) {
		reader->root = value;
	} else if (level->container->type == VALUE_LIST) {
		value_list_add(reader->arena, level->container, value);
	} else {
		/* what a second map holds is worth looking at as well; a second word would only be called wrong again
		 */
		if (!level->ignored && (!level->again || value->type == VALUE_MAP))
			value_map_add_at(reader->arena, level->container, level->key, level->key_origin, value);
		level->key.data = NULL;
	}
	return 0;
}

static bool expects_key(const struct reader *reader)
{
	const struct level *level = reader->depth ? &reader->levels[reader->depth - 1] : NULL;

	return level && level->container->type == VALUE_MAP && !level->key.data;
}

static int refuse_tag_or_anchor(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
				const yaml_char_t *tag)
{
	struct origin place = yaml_input_place_of(&reader->in, &event->start_mark);
	struct slice standard = SLICE("tag:yaml.org,2002:");
	bool is_standard = tag && slice_starts(slice_of((const char *)tag), standard);

	if (anchor)
		return yaml_input_object(&reader->in, place,
					 "anchors ('&%.60s') are not supported; write the value out where it is needed",
					 (const char *)anchor);
	if (tag)
		return yaml_input_object(
			&reader->in, place,
			"tags ('%s%.60s') are not supported; remove it and quote the value if it is text",
			is_standard ? "!!" : "", (const char *)tag + (is_standard ? standard.size : 0));
	return 0;
}

static int on_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct slice text = { (const char *)event->data.scalar.value, event->data.scalar.length };
	const char *tag = (const char *)event->data.scalar.tag;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !(tag && strcmp(tag, YAML_STR_TAG) == 0);
	const char *problem = NULL;
	struct value *value;
	int rc = refuse_tag_or_anchor(reader, event, event->data.scalar.anchor, event->data.scalar.tag);

	if (rc < 0)
		return rc;
	if (expects_key(reader))
		return add_key(reader, &reader->levels[reader->depth - 1], event);
	value = ARENA_NEW(reader->arena, struct value);
	value->type = VALUE_STRING;
	value->quoted = !plain;
	value->origin = yaml_input_place_of(&reader->in, &event->start_mark);
	value->text = (struct slice){ arena_copy(reader->arena, text), text.size };
	if (plain)
		problem = yaml_scalar_resolve(value->text, value);
	if (problem) {
		rc = yaml_input_object(&reader->in, value->origin, "the number %.*s %s",
				       (int)(text.size < 60 ? text.size : 60), text.data, problem);
		value->type = VALUE_NULL;
	}
	if (rc < 0)
		return rc;
	if (value->type == VALUE_STRING)
		value->string = value->text;
	return add_value(reader, value);
}

static int on_alias(struct reader *reader, const yaml_event_t *event)
{
	struct origin place = yaml_input_place_of(&reader->in, &event->start_mark);
	const char *anchor = (const char *)event->data.alias.anchor;
	struct value *value;
	int rc;

	if (expects_key(reader))
		return yaml_input_refuse(&reader->in, place, "a key must be a plain name, not the alias '*%.60s'",
					 anchor);
	rc = yaml_input_object(&reader->in, place, "aliases ('*%.60s') are not supported; write the value out", anchor);
	if (rc < 0)
		return rc;
	value = value_null(reader->arena);
	value->origin = place;
	return add_value(reader, value);
}

static int on_start(struct reader *reader, const yaml_event_t *event, enum value_type type, const yaml_char_t *anchor,
		    const yaml_char_t *tag)
{
	int rc = refuse_tag_or_anchor(reader, event, anchor, tag);
	struct value *value;

	if (rc < 0)
		return rc;
	if (expects_key(reader))
		return yaml_input_refuse(&reader->in, yaml_input_place_of(&reader->in, &event->start_mark),
					 "a key must be a plain name, not a %s; quote it if it is text",
					 value_type_name(type));
	if (reader->depth == reader->in.limits.depth)
		return yaml_input_refuse(&reader->in, yaml_input_place_of(&reader->in, &event->start_mark),
					 "nested deeper than %u levels; flatten the structure",
					 reader->in.limits.depth);
	value = type == VALUE_LIST ? value_list(reader->arena) : value_map(reader->arena);
	value->origin = yaml_input_place_of(&reader->in, &event->start_mark);
	rc = add_value(reader, value);
	if (rc == 0)
		reader->levels[reader->depth++] = (struct level){ .container = value };
	return rc;
}

static int on_document(struct reader *reader, const yaml_event_t *event)
{
	struct origin place = yaml_input_place_of(&reader->in, &event->start_mark);

	if (reader->has_document)
		return yaml_input_refuse(&reader->in, place,
					 "a second document begins here; one file holds one document");
	if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
		return yaml_input_refuse(&reader->in, place, "tags (%%TAG) are not supported; remove the directive");
	reader->has_document = true;
	return 0;
}

static int on_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(reader, event);
	case YAML_ALIAS_EVENT:
		return on_alias(reader, event);
	case YAML_SCALAR_EVENT:
		return on_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(reader, event, VALUE_LIST, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_start(reader, event, VALUE_MAP, event->data.mapping_start.anchor,
				event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		reader->depth--;
		return 0;
	default:
		return 0;
	}
}

/* ---- what libyaml refuses ---------------------------------------------------------------------------------------- */

/* What to do about the character at which libyaml gave up. */
static const char *advice(const char *problem, char c)
{
	if (c == '\t')
		return "; indent with blanks, not with tabs";
	if (c == '@' || c == '`' || c == '%')
		return "; quote the text that begins with it";
	if (strstr(problem, "mapping values are not allowed"))
		return "; quote the text if the ':' belongs to it, else look at the indentation";
	if (strstr(problem, "could not find expected ':'"))
		return "; write 'key: value'";
	if (strstr(problem, "expected") && strstr(problem, "key"))
		return "; look at the indentation";
	return "";
}

static int refuse_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "it is no YAML";
	const char *context = parser->context ? parser->context : "";
	struct origin place = yaml_input_place_of(&reader->in, &parser->problem_mark);
	size_t at;

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(reader->in.err, ERROR_NO_MEMORY, "%s: no memory to read it", reader->in.name);
	if (parser->error == YAML_READER_ERROR)
		return yaml_input_refuse(&reader->in, yaml_input_place_of_offset(&reader->in, parser->problem_offset),
					 "%s", problem);
	yaml_input_move_to(&reader->in, &parser->problem_mark);
	at = reader->in.cursor.at;
	return yaml_input_refuse(&reader->in, place, "%s%s%s%s", problem, *context ? " " : "", context,
				 advice(problem, at < reader->in.text.size ? reader->in.text.data[at] : '\0'));
}

static int read_events(struct reader *reader)
{
	for (;;) {
		yaml_event_t event;
		int rc;
		bool last;

		if (!yaml_parser_parse(&reader->parser, &event))
			return refuse_syntax(reader);
		rc = on_event(reader, &event);
		last = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (rc < 0 || last)
			return rc;
	}
}

int yaml_parse(struct arena *arena, struct slice text, const char *name, const struct yaml_limits *limits,
	       struct value **out, struct error *err)
{
	SCOPE_FREE struct level *levels = NULL;
	struct reader reader = { .arena = arena, .in = { .text = text, .name = name, .limits = *limits, .err = err } };
	int rc;

	if (text.size > limits->size_bytes)
		return refuse_size(name, limits->size_bytes, err);
	reader.in.text = slice_skip_bom(text);
	rc = yaml_input_check(&reader.in);
	if (rc < 0)
		return rc;
	reader.in.file = arena_string(arena, name);
	if (reader.in.plain && reader.in.text.size <= PLAIN_MAX_BYTES)
		reader.root =
			yaml_plain_parse(arena, reader.in.text, reader.in.file,
					 limits->depth < PLAIN_MAX_DEPTH ? limits->depth : PLAIN_MAX_DEPTH, VALUES_MAX);
	if (reader.root) {
		*out = reader.root;
		return 0;
	}
	levels = calloc(limits->depth ? limits->depth : 1, sizeof(*levels));
	if (!levels || !yaml_parser_initialize(&reader.parser))
		return error_set(err, ERROR_NO_MEMORY, "%s: no memory to read it", name);
	reader.levels = levels;
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser,
				     (const unsigned char *)(reader.in.text.size ? reader.in.text.data : ""),
				     reader.in.text.size);
	rc = read_events(&reader);
	yaml_parser_delete(&reader.parser);
	if (rc < 0)
		return rc;
	if (!reader.root) {
		reader.root = value_null(arena);
		reader.root->origin = (struct origin){ reader.in.file, 1, 1 };
	}
	*out = reader.root;
	return 0;
}

int yaml_read(struct arena *arena, const char *path, const char *name, const struct yaml_limits *limits,
	      struct value **out, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read_file(path, limits->size_bytes, &text, err);

	if (rc == -(int)ERROR_LIMIT)
		return refuse_size(name ? name : path, limits->size_bytes, err);
	if (rc < 0)
		return rc;
	return yaml_parse(arena, buf_slice(&text), name ? name : path, limits, out, err);
}
