/* SPDX-License-Identifier: MIT */
#include "spec/providers.h"

#include "base/scope.h"
#include "base/text.h"

/* What may stand beside the kind. */
enum { TAKES_OPTIONAL = 1, TAKES_TIMEOUT = 2 };

/* An expectation the value does not meet, or NULL. */
static const char *check_path(const struct value *value)
{
	bool sound = value->type == VALUE_STRING && value->string.size > 0 &&
		     !memchr(value->string.data, 0, value->string.size);
	return sound ? NULL : "a path";
}

static const char *check_flag(const struct value *value)
{
	return value->type == VALUE_BOOL ? NULL : "true or false";
}

static const char *check_prefix(const struct value *value)
{
	static const char expected[] = "true, or a prefix of capitals, digits and '_' such as MYAPP_";
	if (value->type == VALUE_BOOL)
		return NULL;
	if (value->type != VALUE_STRING)
		return expected;
	for (size_t i = 0; i < value->string.size; i++) {
		char c = value->string.data[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return expected;
	}
	return NULL;
}

static const char *check_program(const struct value *value)
{
	static const char expected[] = "a program, or a list of a program and its arguments";
	if (value->type == VALUE_STRING)
		return check_path(value) ? expected : NULL;
	if (value->type != VALUE_LIST || value->list.count == 0 || check_path(value->list.items[0]))
		return expected;
	for (size_t i = 0; i < value->list.count; i++) {
		const struct value *word = value->list.items[i];
		if (word->type != VALUE_STRING || memchr(word->string.data, 0, word->string.size))
			return expected;
	}
	return NULL;
}

static const struct kind {
	const char *name;
	const char *(*check)(const struct value *value);
	unsigned takes;
} kinds[] = {
	{ "yaml", check_path, TAKES_OPTIONAL },
	{ "dir", check_path, TAKES_OPTIONAL },
	{ "env", check_prefix, 0 },
	{ "credentials", check_flag, 0 },
	{ "exec", check_program, TAKES_TIMEOUT },
	{ "lua", check_path, TAKES_OPTIONAL },
};

static const struct kind *find_kind(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_is(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static bool is_duration(const struct value *value)
{
	uint64_t ms;
	if (value->type == VALUE_INT)
		return value->integer > 0 && value->integer < INT32_MAX;
	return value->type == VALUE_STRING && text_to_duration_ms(value->string, &ms) && ms > 0;
}

static void expected(const struct reader *reader, const struct member *member, const char *what)
{
	reader_mistake(reader, &member->value->origin, "'%.*s' in 'config_providers' %s must be %s, not %s",
		       SLICE_FMT(member->key), reader->where, what, reader_describe(reader, member->value));
}

static void unknown_key(const struct reader *reader, const struct member *member)
{
	static const char *const names[] = {
		"yaml", "dir", "env", "credentials", "exec", "lua", "optional", "timeout"
	};
	const char *key = reader_printable(reader, member->key);
	reader_mistake(reader, &member->origin, "unknown key '%s' in 'config_providers' %s%s", key, reader->where,
		       reader_suggest(reader, key, names, ARRAY_LEN(names)));
}

static void check_beside(const struct reader *reader, const struct kind *kind, const struct member *member)
{
	bool optional = slice_is(member->key, "optional");
	if (!optional && !slice_is(member->key, "timeout"))
		unknown_key(reader, member);
	else if (!(kind->takes & (optional ? TAKES_OPTIONAL : TAKES_TIMEOUT)))
		reader_mistake(reader, &member->origin, "'%.*s' in 'config_providers' %s is not for '%s'",
			       SLICE_FMT(member->key), reader->where, kind->name);
	else if (optional && check_flag(member->value))
		expected(reader, member, check_flag(member->value));
	else if (!optional && !is_duration(member->value))
		expected(reader, member, "a duration such as 500ms or 10s");
}

/* The kind first, which is where the node looks for it; then what stands beside it; then the origin. */
static struct value *normal_form(const struct reader *reader, const struct value *entry, const struct member *kind)
{
	char position[512];
	struct value *out = value_map(reader->arena);
	value_map_add(reader->arena, out, kind->key, kind->value);
	for (size_t i = 0; i < entry->map.count; i++)
		if (&entry->map.members[i] != kind)
			value_map_add(reader->arena, out, entry->map.members[i].key, entry->map.members[i].value);
	value_map_add(reader->arena, out, SLICE("origin"),
		      value_string(reader->arena, slice_of(origin_text(&entry->origin, position, sizeof(position)))));
	return out;
}

static struct value *read_entry(const struct reader *reader, const struct value *entry)
{
	const struct member *found = NULL;
	if (entry->type != VALUE_MAP || entry->map.count == 0) {
		reader_mistake(reader, &entry->origin, "a config provider %s is a map like {yaml: FILE}, not %s",
			       reader->where, reader_describe(reader, entry));
		return NULL;
	}
	for (size_t i = 0; i < entry->map.count; i++) {
		const struct member *member = &entry->map.members[i];
		if (!find_kind(member->key))
			continue;
		if (found)
			reader_mistake(reader, &member->origin,
				       "a config provider %s is of one kind: write '%.*s' and '%.*s' as two entries",
				       reader->where, SLICE_FMT(found->key), SLICE_FMT(member->key));
		else
			found = member;
	}
	const struct slice first = entry->map.members[0].key;
	if (!found && !slice_is(first, "optional") && !slice_is(first, "timeout")) {
		unknown_key(reader, &entry->map.members[0]);
		return NULL;
	}
	if (!found) {
		reader_mistake(reader, &entry->origin,
			       "a config provider %s needs one of yaml, dir, env, credentials, exec and lua",
			       reader->where);
		return NULL;
	}
	const struct kind *kind = find_kind(found->key);
	if (kind->check(found->value))
		expected(reader, found, kind->check(found->value));
	for (size_t i = 0; i < entry->map.count; i++)
		if (!find_kind(entry->map.members[i].key))
			check_beside(reader, kind, &entry->map.members[i]);
	return normal_form(reader, entry, found);
}

const struct value *providers_read(const struct reader *reader, const struct value *list)
{
	if (!list || list->list.count == 0)
		return NULL;
	struct value *out = value_list(reader->arena);
	for (size_t i = 0; i < list->list.count; i++) {
		struct value *entry = read_entry(reader, list->list.items[i]);
		if (entry)
			value_list_add(reader->arena, out, entry);
	}
	return out;
}
