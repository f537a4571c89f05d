/* SPDX-License-Identifier: MIT */
#include "node/config/schema_parts.h"

#include "base/scope.h"
#include "base/term.h"
#include "base/text.h"
#include "node/config/report.h"

#include <ctype.h>
#include <stdio.h>

enum { BYTES = 256, RANGE_BYTES = 24 };

/* ---- mistakes ---- */

/* What a list or map has gathered of its parts. */
struct parts {
	const struct schema_context *context;
	struct error first; /* without a report: the first mistake */
	unsigned mistakes;
	bool secret; /* they are parts of one */
};

static void mistake(struct parts *parts, const struct origin *origin, const char *label, const char *message)
{
	if (parts->context->report != NULL && message[0] != '\0')
		report_error(parts->context->report, origin, "%s: %s", label, message);
	else if (parts->mistakes == 0)
		error_set(&parts->first, ERROR_INVALID, "%s: %s", label, message);
	parts->mistakes++;
}

static int verdict(const struct parts *parts, struct error *err)
{
	if (parts->mistakes == 0)
		return 0;
	return error_set(err, ERROR_INVALID, "%s", parts->context->report != NULL ? "" : parts->first.message);
}

static struct value *check_part(struct parts *parts, const struct value *schema, struct value *given, const char *label)
{
	struct schema_context context = *parts->context;
	struct value *normal = given;
	struct error err;
	context.label = label;
	context.secret = parts->secret;
	if (schema_check(&context, schema, given, &normal, &err) == 0)
		return normal;
	/* of a part with parts the message bears the label already */
	if (context.report == NULL && err.message[0] != '\0' && given->type >= VALUE_LIST &&
	    (value_get(schema, "items") != NULL || value_get(schema, "keys") != NULL)) {
		if (parts->mistakes++ == 0)
			parts->first = err;
		return given;
	}
	mistake(parts, &given->origin, label, err.message);
	return given;
}

/* ---- lists ---- */

static const char *byte_text(unsigned byte, char out[8])
{
	if (byte < 0x80 && isalnum((int)byte)) /* others are read better as numbers */
		snprintf(out, 8, "%c", (int)byte);
	else
		snprintf(out, 8, "0x%02x", byte);
	return out;
}

static const char *range_text(unsigned first, unsigned last, char out[RANGE_BYTES])
{
	char from[8];
	char to[8];
	if (first == last)
		snprintf(out, RANGE_BYTES, "%s", byte_text(first, from));
	else
		snprintf(out, RANGE_BYTES, "%s-%s", byte_text(first, from), byte_text(last, to));
	return out;
}

/* The first byte at or after `from` that is taken, or is not; BYTES when there is none. */
static unsigned next_byte(const size_t owner[BYTES], unsigned from, bool taken)
{
	while (from < BYTES && (owner[from] != 0) != taken)
		from++;
	return from;
}

static void warn_of_gaps(const struct schema_context *context, const struct value *list, const size_t owner[BYTES])
{
	SCOPE(buf_done) struct buf gaps = { 0 };
	char text[RANGE_BYTES];
	for (unsigned at = next_byte(owner, 0, false); at < BYTES;) {
		unsigned end = next_byte(owner, at, true);
		buf_printf(&gaps, "%s%s", gaps.size > 0 ? ", " : "", range_text(at, end - 1, text));
		at = next_byte(owner, end, false);
	}
	if (gaps.size > 0)
		report_warning(context->report, &list->origin, "%s leaves out %s", context->label, buf_string(&gaps));
}

/* Takes the bytes that nobody has; returns the first that somebody had, or BYTES. */
static unsigned take_bytes(size_t owner[BYTES], unsigned first, unsigned last, size_t index)
{
	unsigned taken = BYTES;
	for (unsigned byte = first; byte <= last; byte++) {
		if (owner[byte] == 0)
			owner[byte] = index;
		else if (taken == BYTES)
			taken = byte;
	}
	return taken;
}

static void check_cover(const struct schema_context *context, const char *key, const struct value *list)
{
	size_t owner[BYTES] = { 0 }; /* index + 1 */
	for (size_t i = 0; i < list->list.count; i++) {
		const struct value *range = value_get(list->list.items[i], key);
		unsigned first;
		unsigned last;
		char text[8];
		if (range == NULL || range->type != VALUE_STRING || !text_to_byte_range(range->string, &first, &last))
			continue;
		unsigned taken = take_bytes(owner, first, last, i + 1);
		if (taken < BYTES)
			report_warning(context->report, &range->origin,
				       "%s[%zu].%s: %.*s overlaps %s[%zu] from %s on, and the first match wins",
				       context->label, i + 1, key, SLICE_FMT(range->string), context->label,
				       owner[taken], byte_text(taken, text));
	}
	if (list->list.count > 0)
		warn_of_gaps(context, list, owner);
}

int schema_check_items(const struct schema_context *context, const struct value *schema, struct value *list,
		       struct value **out, struct error *err)
{
	const struct value *items = value_get(schema, "items");
	struct parts parts = { .context = context, .secret = schema_is_secret(schema) };
	if (items == NULL) {
		*out = list;
		return 0;
	}
	struct value *normal = value_list(context->arena);
	normal->origin = list->origin;
	for (size_t i = 0; i < list->list.count; i++) {
		const char *label =
			arena_printf(context->arena, "%s[%zu]", context->label != NULL ? context->label : "", i + 1);
		value_list_add(context->arena, normal, check_part(&parts, items, list->list.items[i], label));
	}
	int rc = verdict(&parts, err);
	if (rc != 0)
		return rc;
	const char *cover = value_text(value_get(schema, "cover"), NULL);
	if (cover != NULL && context->report != NULL)
		check_cover(context, cover, normal);
	*out = normal;
	return 0;
}

/* ---- maps ---- */

static void unknown_key(struct parts *parts, const struct value *keys, const struct member *member, const char *label)
{
	struct arena *arena = parts->context->arena;
	const char **names = arena_array(arena, keys->map.count + 1, sizeof(*names));
	for (size_t i = 0; i < keys->map.count; i++)
		names[i] = keys->map.members[i].key.data;
	const char *near = term_suggest(member->key.data, names, keys->map.count);
	const struct origin *origin = member->origin.file != NULL ? &member->origin : &member->value->origin;
	const char *hint = near != NULL ? arena_printf(arena, " (did you mean '%s'?)", near) : "";
	mistake(parts, origin, label, arena_printf(arena, "unknown key '%s'%s", member->key.data, hint));
}

static void check_keys_present(struct parts *parts, const struct value *keys, const struct value *map,
			       struct value *normal, const char *label)
{
	struct arena *arena = parts->context->arena;
	for (size_t i = 0; i < keys->map.count; i++) {
		const struct member *declared = &keys->map.members[i];
		struct value *fallback = value_get(declared->value, "default");
		if (value_member(map, declared->key) != NULL)
			continue;
		if (schema_is_required(declared->value))
			mistake(parts, &map->origin, label,
				arena_printf(arena, "the key '%s' is missing", declared->key.data));
		else if (fallback != NULL && fallback->type != VALUE_NULL)
			value_map_add(arena, normal, declared->key,
				      check_part(parts, declared->value, fallback,
						 arena_printf(arena, "%s.%s", label, declared->key.data)));
	}
}

int schema_check_keys(const struct schema_context *context, const struct value *schema, struct value *map,
		      struct value **out, struct error *err)
{
	const struct value *keys = value_get(schema, "keys");
	const char *label = context->label != NULL ? context->label : "";
	struct parts parts = { .context = context, .secret = schema_is_secret(schema) };
	if (keys == NULL || keys->type != VALUE_MAP) {
		*out = map;
		return 0;
	}
	struct value *normal = value_map(context->arena);
	normal->origin = map->origin;
	for (size_t i = 0; i < map->map.count; i++) {
		const struct member *member = &map->map.members[i];
		const struct member *declared = value_member(keys, member->key);
		const char *part = arena_printf(context->arena, "%s.%s", label, member->key.data);
		if (declared == NULL)
			unknown_key(&parts, keys, member, label);
		else
			value_map_add_at(context->arena, normal, member->key, member->origin,
					 check_part(&parts, declared->value, member->value, part));
	}
	check_keys_present(&parts, keys, map, normal, label);
	int rc = verdict(&parts, err);
	if (rc == 0)
		*out = normal;
	return rc;
}

/* ---- showing ---- */

static struct value *masked_items(struct arena *arena, const struct value *schema, const struct value *list)
{
	struct value *shown = value_list(arena);
	for (size_t i = 0; i < list->list.count; i++)
		value_list_add(arena, shown, schema_masked(arena, schema, list->list.items[i]));
	return shown;
}

static struct value *masked_keys(struct arena *arena, const struct value *keys, const struct value *map)
{
	struct value *shown = value_map(arena);
	for (size_t i = 0; i < map->map.count; i++) {
		const struct member *member = &map->map.members[i];
		value_map_add(arena, shown, member->key,
			      schema_masked(arena, value_get(keys, member->key.data), member->value));
	}
	return shown;
}

struct value *schema_masked(struct arena *arena, const struct value *schema, struct value *value)
{
	if (value == NULL)
		return value_null(arena);
	if (value->type == VALUE_NULL)
		return value;
	if (schema_is_secret(schema))
		return value_string(arena, SLICE(SCHEMA_MASK));
	const struct value *items = value_get(schema, "items");
	const struct value *keys = value_get(schema, "keys");
	if (items != NULL && value->type == VALUE_LIST)
		return masked_items(arena, items, value);
	if (keys != NULL && value->type == VALUE_MAP)
		return masked_keys(arena, keys, value);
	return value;
}
