/* SPDX-License-Identifier: MIT */
#include "spec/members.h"

#include "base/scope.h"

#include <assert.h>

static const char *const mode_names[] = {
	[MODE_NONE] = "none",           [MODE_LOAD] = "load",           [MODE_TEMPORARY] = "temporary",
	[MODE_TRANSIENT] = "transient", [MODE_PERMANENT] = "permanent",
};
static_assert(ARRAY_LEN(mode_names) == MODE_COUNT, "a name for each mode");

const char *component_mode_name(enum component_mode mode)
{
	return mode_names[mode];
}

struct seat { /* one component of the project, as seen by the release at hand */
	enum component_mode mode;
	bool listed, placed;
	struct origin origin;
};

struct resolver {
	const struct reader *reader;
	const struct project *project;
	struct seat *seats; /* as project->parts */
	struct part **order;
	size_t count;
	struct spec_release *release;
};

static struct seat *seat_of(const struct resolver *resolver, const struct part *part)
{
	return &resolver->seats[part - resolver->project->parts];
}

static void list_component(struct resolver *resolver, struct slice name, const struct origin *origin,
			   enum component_mode mode, struct part **listed, size_t *count)
{
	struct part *part = project_part(resolver->project, name);
	if (!part) {
		project_unknown(resolver->reader, resolver->project, origin, name);
		return;
	}
	struct seat *seat = seat_of(resolver, part);
	if (seat->listed) {
		reader_mistake(resolver->reader, origin, "component '%s' is listed twice %s", part->component.name,
			       resolver->reader->where);
		return;
	}
	*seat = (struct seat){ .mode = mode, .listed = true, .origin = *origin };
	listed[(*count)++] = part;
}

static bool read_mode(const struct resolver *resolver, const struct member *member, enum component_mode *out)
{
	const struct value *value = member->value;
	if (value->type == VALUE_NULL) {
		*out = MODE_PERMANENT;
		return true;
	}
	for (size_t i = 0; i < MODE_COUNT; i++) {
		if (value->type == VALUE_STRING && slice_is(value->string, mode_names[i])) {
			*out = i;
			return true;
		}
	}
	const char *hint = reader_suggest(resolver->reader, value_text(value, ""), mode_names, MODE_COUNT);
	reader_mistake(resolver->reader, &value->origin, "unknown mode %s of component '%s' %s%s",
		       reader_word(resolver->reader, value), reader_printable(resolver->reader, member->key),
		       resolver->reader->where,
		       *hint ? hint : "; modes are permanent, transient, temporary, load and none");
	return false;
}

/* A map of component: mode, or a list of names, which means permanent. */
static size_t read_listed(struct resolver *resolver, const struct value *listed, struct part **parts)
{
	size_t count = 0;
	if (listed->type == VALUE_MAP) {
		for (size_t i = 0; i < listed->map.count; i++) {
			const struct member *member = &listed->map.members[i];
			enum component_mode mode;
			if (read_mode(resolver, member, &mode))
				list_component(resolver, member->key, &member->origin, mode, parts, &count);
		}
		return count;
	}
	for (size_t i = 0; i < listed->list.count; i++) {
		const struct value *name = listed->list.items[i];
		if (name->type == VALUE_STRING)
			list_component(resolver, name->string, &name->origin, MODE_PERMANENT, parts, &count);
		else
			reader_mistake(resolver->reader, &name->origin, "a component %s must be a name, not %s",
				       resolver->reader->where, reader_describe(resolver->reader, name));
	}
	return count;
}

static void place(struct resolver *resolver, struct part *part)
{
	struct seat *seat = seat_of(resolver, part);
	if (seat->placed)
		return;
	seat->placed = true;
	for (size_t i = 0; i < part->need_count; i++)
		place(resolver, part->needs[i]);
	resolver->order[resolver->count++] = part;
}

/* Dependants come after what they need, so going backwards each mode is final before it is handed down. */
static void hand_down_modes(struct resolver *resolver)
{
	for (size_t i = resolver->count; i-- > 0;) {
		const struct part *part = resolver->order[i];
		enum component_mode mode = seat_of(resolver, part)->mode;
		for (size_t j = 0; j < part->need_count; j++) {
			struct seat *needed = seat_of(resolver, part->needs[j]);
			if (!needed->listed && needed->mode < mode)
				needed->mode = mode;
		}
	}
}

static void check_need(const struct resolver *resolver, const struct part *part, const struct part *needed)
{
	const struct seat *above = seat_of(resolver, part), *below = seat_of(resolver, needed);
	if (above->mode < MODE_TEMPORARY || below->mode >= MODE_TEMPORARY)
		return;
	reader_mistake(resolver->reader, &below->origin,
		       "component '%s' is '%s' %s, but '%s', which is '%s', depends on it: make '%s' at least "
		       "'temporary', or '%s' 'load' or 'none'",
		       needed->component.name, mode_names[below->mode], resolver->reader->where, part->component.name,
		       mode_names[above->mode], needed->component.name, part->component.name);
}

static void fill_members(struct resolver *resolver)
{
	struct spec_release *release = resolver->release;
	release->members = arena_array(resolver->reader->arena, resolver->count, sizeof(*release->members));
	release->member_count = resolver->count;
	for (size_t i = 0; i < resolver->count; i++) {
		const struct part *part = resolver->order[i];
		const struct seat *seat = seat_of(resolver, part);
		release->members[i] = (struct spec_member){
			.component = &resolver->project->components[part - resolver->project->parts],
			.mode = seat->mode,
			.listed = seat->listed,
			.origin = seat->listed ? seat->origin : release->origin,
		};
		for (size_t j = 0; j < part->need_count; j++)
			check_need(resolver, part, part->needs[j]);
	}
}

void members_resolve(const struct reader *reader, const struct project *project, const struct value *listed,
		     struct spec_release *release)
{
	if (listed->type != VALUE_MAP && listed->type != VALUE_LIST) {
		reader_mistake(reader, &listed->origin, "'components' %s must be a map of components and modes, not %s",
			       reader->where, reader_describe(reader, listed));
		return;
	}
	struct resolver resolver = {
		.reader = reader,
		.project = project,
		.seats = arena_array(reader->arena, project->count, sizeof(struct seat)),
		.order = arena_array(reader->arena, project->count, sizeof(struct part *)),
		.release = release,
	};
	struct part **parts = arena_array(reader->arena, project->count, sizeof(*parts));
	size_t count = read_listed(&resolver, listed, parts);
	for (size_t i = 0; i < count; i++)
		place(&resolver, parts[i]);
	hand_down_modes(&resolver);
	fill_members(&resolver);
	if (listed->type == VALUE_MAP ? listed->map.count == 0 : listed->list.count == 0)
		reader_mistake(reader, &listed->origin, "release '%s' has no components", release->name);
}
