/* SPDX-License-Identifier: MIT */
#include "spec/steps.h"

#include "base/scope.h"

#include <assert.h>

/* Not yet: flip the flag when build_release() does the step. */
static const struct {
	const char *name;
	bool not_yet;
} kinds[] = {
	[STEP_ASSEMBLE] = { "assemble", false },
	[STEP_TAR] = { "tar", false },
	[STEP_OCI] = { "oci", false },
	[STEP_SBOM] = { "sbom", false },
	[STEP_SELF_EXTRACT] = { "self_extract", false },
};
static_assert(ARRAY_LEN(kinds) == STEP_RUN, "a name for each step but run");

const char *step_kind_name(enum spec_step_kind kind)
{
	return kind == STEP_RUN ? "run" : kinds[kind].name;
}

struct run_step {
	const char *run;
};
static const struct field run_fields[] = {
	FIELD(struct run_step, run, read_text, .required = true, .type = "a command for the shell",
	      .doc = "run in the project's folder with RELEASE_* set"),
};

static bool read_run(const struct reader *outer, const struct value *value, struct spec_step *out)
{
	struct reader reader = *outer;
	const char *noun = arena_printf(outer->arena, "a step %s", outer->where);
	struct run_step step = { 0 };
	reader.where = arena_printf(outer->arena, "in %s", noun);
	fields_read(&reader, value, noun, run_fields, ARRAY_LEN(run_fields), &step);
	*out = (struct spec_step){ .kind = STEP_RUN, .command = step.run, .origin = value->origin };
	return step.run != NULL;
}

static bool read_step(const struct reader *reader, const struct value *value, struct spec_step *out)
{
	if (value->type == VALUE_MAP)
		return read_run(reader, value, out);
	const char *names[ARRAY_LEN(kinds)];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		names[i] = kinds[i].name;
		if (strcmp(value_text(value, ""), names[i]) != 0)
			continue;
		*out = (struct spec_step){ .kind = i, .origin = value->origin };
		if (kinds[i].not_yet)
			reader_mistake(reader, &value->origin, "step '%s' %s is not supported yet", names[i],
				       reader->where);
		return true;
	}
	const char *hint = reader_suggest(reader, value_text(value, ""), names, ARRAY_LEN(kinds));
	reader_mistake(reader, &value->origin, "unknown step %s %s%s", reader_word(reader, value), reader->where,
		       *hint ? hint : "; steps are assemble, tar, oci, sbom, self_extract and {run: \"command\"}");
	return false;
}

static void check_order(const struct reader *reader, const struct value *steps, const struct spec_release *release)
{
	size_t seen[STEP_RUN + 1] = { 0 };
	for (size_t i = 0; i < release->step_count; i++) {
		const struct spec_step *step = &release->steps[i];
		if (step->kind == STEP_RUN)
			continue;
		if (seen[step->kind]++ == 1)
			reader_mistake(reader, &step->origin, "step '%s' stands more than once %s",
				       kinds[step->kind].name, reader->where);
		if (step->kind != STEP_ASSEMBLE && seen[STEP_ASSEMBLE] == 0)
			reader_mistake(reader, &step->origin, "step '%s' must come after 'assemble' %s",
				       kinds[step->kind].name, reader->where);
	}
	if (seen[STEP_ASSEMBLE] == 0)
		reader_mistake(reader, &steps->origin, "'steps' %s must hold 'assemble'", reader->where);
}

void steps_read(const struct reader *reader, const struct value *steps, struct spec_release *out)
{
	size_t count = steps ? steps->list.count : 1;
	out->steps = arena_array(reader->arena, count + 1, sizeof(*out->steps));
	if (!steps) {
		out->steps[out->step_count++] = (struct spec_step){ .kind = STEP_ASSEMBLE, .origin = out->origin };
		return;
	}
	size_t mistakes = reader->diagnostics->errors;
	for (size_t i = 0; i < count; i++)
		if (read_step(reader, steps->list.items[i], &out->steps[out->step_count]))
			out->step_count++;
	/* a misspelt step may be the one that seems to be missing */
	if (reader->diagnostics->errors == mistakes)
		check_order(reader, steps, out);
}
