/* SPDX-License-Identifier: MIT */
/*
 * Settings that change while the node runs. Each new value is a copy in an arena of the setting's own, so that a node
 * whose settings change every minute does not grow.
 */
#include "node/config/config.h"
#include "node/config/layer.h"
#include "node/config/schema.h"

/* A deep copy: what a console gives lives in the console's arena. */
struct value *config_copy_value(struct arena *arena, const struct value *from)
{
	struct value *copy = ARENA_NEW(arena, struct value);
	*copy = *from;
	if (from->origin.file != NULL)
		copy->origin.file = arena_string(arena, from->origin.file);
	copy->text = (struct slice){ 0 };
	if (from->type == VALUE_STRING)
		copy->string.data = arena_copy(arena, from->string);
	if (from->type == VALUE_LIST) {
		copy->list.items = arena_array(arena, from->list.count + 1, sizeof(*copy->list.items));
		for (size_t i = 0; i < from->list.count; i++)
			copy->list.items[i] = config_copy_value(arena, from->list.items[i]);
	}
	if (from->type == VALUE_MAP) {
		copy->map.members = arena_array(arena, from->map.count + 1, sizeof(*copy->map.members));
		for (size_t i = 0; i < from->map.count; i++) {
			const struct member *member = &from->map.members[i];
			copy->map.members[i] = (struct member){
				.key = { arena_copy(arena, member->key), member->key.size },
				.value = config_copy_value(arena, member->value),
			};
		}
	}
	return copy;
}

static void replace(struct setting *setting, struct value *value, struct arena own, bool is_default,
		    struct config_change *change)
{
	*change = (struct config_change){ setting, setting->value, setting->own, setting->is_default };
	setting->value = value;
	setting->own = own;
	setting->is_default = is_default;
}

int config_set(struct config *config, const char *component, const char *key, const struct value *given,
	       struct config_change *change, struct error *err)
{
	const struct config_component *found = config_component(config, component);
	if (found == NULL)
		return error_set(err, ERROR_NOT_FOUND, "unknown component '%s'", component);
	struct setting *setting = config_setting(config, component, key);
	if (setting == NULL)
		return error_set(err, ERROR_NOT_FOUND, "unknown key '%s' of component '%s'", key, component);
	struct arena own = { 0 };
	struct value *copy = config_copy_value(&own, given);
	config_stamp(copy, &(struct origin){ .file = "app.put_env" }, true);
	struct schema_context context = config_schema_context(config, &own);
	struct value *normal = NULL;
	int rc = schema_check(&context, setting->schema, copy, &normal, err);
	if (rc != 0) {
		arena_done(&own);
		return error_wrap(err, "%s.%s", component, key);
	}
	replace(setting, normal, own, false, change);
	return 0;
}

void config_replace(struct setting *setting, const struct setting *fresh, struct config_change *change)
{
	struct arena own = { 0 };
	struct value *value = fresh->value != NULL ? config_copy_value(&own, fresh->value) : NULL;
	replace(setting, value, own, fresh->is_default, change);
}

void config_settle(struct config_change *change)
{
	arena_done(&change->old_arena);
}

void config_undo(struct config_change *change)
{
	arena_done(&change->setting->own);
	change->setting->value = change->old_value;
	change->setting->own = change->old_arena;
	change->setting->is_default = change->old_default;
}
