/* SPDX-License-Identifier: MIT */
/* What `config:` of a component.yaml declares: each setting with its type, its bounds and its parts. */
#include "spec/schema.h"

#include "cli/reference.h"

#include "base/scope.h"
#include "base/text.h"

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

/* What may have bounds; they are whole numbers: of sizes in bytes, of durations in milliseconds. */
static bool has_bounds(enum setting_type type)
{
	return type == SETTING_INTEGER || type == SETTING_DURATION || type == SETTING_SIZE;
}

static bool read_type(const struct reader *reader, const struct value *value, enum setting_type *out)
{
	const char *names[SETTING_TYPE_COUNT];
	for (size_t i = 0; i < SETTING_TYPE_COUNT; i++) {
		names[i] = setting_type_name(i);
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
			       name, reader->where, setting_type_name(type));
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
				       reader->where, setting_type_name(setting->type));
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
			       reader->where, setting_type_name(setting->type));
		return false;
	}
	if (declared->keys && setting->type != SETTING_MAP) {
		reader_mistake(reader, &declared->keys->origin, "'keys' %s is for the type map, not for %s",
			       reader->where, setting_type_name(setting->type));
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
