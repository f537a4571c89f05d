/* SPDX-License-Identifier: MIT */
/* Whether a value is what its setting declares, and what is expected where it is not. */
#include "spec/schema.h"

#include "base/scope.h"
#include "base/text.h"

#include <assert.h>
#include <inttypes.h>

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

const char *setting_type_name(enum setting_type type)
{
	return types[type].name;
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
