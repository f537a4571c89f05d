/* SPDX-License-Identifier: MIT */
#include "node/config/config_reference.h"

#include "base/json.h"
#include "base/scope.h"
#include "node/config/schema.h"

static void write_bounds(struct buf *out, const struct value *schema)
{
	const struct value *min = value_get(schema, "min");
	const struct value *max = value_get(schema, "max");
	if (min != NULL && max != NULL)
		buf_printf(out, " from %lld to %lld", (long long)min->integer, (long long)max->integer);
	else if (min != NULL)
		buf_printf(out, " of at least %lld", (long long)min->integer);
	else if (max != NULL)
		buf_printf(out, " of at most %lld", (long long)max->integer);
}

static void write_values(struct buf *out, const struct value *schema)
{
	const struct value *values = value_get(schema, "values");
	for (size_t i = 0; values != NULL && values->type == VALUE_LIST && i < values->list.count; i++)
		buf_printf(out, "%s%s", i == 0 ? ": " : ", ", value_text(values->list.items[i], "?"));
}

static void write_setting(struct buf *out, const char *component, const struct member *member)
{
	const struct value *schema = member->value;
	const struct value *fallback = value_get(schema, "default");
	buf_printf(out, "%s.%s (%s", component, member->key.data, value_text(value_get(schema, "type"), "?"));
	write_bounds(out, schema);
	write_values(out, schema);
	if (schema_is_required(schema))
		buf_append_string(out, "; required");
	else if (fallback != NULL && fallback->type != VALUE_NULL) {
		buf_append_string(out, "; default ");
		if (fallback->text.size > 0 && !fallback->quoted)
			buf_append_slice(out, fallback->text); /* 64KiB, as it was written */
		else
			json_write(out, fallback, 0);
	}
	buf_append_string(out, schema_is_live(schema) ? "; can change while it runs" : "");
	buf_append_string(out, schema_is_secret(schema) ? "; secret)\n" : ")\n");
	const char *doc = value_text(value_get(schema, "doc"), NULL);
	if (doc != NULL)
		buf_printf(out, "    %s\n", doc);
}

/* Both parts of "COMPONENT.KEY" may be empty, and then mean all. */
static size_t write_component(struct buf *out, const struct sys_component *component, struct slice key,
			      struct arena *arena, struct value *document)
{
	const struct value *schema = component->schema;
	struct value *map = value_map(arena);
	for (size_t i = 0; schema != NULL && schema->type == VALUE_MAP && i < schema->map.count; i++) {
		const struct member *member = &schema->map.members[i];
		if (key.size > 0 && !slice_equal(key, member->key))
			continue;
		value_map_add(arena, map, member->key, member->value);
		if (document == NULL)
			write_setting(out, component->name, member);
	}
	if (document != NULL)
		value_map_add(arena, document, slice_of(component->name), map);
	return map->map.count;
}

int config_reference(const struct sys *sys, const char *name, bool json, struct buf *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *document = json ? value_map(&arena) : NULL;
	struct slice wanted;
	struct slice key;
	size_t found = 0;
	slice_split(slice_of(name != NULL ? name : ""), '.', &wanted, &key);
	for (size_t i = 0; i < sys->component_count; i++) {
		if (wanted.size == 0 || slice_is(wanted, sys->components[i].name))
			found += write_component(out, &sys->components[i], key, &arena, document);
	}
	if (found == 0 && name != NULL)
		return error_set(err, ERROR_NOT_FOUND, "there is no setting '%s'; expected COMPONENT or COMPONENT.KEY",
				 name);
	if (json) {
		json_write(out, document, 2);
		buf_append_char(out, '\n');
	}
	return 0;
}
