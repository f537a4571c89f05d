/* SPDX-License-Identifier: MIT */
#include "spec/schema.h"

#include "cli/reference.h"

#include "base/scope.h"
#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name;
	const char *expects;
} types[] = {
	[SETTING_STRING] = { "string", "a string" },
	[SETTING_INTEGER] = { "integer", "an integer" },
	[SETTING_BOOLEAN] = { "boolean", "true or false" },
	[SETTING_PORT] = { "port", "a port (0 to 65535)" },
	[SETTING_DURATION] = { "duration", "a duration such as 250ms, 30s or 5m" },
	[SETTING_SIZE] = { "size", "a size such as 512, 64KiB or 10MB" },
	[SETTING_PATH] = { "path", "a path" },
	[SETTING_LIST] = { "list", "a list" },
	[SETTING_MAP] = { "map", "a map" },
	[SETTING_ENUM] = { "enum", "one of the declared values" },
	[SETTING_RANGE] = { "range", "a range of first characters such as a-m, 0-9 or \"0x80-0xff\"" },
	[SETTING_NODE] = { "node", "a node such as foo@host, or self" },
};
static_assert(ARRAY_LEN(types) == SETTING_TYPE_COUNT, "a name for each type");

/* What may have bounds; they are whole numbers: of sizes in bytes, of durations in milliseconds. */
static bool has_bounds(enum setting_type type)
{
	return type == SETTING_INTEGER || type == SETTING_DURATION || type == SETTING_SIZE;
}

/* A bare number is a size in bytes, but a duration in seconds, as people write them. */
static bool to_number(enum setting_type type, const struct value *value, int64_t *out)
{
	if (value->type == VALUE_INT) {
		const int64_t unit = type == SETTING_DURATION ? 1000 : 1;
		bool negative = value->integer < 0 && type != SETTING_INTEGER;
		return !negative && !__builtin_mul_overflow(value->integer, unit, out);
	}
	uint64_t number;
	if (value->type != VALUE_STRING || type == SETTING_INTEGER || type == SETTING_PORT)
		return false;
	if (!(type == SETTING_SIZE ? text_to_size(value->string, &number)
				   : text_to_duration_ms(value->string, &number)))
		return false;
	*out = (int64_t)number;
	return number <= INT64_MAX;
}

static bool number_fits(const struct setting *setting, const struct value *value)
{
	int64_t number;
	if (!to_number(setting->type, value, &number))
		return false;
	if (setting->type == SETTING_PORT && (number < 0 || number > 65535))
		return false;
	return (!setting->has_min || number >= setting->min) && (!setting->has_max || number <= setting->max);
}

static bool enum_fits(const struct setting *setting, const struct value *value)
{
	for (size_t i = 0; i < setting->value_count; i++)
		if (value->type == VALUE_STRING && slice_is(value->string, setting->values[i]))
			return true;
	return false;
}

/* A digit alone is a number to YAML. */
static bool is_range(const struct value *value)
{
	unsigned first, last;
	if (value->type == VALUE_INT)
		return value->integer >= 0 && value->integer <= 9;
	return value->type == VALUE_STRING && text_to_byte_range(value->string, &first, &last);
}

static bool is_node(const struct value *value)
{
	struct slice name, host;
	uint16_t port;
	if (value->type != VALUE_STRING || slice_is(value->string, "self"))
		return value->type == VALUE_STRING;
	return text_split_node(value->string, &name, &host, &port) && host.size > 0;
}

static bool fits(const struct setting *setting, const struct value *value)
{
	switch (setting->type) {
	case SETTING_STRING:
		return value->type == VALUE_STRING;
	case SETTING_PATH:
		return value->type == VALUE_STRING && value->string.size > 0 &&
		       !memchr(value->string.data, 0, value->string.size);
	case SETTING_BOOLEAN:
		return value->type == VALUE_BOOL;
	case SETTING_LIST:
		return value->type == VALUE_LIST;
	case SETTING_MAP:
		return value->type == VALUE_MAP;
	case SETTING_ENUM:
		return enum_fits(setting, value);
	case SETTING_RANGE:
		return is_range(value);
	case SETTING_NODE:
		return is_node(value);
	default:
		return number_fits(setting, value);
	}
}

/* "an integer from 1 to 64", "one of always, everysec, none" */
static const char *expectation(const struct reader *reader, const struct setting *setting)
{
	const char *unit = setting->type == SETTING_SIZE ? " bytes" : setting->type == SETTING_DURATION ? " ms" : "";
	const char *expects = types[setting->type].expects;
	if (setting->type == SETTING_ENUM)
		return arena_printf(reader->arena, "one of %s",
				    reader_join(reader, setting->values, setting->value_count));
	if (setting->has_min && setting->has_max)
		return arena_printf(reader->arena, "%s from %" PRId64 " to %" PRId64 "%s", expects, setting->min,
				    setting->max, unit);
	if (setting->has_min)
		return arena_printf(reader->arena, "%s of at least %" PRId64 "%s", expects, setting->min, unit);
	if (setting->has_max)
		return arena_printf(reader->arena, "%s of at most %" PRId64 "%s", expects, setting->max, unit);
	return expects;
}

static void check_items(const struct reader *reader, const char *component, const struct setting *setting,
			const struct value *list)
{
	for (size_t i = 0; i < list->list.count; i++) {
		struct setting item = *setting->items;
		item.key = arena_printf(reader->arena, "%s[%zu]", setting->key, i + 1);
		schema_check(reader, component, &item, list->list.items[i]);
	}
}

static const struct setting *find_key(const struct setting *setting, struct slice key)
{
	for (size_t i = 0; i < setting->key_count; i++)
		if (slice_is(key, setting->keys[i].key))
			return &setting->keys[i];
	return NULL;
}

static void unknown_part(const struct reader *reader, const char *component, const struct setting *setting,
			 const struct member *member)
{
	const char **names = arena_array(reader->arena, setting->key_count, sizeof(char *));
	for (size_t i = 0; i < setting->key_count; i++)
		names[i] = setting->keys[i].key;
	const char *key = reader_printable(reader, member->key);
	reader_mistake(reader, &member->origin, "unknown key '%s' in '%s' of component '%s'%s", key, setting->key,
		       component, reader_suggest(reader, key, names, setting->key_count));
}

static void check_keys(const struct reader *reader, const char *component, const struct setting *setting,
		       const struct value *map)
{
	for (size_t i = 0; i < map->map.count; i++) {
		const struct member *member = &map->map.members[i];
		const struct setting *declared = find_key(setting, member->key);
		if (!declared) {
			unknown_part(reader, component, setting, member);
			continue;
		}
		struct setting part = *declared;
		part.key = arena_printf(reader->arena, "%s.%s", setting->key, declared->key);
		schema_check(reader, component, &part, member->value);
	}
	for (size_t i = 0; i < setting->key_count; i++)
		if (setting->keys[i].required && !value_member(map, slice_of(setting->keys[i].key)))
			reader_mistake(reader, &map->origin, "'%s' of component '%s' lacks the key '%s'", setting->key,
				       component, setting->keys[i].key);
}

static void check_parts(const struct reader *reader, const char *component, const struct setting *setting,
			const struct value *value)
{
	if (setting->items)
		check_items(reader, component, setting, value);
	if (setting->keys)
		check_keys(reader, component, setting, value);
}

void schema_check(const struct reader *reader, const char *component, const struct setting *setting,
		  const struct value *value)
{
	if (!setting->sound || value->type == VALUE_NULL)
		return;
	if (fits(setting, value)) {
		check_parts(reader, component, setting, value);
		return;
	}
	const char *suggestion = "";
	if (setting->type == SETTING_ENUM && value->type == VALUE_STRING)
		suggestion = reader_suggest(reader, value->string.data, setting->values, setting->value_count);
	const struct value hidden = { .type = value->type, .secret = true };
	reader_mistake(reader, &value->origin, "'%s' of component '%s' must be %s, not %s%s", setting->key, component,
		       expectation(reader, setting), reader_describe(reader, setting->secret ? &hidden : value),
		       suggestion);
}

/* One declaration as written. */
struct declaration {
	const struct value *type, *fallback, *min, *max, *values, *items, *keys;
	const char *doc, *cover;
	bool live, secret, required;
};

static const struct field keys[] = {
	FIELD(struct declaration, type, read_value, .type = "a type", .required = true,
	      .doc = "string, integer, boolean, port, duration, size, path, list, map, enum, range or node"),
	{ .key = "default",
	  .read = read_value,
	  .offset = offsetof(struct declaration, fallback),
	  .type = "a value",
	  .doc = "what holds when nothing is set" },
	FIELD(struct declaration, min, read_value, .type = "a number", .doc = "least number, bytes or milliseconds"),
	FIELD(struct declaration, max, read_value, .type = "a number", .doc = "greatest number, bytes or milliseconds"),
	FIELD(struct declaration, values, read_list, .type = "a list of strings", .doc = "what an enum may be"),
	FIELD(struct declaration, items, read_map, .type = "the declaration of an item",
	      .doc = "of a list: what each item must be, as a setting is declared"),
	FIELD(struct declaration, keys, read_map, .type = "a map of keys and their declarations",
	      .doc = "of a map: what it may hold; any other key is a mistake"),
	FIELD(struct declaration, cover, read_text, .type = "the name of a key",
	      .doc = "of a list of maps: the key with a range; warns of overlaps and of what is left out"),
	FIELD(struct declaration, doc, read_text, .type = "a text", .doc = "one sentence for people"),
	FIELD(struct declaration, live, read_flag, .type = "true or false",
	      .doc = "a running node takes a new value without a restart"),
	FIELD(struct declaration, secret, read_flag, .type = "true or false", .doc = "masked wherever it is shown"),
	FIELD(struct declaration, required, read_flag, .type = "true or false",
	      .doc = "the boot fails where nothing sets it"),
};

const struct field *declaration_fields(size_t *count)
{
	*count = ARRAY_LEN(keys);
	return keys;
}

static bool read_type(const struct reader *reader, const struct value *value, enum setting_type *out)
{
	const char *names[SETTING_TYPE_COUNT];
	for (size_t i = 0; i < SETTING_TYPE_COUNT; i++) {
		names[i] = types[i].name;
		if (slice_is(slice_of(value_text(value, "")), names[i])) {
			*out = i;
			return true;
		}
	}
	const char *hint = reader_suggest(reader, value_text(value, ""), names, SETTING_TYPE_COUNT);
	if (*hint == '\0')
		hint = arena_printf(reader->arena, "; types are %s", reader_join(reader, names, SETTING_TYPE_COUNT));
	reader_mistake(reader, &value->origin, "unknown type %s %s%s", reader_word(reader, value), reader->where, hint);
	return false;
}

static bool read_bound(const struct reader *reader, enum setting_type type, const char *name, const struct value *value,
		       bool *has, int64_t *bound)
{
	if (!value)
		return true;
	*has = has_bounds(type) && value->type == VALUE_INT;
	if (!has_bounds(type))
		reader_mistake(reader, &value->origin, "'%s' %s is for integers, sizes and durations, not for a %s",
			       name, reader->where, types[type].name);
	else if (!*has)
		reader_mistake(reader, &value->origin, "'%s' %s must be an integer%s, not %s", name, reader->where,
			       type == SETTING_SIZE       ? " (bytes)"
			       : type == SETTING_DURATION ? " (milliseconds)"
							  : "",
			       reader_describe(reader, value));
	else
		*bound = value->integer;
	return *has;
}

static bool read_enum_values(const struct reader *reader, const struct value *values, const struct value *map,
			     struct setting *setting)
{
	if (setting->type != SETTING_ENUM) {
		if (values)
			reader_mistake(reader, &values->origin, "'values' %s is for the type enum, not for %s",
				       reader->where, types[setting->type].name);
		return !values;
	}
	if (!values || values->list.count == 0) {
		reader_mistake(reader, values ? &values->origin : &map->origin, "an enum needs 'values' %s",
			       reader->where);
		return false;
	}
	setting->values = arena_array(reader->arena, values->list.count, sizeof(char *));
	for (size_t i = 0; i < values->list.count; i++) {
		const struct value *item = values->list.items[i];
		if (item->type != VALUE_STRING) {
			reader_mistake(reader, &item->origin, "'values' %s must be strings, not %s", reader->where,
				       reader_describe(reader, item));
			return false;
		}
		setting->values[setting->value_count++] = arena_copy(reader->arena, item->string);
	}
	return true;
}

static void read_setting(const struct reader *outer, const char *component, const struct member *member,
			 struct setting *setting);

static struct setting *read_nested(const struct reader *reader, const char *component, const struct setting *setting,
				   const char *suffix, struct slice name, struct value *declaration)
{
	struct setting *out = ARENA_NEW(reader->arena, struct setting);
	const struct member member = { .key = name, .origin = declaration->origin, .value = declaration };
	out->key = arena_printf(reader->arena, "%s%s", setting->key, suffix);
	read_setting(reader, component, &member, out);
	return out;
}

/* What items and keys say is for the types that have them. */
static bool read_parts(const struct reader *reader, const char *component, const struct declaration *declared,
		       struct setting *setting)
{
	if (declared->items && setting->type != SETTING_LIST) {
		reader_mistake(reader, &declared->items->origin, "'items' %s is for the type list, not for %s",
			       reader->where, types[setting->type].name);
		return false;
	}
	if (declared->keys && setting->type != SETTING_MAP) {
		reader_mistake(reader, &declared->keys->origin, "'keys' %s is for the type map, not for %s",
			       reader->where, types[setting->type].name);
		return false;
	}
	if (declared->items)
		setting->items =
			read_nested(reader, component, setting, "[]", SLICE("items"), (struct value *)declared->items);
	size_t count = declared->keys ? declared->keys->map.count : 0;
	if (declared->keys)
		setting->keys = arena_array(reader->arena, count + 1, sizeof(*setting->keys));
	for (size_t i = 0; i < count; i++) {
		const struct member *member = &declared->keys->map.members[i];
		setting->keys[i] = *read_nested(reader, component, setting,
						arena_printf(reader->arena, ".%.*s", SLICE_FMT(member->key)),
						member->key, member->value);
		setting->keys[i].key = arena_copy(reader->arena, member->key);
	}
	setting->key_count = count;
	return true;
}

/* The key that `cover` names must be a range of the items. */
static bool read_cover(const struct reader *reader, const struct declaration *declared, const struct value *map,
		       const struct setting *setting)
{
	if (!declared->cover)
		return true;
	for (size_t i = 0; setting->items && i < setting->items->key_count; i++)
		if (strcmp(setting->items->keys[i].key, declared->cover) == 0 &&
		    setting->items->keys[i].type == SETTING_RANGE)
			return true;
	reader_mistake(reader, &value_get(map, "cover")->origin,
		       "'cover' %s must name a key of the type range in the items of a list", reader->where);
	return false;
}

static void read_setting(const struct reader *outer, const char *component, const struct member *member,
			 struct setting *setting)
{
	struct reader reader = *outer;
	reader.where = arena_printf(outer->arena, "in setting '%s' of component '%s'", setting->key, component);
	if (!text_is_name(member->key))
		reader_mistake(&reader, &member->origin,
			       "a setting's name is made of a-z, 0-9 and '_', beginning with a letter, not '%s'",
			       setting->key);
	struct declaration declared = { 0 };
	const char *noun = arena_printf(outer->arena, "setting '%s' of component '%s'", setting->key, component);
	fields_read(&reader, member->value, noun, keys, ARRAY_LEN(keys), &declared);
	if (!declared.type || !read_type(&reader, declared.type, &setting->type))
		return;
	setting->secret = declared.secret;
	setting->required = declared.required;
	bool sound = read_bound(&reader, setting->type, "min", declared.min, &setting->has_min, &setting->min);
	sound &= read_bound(&reader, setting->type, "max", declared.max, &setting->has_max, &setting->max);
	sound &= read_enum_values(&reader, declared.values, member->value, setting);
	if (sound && setting->has_min && setting->has_max && setting->min > setting->max) {
		reader_mistake(&reader, &declared.min->origin, "'min' is greater than 'max' %s", reader.where);
		sound = false;
	}
	sound = sound && read_parts(&reader, component, &declared, setting) &&
		read_cover(&reader, &declared, member->value, setting);
	setting->sound = sound;
	if (declared.fallback && declared.required)
		reader_mistake(&reader, &declared.fallback->origin, "a required setting cannot have a default, %s",
			       reader.where);
	if (declared.fallback)
		schema_check(&reader, component, setting, declared.fallback);
}

void schema_read(const struct reader *reader, const char *component, const struct value *schema,
		 struct setting **settings, size_t *count)
{
	*settings = arena_array(reader->arena, schema->map.count, sizeof(**settings));
	for (size_t i = 0; i < schema->map.count; i++) {
		const struct member *member = &schema->map.members[i];
		(*settings)[i].key = arena_copy(reader->arena, member->key);
		read_setting(reader, component, member, &(*settings)[i]);
	}
	*count = schema->map.count;
}
